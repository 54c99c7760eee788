import fcntl
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from unprivileged import as_nobody, folder_for_everyone

from spatial_erasing.jobs import locks
from spatial_erasing.jobs.locks import reserve_gpu, visible_gpus
from spatial_erasing.train.device import choose_device

HOLD = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    from spatial_erasing.jobs import locks
    locks.LOCK_FOLDER = Path(sys.argv[1])
    locks.reserve_gpu(poll_seconds=0.05)
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    time.sleep(60)
""")


@pytest.fixture
def hold(tmp_path):
    holders = []

    def start():
        root = str(Path(__file__).parents[2])
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        chosen = os.environ | {"CUDA_VISIBLE_DEVICES": "gpu-a,gpu-b"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env=chosen)
        holders.append(process)
        return process

    yield start
    for process in holders:
        process.kill()
        process.wait()


def test_two_jobs_hold_two_devices_and_a_third_waits_for_the_first_to_be_killed(hold):
    first, second = hold(), hold()
    assert {first.stdout.readline().strip(), second.stdout.readline().strip()} == {"gpu-a", "gpu-b"}
    third = hold()
    time.sleep(3)
    first.kill()
    freed = third.stdout.readline().strip()
    assert freed in {"gpu-a", "gpu-b"}
    assert first.wait() != 0 and second.poll() is None


def reserved(*chosen, **options):
    """The device that is reserved among these."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(chosen)
    reserve_gpu(**options)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_the_lock_of_another_user_is_respected_and_used_once_it_is_free(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with folder_for_everyone() as folder:
        monkeypatch.setattr(locks, "LOCK_FOLDER", folder)
        held = (folder / "gpu-a.lock").open("w")  # this user's, as are both files
        (folder / "gpu-b.lock").touch(0o644)
        fcntl.flock(held, fcntl.LOCK_EX)
        assert as_nobody(reserved, "a", "b") == "b"
        held.close()
        assert as_nobody(reserved, "a", "b") == "a"


def test_without_gpus_nothing_is_reserved(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(locks, "LOCK_FOLDER", tmp_path)
    assert reserved() == "" and not list(tmp_path.iterdir())


@pytest.fixture
def two_cards(tmp_path, monkeypatch):
    """A machine on which nvidia-smi prints two cards."""
    command = tmp_path / "bin/nvidia-smi"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\nprintf '0, GPU-a\\n1, GPU-b\\n'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")


@pytest.mark.parametrize("chosen", ["1", " 1", "GPU-b"])
def test_a_card_has_one_name_whether_its_index_or_its_uuid_is_given(two_cards, monkeypatch, chosen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert visible_gpus() == ["GPU-b"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == ["GPU-a", "GPU-b"]


def test_the_jobs_inside_an_allocation_of_two_cards_share_them_out(two_cards, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "LOCK_FOLDER", tmp_path)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for card in ("GPU-a", "GPU-b"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        reserve_gpu()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == card


def test_the_environment_says_which_gpus_may_be_used(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert visible_gpus() == ["0", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_cpu_is_cpu():
    assert choose_device("cpu").type == "cpu"


def test_with_two_holders_a_device_every_device_gets_its_first_before_any_gets_its_second(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(locks, "LOCK_FOLDER", tmp_path)
    held = [reserved("a", "b", holders=2) for _ in range(4)]
    assert held == ["a", "b", "a", "b"]


def test_a_folder_in_path_that_may_not_be_entered_ends_no_search(monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied", "nvidia-smi")

    monkeypatch.setattr(locks.subprocess, "run", refused)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a")
    assert visible_gpus() == ["GPU-a"]


def test_a_fault_of_the_machine_is_no_machine_without_gpus(monkeypatch):
    def fails(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(locks.subprocess, "run", fails)
    with pytest.raises(OSError, match="Cannot allocate memory"):
        visible_gpus()
