import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from spatial_erasing.jobs import parallel
from spatial_erasing.jobs.parallel import available_memory_mb, map_in_processes, memory_limit_mb, worker_count


def square(number):
    return number, number**2


def process_of(item):
    time.sleep(0.05)
    return os.getpid()


def sleep_until(item, *, marker):
    """The first item waits for the second to be done."""
    while item == "slow" and not marker.exists():
        time.sleep(0.01)
    if item == "fast":
        marker.touch()
    return item


def be_killed(number, *, fatal, folder=None, times=1):
    """Work, but for the fatal items: killed at once, only some times if a folder remembers."""
    if number in fatal and not (folder and (folder / f"{number}-{times}").exists()):
        if folder:
            done = len(list(folder.glob(f"{number}-*")))
            (folder / f"{number}-{done + 1}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def raise_error(number):
    raise ZeroDivisionError(f"item {number}")


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_processes_give_the_results_of_a_loop(workers):
    found = sorted(map_in_processes(square, range(23), workers=workers))
    assert found == [square(number) for number in range(23)]


def test_nothing_to_do_is_nothing_done():
    assert list(map_in_processes(square, [], workers=3)) == []


def test_items_need_no_comparison_and_may_repeat():
    items = [np.arange(3), np.arange(3), np.arange(2)]
    assert sorted(map_in_processes(np.sum, items, workers=2)) == [1, 3, 3]


def test_work_is_done_elsewhere_and_by_no_more_processes_than_asked_for():
    used = set(map_in_processes(process_of, range(8), workers=2))
    assert os.getpid() not in used and len(used) <= 2


def test_a_result_comes_as_soon_as_it_is_ready(tmp_path):
    work = partial(sleep_until, marker=tmp_path / "done")
    assert list(map_in_processes(work, ["slow", "fast"], workers=2)) == ["fast", "slow"]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("fatal", [{0}, {4}, {8}])
@pytest.mark.parametrize("times", [1, 3])
def test_a_worker_that_is_killed_by_chance_costs_no_result(tmp_path, workers, fatal, times):
    work = partial(be_killed, fatal=fatal, folder=tmp_path, times=times)
    assert sorted(map_in_processes(work, range(9), workers=workers)) == list(range(9))


@pytest.mark.parametrize("fatal", [{0}, {4}, {8}, {3, 7}])
@pytest.mark.parametrize("workers", [1, 3])
def test_items_that_always_kill_are_named_after_all_others_are_done(fatal, workers):
    found, results = [], map_in_processes(partial(be_killed, fatal=fatal), range(9), workers=workers)

    def collect():
        for result in results:
            found.append(result)  # a list() would lose them with the error

    with pytest.raises(RuntimeError, match="killed each time, though it worked alone") as error:
        collect()
    assert sorted(found) == sorted(set(range(9)) - fatal)
    named = [
        line.partition(":")[0].strip() for line in str(error.value).splitlines() if "killed each" in line
    ]
    assert named == [str(number) for number in sorted(fatal)]


def fail_at(number, *, wrong):
    """Work, but for the wrong items."""
    if number in wrong:
        raise OSError(28, "No space left on device", f"file-{number}")
    return number


@pytest.mark.parametrize("workers", [1, 3])
def test_errors_are_named_after_all_others_are_done(workers):
    found, told = [], []
    results = map_in_processes(
        partial(fail_at, wrong={0, 4}), range(9), workers=workers, name="item {}".format
    )

    def collect():
        for result in results:
            found.append(result)

    with pytest.raises(RuntimeError, match="2 of 9 failed") as error:
        collect()
    assert sorted(found) == [1, 2, 3, 5, 6, 7, 8]
    for number in (0, 4):
        assert f"item {number}: OSError: [Errno 28] No space left on device: 'file-{number}'" in str(
            error.value
        )
    results = map_in_processes(
        partial(fail_at, wrong={5}), range(9), workers=workers, failed=lambda *fault: told.append(fault)
    )
    assert sorted(results) == [0, 1, 2, 3, 4, 6, 7, 8]
    assert [(item, error.errno) for item, error in told] == [(5, 28)]


def lack_memory(number, *, folder):
    """Run out of memory once, in the words of torch."""
    if number == 3 and not (folder / "tried").exists():
        (folder / "tried").touch()
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")
    return number


def test_what_runs_out_of_memory_beside_others_is_tried_again_alone(tmp_path):
    found = list(map_in_processes(partial(lack_memory, folder=tmp_path), range(6), workers=3))
    assert sorted(found) == list(range(6))


def test_an_error_of_the_function_itself_is_the_cause_of_the_one_that_is_raised():
    with pytest.raises(RuntimeError, match="1: ZeroDivisionError: item 1") as error:
        list(map_in_processes(raise_error, range(3), workers=2))
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_a_worker_computes_with_one_thread():
    """In a fresh process, as a job is: what has started its threads before the fork keeps them."""
    code = (
        "from spatial_erasing.jobs.parallel import map_in_processes\n"
        "def threads(item):\n"
        "    import SimpleITK\n"
        "    return SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()\n"
        "print(list(map_in_processes(threads, [1, 2], workers=2)))\n"
    )
    environment = {name: value for name, value in os.environ.items() if "THREADS" not in name}
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"PYTHONPATH": "."},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert printed.strip() == "[1, 1]"


