"""The study on a real SLURM with two false GPUs: what a cluster does to a run, and what comes out of it."""

import re
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from slurm_node import SlurmNode, install

pytestmark = pytest.mark.long

TRAININGS = ["2d-patch-noise", "3d-cube-noise", "3d-none"]
FIRST_MB = 400  # too little for a training, twice as much is enough
PATIENCE_SECONDS = 1500


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    install()
    node = SlurmNode(tmp_path_factory.mktemp("slurm"))
    node.start()
    yield node
    node.stop()


def submit(slurm, copied, overlay, *targets):
    """Start Snakemake with the profile for SLURM; it asks squeue, since no accounting runs here."""
    (copied.workflow / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    command = [sys.executable, "-m", "snakemake", "--directory", str(copied.folder), *targets]
    command += ["--workflow-profile", "profiles/slurm", "--configfile", "tiny.yaml", "overlay.yaml"]
    command += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"]
    log = copied.folder / "printed.txt"
    return subprocess.Popen(
        command,
        cwd=copied.workflow,
        env=slurm.environment | {"PYTHONPATH": ""},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def is_training(job):
    return "rule_train_model" in job.get("Comment", "")


def devices(jobs):
    """Number of the GPU of every running job that has one."""
    numbers = (
        re.search(r"IDX:([\d,]+)", job.get("GRES", "")) for job in jobs if job["JobState"] == "RUNNING"
    )
    return [match[1] for match in numbers if match]


def watch(slurm, run, at_each_look):
    """Look at the queue until the run ends."""
    end = time.monotonic() + PATIENCE_SECONDS
    while run.poll() is None:
        assert time.monotonic() < end, "the run does not end"
        at_each_look(slurm.jobs())
        time.sleep(0.5)


@pytest.fixture(scope="module")
def finished(slurm, study, tmp_path_factory):
    """The tiny study from raw heads to report, with a controller that is away for a while in its middle.

    Every training starts with too little memory; three of them want two GPUs.
    """
    copied = study.copy(tmp_path_factory.mktemp("cluster"), results=False)
    replace(
        copied.workflow / "workflow/rules/train.smk",
        "mem_mb=growing(needs.training_mb)",
        f"mem_mb=growing({FIRST_MB})",
    )
    overlay = {"study": {"table_1_models": TRAININGS}, "train": {"device": "auto"}}
    run = submit(slurm, copied, overlay)
    looks, jobs, restarts = [], {}, []

    def look(found):
        looks.append(found)
        jobs.update({job["JobId"]: job for job in found})
        if not restarts and any(is_training(job) and job["JobState"] == "RUNNING" for job in found):
            slurm.stop(["slurmctld"])
            time.sleep(5)
            slurm.start_controller()
            restarts.append(time.monotonic())

    watch(slurm, run, look)
    printed = (copied.folder / "printed.txt").read_text()
    assert run.returncode == 0, printed
    trainings = [job for job in jobs.values() if is_training(job)]
    return SimpleNamespace(
        study=copied, printed=printed, looks=looks, trainings=trainings, restarts=restarts, overlay=overlay
    )


def test_two_trainings_run_on_two_devices_while_a_third_waits(finished):
    together = 0
    for jobs in finished.looks:
        held = devices(jobs)
        assert len(held) == len(set(held)), "two jobs on one GPU"
        states = [job["JobState"] for job in jobs if is_training(job)]
        together += set(held) == {"0", "1"} and states.count("RUNNING") == 2 and "PENDING" in states
    assert together > 0


def test_a_training_that_is_killed_for_memory_comes_back_with_more(finished):
    by_memory = {f"{FIRST_MB * attempt}M": [] for attempt in (1, 2, 3)}
    for job in finished.trainings:
        by_memory[job["MinMemoryNode"]].append(job)
    assert [job["JobState"] for job in by_memory["400M"]] == ["FAILED"] * 3
    assert {job["DerivedExitCode"] for job in by_memory["400M"]} == {"0:9"}  # SIGKILL
    completed = [job for job in finished.trainings if job["JobState"] == "COMPLETED"]
    assert len(completed) == 3 and "400M" not in {job["MinMemoryNode"] for job in completed}
    # and with more time
    assert {job["TimeLimit"] for job in by_memory["400M"]} == {"10:00:00"}
    assert {job["TimeLimit"] for job in by_memory["800M"]} == {"20:00:00"}


def test_a_controller_that_is_restarted_in_the_middle_loses_nothing(finished):
    assert len(finished.restarts) == 1
    assert (finished.study.folder / "report.html").stat().st_size > 1_000_000
    done = re.findall(r"^Finished jobid: (\d+)", finished.printed, re.MULTILINE)
    assert len(done) == len(set(done)), "a job was done twice"


def test_the_results_are_those_of_one_machine(finished, study):
    own = finished.study.results
    for model in TRAININGS[:2]:
        run = f"{model}/fraction-100/seed-1"
        ours = torch.load(own / f"train/{run}/weights.pt", weights_only=True)
        local = torch.load(study.results / f"train/{run}/weights.pt", weights_only=True)
        assert ours["network"] == local["network"]
        for name, weights in local["weights"].items():
            assert torch.equal(ours["weights"][name], weights), name
    compared = 0
    for local in study.results.glob("evaluate/*/*/*/*/*"):
        ours = own / local.relative_to(study.results)
        if local.suffix == ".npz":
            with np.load(ours) as mine, np.load(local) as theirs:
                assert all(mine[name].tobytes() == theirs[name].tobytes() for name in theirs)
        else:
            assert ours.read_bytes() == local.read_bytes()
        compared += 1
    assert compared == 10 * 4 + 8 * 3  # every run on every data set, and the diagnostics of eight of them


def test_a_second_run_has_nothing_to_do(slurm, finished):
    run = submit(slurm, finished.study, finished.overlay, "--dry-run")
    assert run.wait(300) == 0
    assert "Nothing to be done" in (finished.study.folder / "printed.txt").read_text()


def test_a_training_over_its_time_comes_back_and_goes_on_where_it_was(slurm, study, tmp_path):
    copied = study.copy(tmp_path)
    replace(copied.workflow / "workflow/rules/train.smk", "growing(needs.training_minutes)", "growing(1)")
    # so that a minute is too short, and two are enough for what is left
    replace(
        copied.workflow / "spatial_erasing/train/checkpoint.py",
        "        with replaced_when_complete(path) as unfinished:\n",
        "        import time; time.sleep(5)\n        with replaced_when_complete(path) as unfinished:\n",
    )
    replace(
        copied.workflow / "spatial_erasing/train/engine.py",
        "CHECKPOINT_SECONDS = 60",
        "CHECKPOINT_SECONDS = 0",
    )
    steps = {"maximum_steps": {"2d": 60, "3d": 60}, "validate_every_steps": 3}
    overlay = {"train": {"device": "auto", "optimisation": steps}}
    target = "results/train/3d-cube-noise/fraction-100/seed-1/weights.pt"
    run = submit(slurm, copied, overlay, target)
    jobs = {}
    watch(slurm, run, lambda found: jobs.update({job["JobId"]: job for job in found}))
    assert run.returncode == 0, (copied.folder / "printed.txt").read_text()

    trainings = [job for job in jobs.values() if job.get("WorkDir") == str(copied.folder)]
    assert [job["JobState"] for job in trainings] == ["TIMEOUT", "COMPLETED"]
    log = (copied.results / "logs/train_model/3d-cube-noise-100-1.log").read_text()
    assert 0 < int(re.search(r"resuming at step (\d+)", log)[1]) < 60

    # what came out is what an undisturbed training gives; only the fingerprint of the patched code differs
    local = study.copy(tmp_path / "local")
    (local.workflow / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    local.run("--configfile", "tiny.yaml", "overlay.yaml", "--", target)
    ours, theirs = (torch.load(run.folder / target, weights_only=True) for run in (copied, local))
    assert ours["network"] == theirs["network"] and ours["weights"].keys() == theirs["weights"].keys()
    assert all(torch.equal(ours["weights"][name], theirs["weights"][name]) for name in ours["weights"])
