"""Faults caused on purpose: what is said, and that the same command goes on once they are mended."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = "2d-patch-noise/fraction-100/seed-1"
METRICS = f"results/evaluate/{RUN}/brats-t1/metrics.csv"


def test_a_second_snakemake_in_a_folder_is_refused_and_may_look(changed):
    lock = (changed.folder / ".snakemake/run.lock").open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    printed = changed.run("--forcerun", "collect_splits", check=False)
    assert f"another Snakemake runs in {changed.folder}" in printed and "Finished jobid" not in printed
    assert changed.planned("--forcerun", "collect_splits")["collect_splits"] == 1
    lock.close()
    changed.run("--forcerun", "collect_splits", "--", "results/split/splits.csv")


@pytest.mark.long  # needs root
def test_a_folder_on_a_disk_that_is_mounted_to_be_read_is_refused_before_the_first_job(changed):
    results = changed.results
    mount = f"mount --bind '{results}' '{results}' && mount -o remount,bind,ro '{results}'"
    status, printed = changed.run_after(mount, "--forcerun", "evaluate_dataset", "--", METRICS)
    assert status != 0
    assert f"{results} cannot be written to" in printed and "Finished jobid" not in printed
    changed.run("--forcerun", "evaluate_dataset", "--", METRICS)


@pytest.mark.long  # needs root
def test_a_full_disk_fails_the_job_by_name_and_the_same_command_goes_on(changed, study):
    folder = changed.results / f"score/{RUN}"
    mount = f"mount -t tmpfs -o size=16k tmpfs '{folder}'"
    again = ["--forcerun", "reconstruct_scans", "--", METRICS]
    status, printed = changed.run_after(mount, *again)
    assert status != 0
    assert "No space left on device" in printed and "Error in rule reconstruct_scans" in printed
    assert "run the same command again" in printed
    changed.run(*again)
    for name in ("metrics.csv", "subjects.csv"):
        path = Path(METRICS).with_name(name)
        assert (changed.folder / path).read_bytes() == (study.folder / path).read_bytes()
    assert not list(changed.results.rglob(".unfinished*"))


@pytest.mark.long
def test_the_command_of_the_readme_ends_well_with_8_gb_and_as_without_a_limit(study, tmp_path):
    limited = study.copy(tmp_path, results=False)
    table = "results/report/tables/table_1.csv"
    many = ["--cores", "8", "--resources", "gpu=1"]
    status, printed = limited.run_after(f"ulimit -v {8 * 2**20}", *many, "--", table)
    assert status == 0, printed
    assert (limited.folder / table).read_bytes() == (study.folder / table).read_bytes()


def test_a_run_that_is_moved_half_done_goes_on_and_does_nothing_twice(changed, tmp_path):
    """To another path, workflow and all, as by rsync to another machine."""
    shutil.rmtree(changed.results / "evaluate")
    shutil.rmtree(changed.results / "report")
    (changed.folder / "report.html").unlink()
    moved = changed.copy(tmp_path / "elsewhere")
    shutil.rmtree(changed.workflow)
    shutil.rmtree(changed.folder)
    planned = moved.planned()
    assert not {"make_phantoms", "list_scans", "prepare_brains", "stack_cohort", "train_model"} & set(planned)
    assert planned["evaluate_dataset"] == 10
    moved.run("--", METRICS)


def test_every_table_and_figure_comes_from_the_evaluation_alone(study, tmp_path):
    """In a clean checkout, with no data and no weights; the command of README.md."""
    command = ["--snakefile", "tables_and_figures.smk"]
    assert " ".join(command) in (ROOT / "README.md").read_text()
    clean = type(study)(study.workflow, tmp_path)
    shutil.copytree(study.results / "evaluate", clean.results / "evaluate")
    clean.run(*command)
    about_the_run = {study.results / "report" / name for name in ("provenance.html", "tables/costs.md")}
    made = [path for path in (study.results / "report").rglob("*") if path.is_file()]
    for path in set(made) - about_the_run - {study.results / "report/front.html"}:  # which bears the date
        again = clean.results / path.relative_to(study.results)
        assert again.read_bytes() == path.read_bytes(), path
    assert (clean.results / "report/front.html").exists()


@pytest.mark.long
def test_ten_kills_at_random_moments_change_no_byte():
    command = [sys.executable, "benchmarks/kills.py", "--kills", "10"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 kills" in done.stdout and "0 files differ" in done.stdout