@pytest.mark.parametrize(
    ("cores", "free_mb", "expected"), [(8, 1e6, 8), (8, 9500, 3), (8, 100, 1), (1, 1e6, 1), (3, 9000, 3)]
)
def test_workers_are_as_many_as_cores_and_memory_allow(monkeypatch, cores, free_mb, expected):
    monkeypatch.setattr(parallel, "available_memory_mb", lambda: free_mb)
    assert worker_count(cores, memory_mb_per_worker=3000) == expected


def test_where_memory_cannot_be_seen_the_cores_are_trusted(monkeypatch):
    def no_proc():
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(parallel, "available_memory_mb", no_proc)
    assert worker_count(5, memory_mb_per_worker=3000) == 5


def test_a_machine_without_proc_has_no_known_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(parallel, "PROC", tmp_path)
    assert memory_limit_mb() is None


MEMINFO = "MemTotal:  8192000 kB\nMemFree: 100 kB\nMemAvailable:  4096000 kB\n"
GIB = 2**30
# name of a control group's file: its text
OUTER = {"memory.max": str(3 * GIB), "memory.current": str(GIB), "memory.stat": "anon 5\ninactive_file 0\n"}
INNER = {"memory.max": str(2 * GIB), "memory.current": str(GIB), "memory.stat": f"inactive_file {GIB // 2}\n"}
OLD = {
    "memory.limit_in_bytes": str(2 * GIB),
    "memory.usage_in_bytes": str(GIB),
    "memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 4}\n",
}


@pytest.mark.parametrize(
    ("line", "groups", "limit_mb", "free_mb"),
    [
        ("0::/", {}, 8000, 4000),
        ("0::/", {".": {"memory.max": "max\n", "memory.current": "7"}}, 8000, 4000),
        ("0::/", {".": OUTER}, 3072, 2048),
        ("0::/", {".": OUTER | {"memory.max": str(2**40)}}, 8000, 4000),
        ("0::/slurm/job_7", {"slurm": OUTER, "slurm/job_7": INNER}, 2048, 1536),
        ("0::/slurm/job_7", {"slurm": OUTER}, 3072, 2048),
        ("4:memory:/slurm\n0::/", {"memory/slurm": OLD}, 2048, 1280),
        ("3:cpu,cpuacct:/a:b", {}, 8000, 4000),
    ],
)
def test_memory_is_the_machine_s_or_that_of_the_narrowest_control_group(
    monkeypatch, tmp_path, line, groups, limit_mb, free_mb
):
    monkeypatch.setattr(parallel, "PROC", tmp_path / "proc")
    monkeypatch.setattr(parallel, "CONTROL_GROUPS", tmp_path / "groups")
    files = {"proc/meminfo": MEMINFO, "proc/self/cgroup": f"{line}\n"}
    files |= {f"groups/{group}/{name}": text for group, part in groups.items() for name, text in part.items()}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert (memory_limit_mb(), available_memory_mb()) == (limit_mb, free_mb)


def test_a_job_of_slurm_has_no_more_than_was_allocated(monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "512")
    assert memory_limit_mb() == available_memory_mb() == 512


def test_ulimit_is_a_limit():
    code = "from spatial_erasing.jobs.parallel import *; print(memory_limit_mb(), available_memory_mb())"
    command = ["bash", "-c", f"ulimit -v 1048576; exec {sys.executable} -c '{code}'"]
    printed = subprocess.check_output(command, text=True, cwd=Path(parallel.__file__).parents[2])
    assert printed.split() == ["1024", "1024.0"]


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="this system has no /proc/meminfo")
def test_free_memory_of_this_machine_is_seen():
    assert 0 < available_memory_mb() < 1e9


def test_workers_compute_with_torch_after_the_parent_did():
    """A forked child inherits a thread pool without its threads; without care it waits for them for ever."""
    script = """
        import torch
        from spatial_erasing.jobs.parallel import map_in_processes
        torch.set_num_threads(4)
        kernel = torch.ones(8, 1, 3, 3, 3)
        def work(size):
            return float(torch.nn.functional.conv3d(torch.ones(1, 1, size, size, size), kernel).sum())
        expected = [work(40), work(50)]
        print(sorted(map_in_processes(work, [40, 50], workers=2)) == expected)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=Path(parallel.__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
    )
    assert done.stdout.strip() == "True", done.stderr


JOB = """
import os, sys, time
from spatial_erasing.jobs.parallel import end_with_snakemake, lead_jobs
if sys.argv[1] == "snakemake":
    import subprocess
    lead_jobs()
    job = subprocess.Popen([sys.executable, "-c", os.environ["JOB"], sys.argv[2]])
    print(job.pid, flush=True)
else:
    time.sleep(1.5 if sys.argv[1] == "slow" else 0)
    end_with_snakemake()
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a child of its parent's end")
@pytest.mark.parametrize("start, reaper", [("quick", 0), ("slow", 0), ("slow", 1)])
def test_a_job_ends_with_its_snakemake_even_if_it_had_not_begun(start, reaper, request):
    """Also where orphans do not go to process 1, as in a session of systemd and in some containers."""
    adopt = partial(ctypes.CDLL(None).prctl, 36)  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
    request.addfinalizer(partial(adopt, 0))
    assert adopt(reaper) == 0
    command = [sys.executable, "-c", JOB, "snakemake", start]
    root = Path(parallel.__file__).parents[2]
    snakemake = subprocess.Popen(
        command, cwd=root, env=os.environ | {"JOB": JOB}, stdout=subprocess.PIPE, text=True
    )
    job = psutil.Process(int(snakemake.stdout.readline()))
    time.sleep(1)
    assert job.is_running()
    snakemake.kill()
    snakemake.wait()
    assert psutil.wait_procs([job], timeout=20)[1] == [], "the job lives on"
