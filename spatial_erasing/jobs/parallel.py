"""Work over many items in processes, sized by the cores asked for and by the memory that is free."""

import ctypes
import logging
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from spatial_erasing.jobs.faults import fault_message, lacks_memory
from spatial_erasing.jobs.provenance import ROOT

logger = logging.getLogger(__name__)
PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl
SNAKEMAKE_PROCESS = "SPATIAL_ERASING_SNAKEMAKE_PROCESS"  # its number, for the jobs that it starts
PROC, CONTROL_GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# controller as /proc/self/cgroup names it, none in version 2: folder, limit, use, cache within the use
GROUP_FILES = {
    "": ("", "memory.max", "memory.current", "inactive_file"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
ATTEMPTS_ALONE = 3
Item = TypeVar("Item")
Result = TypeVar("Result")


def memory_limit_mb() -> int | None:
    """Memory that all jobs here may take together: the machine's, or this process's limit."""
    groups = [limit for limit, _ in _control_groups_mb()]
    try:
        return int(min([_machine_mb("MemTotal"), *_process_limits_mb(), *groups]))
    except FileNotFoundError:  # no /proc here
        return None


def available_memory_mb() -> float:
    """Memory that new processes may take: what is free on the machine, or less under a limit."""
    free = [limit - used for limit, used in _control_groups_mb()]
    return min([_machine_mb("MemAvailable"), *_process_limits_mb(), *free])


def _machine_mb(name: str) -> float:
    """A line of /proc/meminfo."""
    lines = (PROC / "meminfo").read_text().splitlines()
    return int(dict(line.split(":") for line in lines)[name].split()[0]) / 1024


def _process_limits_mb() -> Iterator[float]:
    """What `ulimit -v` allows, and what SLURM gave to this job."""
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        yield address_space / 2**20
    if allocated_mb := int(os.environ.get("SLURM_MEM_PER_NODE", "0")):  # 0 is the whole node
        yield allocated_mb


def _control_groups_mb() -> Iterator[tuple[float, float]]:
    """Limit and use of this process's control group and of each around it, in either version of the kernel's.

    Cached files that the kernel can drop are not counted as used.
    """
    groups = PROC / "self/cgroup"
    for line in groups.read_text().splitlines() if groups.exists() else ():
        _, controller, name = line.split(":", 2)
        if controller not in GROUP_FILES:
            continue
        root, limit_file, used_file, cache = GROUP_FILES[controller]
        parts = Path(name).parts[1:]
        for depth in range(len(parts) + 1):
            group = CONTROL_GROUPS.joinpath(root, *parts[:depth])
            limit, used = group / limit_file, group / used_file
            if limit.exists() and used.exists() and (text := limit.read_text().strip()) != "max":
                statistics = (group / "memory.stat").read_text()
                dropped = re.findall(rf"^{cache} (\d+)$", statistics, re.MULTILINE)
                yield int(text) / 2**20, (int(used.read_text()) - int(dropped[0])) / 2**20


def worker_count(cores: int, *, memory_mb_per_worker: float) -> int:
    """As many workers as cores, fewer where memory is short, at least one."""
    try:
        fitting = int(available_memory_mb() // memory_mb_per_worker)
    except (OSError, KeyError, ValueError):  # no /proc here: trust the cores
        fitting = cores
    return max(1, min(cores, fitting))


def map_in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    name: Callable[[Item], str] = repr,
    failed: Callable[[Item, BaseException], None] | None = None,
) -> Iterator[Result]:
    """Results of `function` over `items`, in the order in which they are ready.

    An item that fails costs no other its result. A worker that is killed (by the system when memory runs
    out, say) takes the items in work with it; they are tried again, each alone and up to `ATTEMPTS_ALONE`
    times, and so is once an item that ran out of memory beside others.

    Args:
        workers: processes; each computes with one thread.
        failed: told of each item that failed, with its error (BrokenProcessPool if its worker was killed each
            time), after all others are done; without it, a RuntimeError names them with their reasons.
    """
    faults: list[tuple[Item, BaseException]] = []
    for item, future in _outcomes(function, items, workers=workers):
        if (error := future.exception()) is None:
            yield future.result()
        else:
            faults.append((item, error))
    for item, error in faults:
        logger.error("%s failed", name(item), exc_info=error)
        if failed is not None:
            failed(item, error)
    if faults and failed is None:
        message = fault_message([(name(item), error) for item, error in faults], of=len(items))
        raise RuntimeError(message) from faults[0][1]


def _outcomes(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int
) -> Iterator[tuple[Item, Future[Result]]]:
    """Each item with its result or its last error."""
    left, futures = dict(enumerate(items)), {}
    with _processes(min(workers, max(len(left), 1))) as pool:
        with suppress(BrokenProcessPool):  # a worker may be killed before all items are handed out
            for place, item in left.items():
                futures[pool.submit(function, item)] = place
        for future in as_completed(futures):
            error = future.exception()
            if not (isinstance(error, BrokenProcessPool) or (error and lacks_memory(error))):
                yield left.pop(futures[future]), future
    if left:
        logger.warning("memory ran out or a worker was killed; %d items are tried again alone", len(left))
    for item in left.values():
        for _ in range(ATTEMPTS_ALONE):
            with _processes(1) as pool:
                future = pool.submit(function, item)
            if not isinstance(future.exception(), BrokenProcessPool):
                break
        yield item, future


def lead_jobs() -> None:
    """Tell the jobs that this process starts who started them, and which library to import: its own.

    Snakemake puts the folder of its Snakefile first on its own path, but last on the path of a script, behind
    a library that is installed from elsewhere: a job would run other code than its fingerprint names. On a
    cluster the Snakemake of each job does this again; a conda environment hides it, but has no other library.
    """
    os.environ[SNAKEMAKE_PROCESS] = str(os.getpid())
    others = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *others])


def end_with_snakemake() -> None:
    """End this job when the Snakemake that started it ends, even by SIGKILL, and at once if it has already.

    A job that lived on would write into the files of the next run.
    """
    _die_with(os.getppid())
    snakemake = int(os.environ.get(SNAKEMAKE_PROCESS, "0"))
    # it may have ended while this job was importing; not every system gives orphans to process 1
    if snakemake and (os.getppid() == 1 != snakemake or _has_ended(snakemake)):
        sys.exit(f"the Snakemake that started this job, process {snakemake}, has ended")


def _has_ended(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:  # without permission, it is someone else's
        return isinstance(error, ProcessLookupError)
    return False


def _processes(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers, mp_context=get_context("fork"), initializer=_begin_worker, initargs=(os.getpid(),)
    )


def _begin_worker(parent: int) -> None:
    """One thread a worker: several workers with a thread each beat one worker with several."""
    _die_with(parent)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        os.environ[variable] = "1"
    # Where the parent has computed with torch already, its thread pool did not survive the fork, and a
    # child that asked for a second thread would wait for it for ever.
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def _die_with(parent: int) -> None:
    """End this process when its parent does, even by SIGKILL.

    A worker that lived on would wait for work for ever, and write into the files of the next run.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it was faster
            os.kill(os.getpid(), signal.SIGKILL)
