"""A batch that is killed by SIGKILL at any moment ends, when started again, like one that was not."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
from analytic_head import TINY_SETTINGS, tiny_subject

from spatial_erasing.preprocess.batch import prepare_batch

ROOT = Path(__file__).parents[2]
CODE = """
import json, sys, time
from pathlib import Path
from spatial_erasing.preprocess import batch, subject
from spatial_erasing.preprocess.settings import BrainSettings
rows, settings, folder = json.loads(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
prepare = subject.prepare_brain
def slowly(*arguments, **options):
    time.sleep(0.1)  # so that a kill falls into the work and not between it
    return prepare(*arguments, **options)
subject.prepare_brain = slowly
print("ready", flush=True)
settings = BrainSettings(**settings)
batch.prepare_batch([[row] for row in rows], folder=folder, settings=settings, code="c", cores=2)
"""


def started(rows, folder):
    arguments = [json.dumps(rows), json.dumps(asdict(TINY_SETTINGS)), str(folder)]
    command = [sys.executable, "-c", CODE, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("seed", range(4))
def test_kills_at_random_moments_lose_nothing_that_was_finished(tmp_path, seed):
    rows = [tiny_subject(tmp_path / "raw" / f"s{number}") for number in range(8)]
    settings = TINY_SETTINGS
    prepare_batch([[row] for row in rows], folder=tmp_path / "whole", settings=settings, code="c", cores=1)
    moments, killed = random.Random(seed), tmp_path / "killed"
    for _ in range(3):
        process = started(rows, killed)
        time.sleep(moments.uniform(0.02, 0.5))
        workers = psutil.Process(process.pid).children(recursive=True)
        finished = {path.parent.name: path.stat().st_mtime_ns for path in killed.glob("s*/record.json")}
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not psutil.wait_procs(workers, timeout=5)[1], "a worker outlived its run"
        for name, time_ns in finished.items():
            assert (killed / name / "record.json").stat().st_mtime_ns == time_ns
    assert started(rows, killed).wait() == 0
    assert contents(killed) == contents(tmp_path / "whole")
