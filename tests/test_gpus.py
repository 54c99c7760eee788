import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from spatial_erasing.gpus import reserve_gpu, visible_gpus
from spatial_erasing.train.device import choose_device

HOLD = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from spatial_erasing.gpus import reserve_gpu
    print(reserve_gpu(["gpu-a", "gpu-b"], lock_folder=Path(sys.argv[1]), poll_seconds=0.05), flush=True)
    time.sleep(60)
""")


@pytest.fixture
def hold(tmp_path):
    holders = []

    def start():
        root = str(Path(__file__).parents[1])
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
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


def test_without_gpus_nothing_is_reserved(tmp_path):
    assert reserve_gpu([], lock_folder=tmp_path) is None


def test_the_environment_says_which_gpus_may_be_used(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert visible_gpus() == ["0", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_cpu_is_cpu():
    assert choose_device("cpu").type == "cpu"
