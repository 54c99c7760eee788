"""Cost of orchestration: the real rules with empty scans and empty scripts.

    python benchmarks/scale.py [--subjects 2647] [--cores 8]

A copy of the workflow is made in a temporary folder, with config.yaml as it is but for batches and sizes of
splits. Of the subjects, 335 are BraTS cases and 304 ATLAS subjects in their folders, the others healthy ones
in a table, 50 to a batch; every scan is an empty file. Each script is replaced by one that makes its outputs,
prepare_brains by one that makes a folder and a row for each subject of its batch. Seconds are of the clock,
those of the run hold a start of Python for every job; memory is the main process's peak. Prints Markdown.
"""

import argparse
import csv
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from spatial_erasing_phantoms.layouts import layout

ROOT = Path(__file__).resolve().parents[1]

BRATS, ATLAS, SUBJECTS_OF_A_BATCH = 335, 304, 50
EMPTY_SCRIPT = """\
from pathlib import Path
for path in snakemake.output:
    Path(path).touch()
"""
LIST_SCANS = """\
import csv, os
from pathlib import Path
names = os.environ["SCALE_SUBJECTS"].split(";")
first, last = map(int, dict(name.split("=") for name in names)[snakemake.wildcards.cohort].split("-"))
with open(snakemake.output.scans, "w", newline="") as stream:
    rows = csv.writer(stream)
    rows.writerow(["cohort", "subject", "sequence", "status"])
    for number in range(first, last):
        rows.writerow([snakemake.wildcards.cohort, f"s{number:05d}", "t1", "found"])
Path(snakemake.output.source).write_text(snakemake.params.source)
"""
PREPARE_BRAINS = """\
import csv
from pathlib import Path
from spatial_erasing.seeds import hash_fraction
output, cohort = Path(snakemake.output[0]), snakemake.wildcards.cohort
with open(snakemake.input[0], newline="") as stream:
    subjects = [row["subject"] for row in csv.DictReader(stream)]
places = [int(hash_fraction("batch", cohort, name) * snakemake.params.batches) for name in subjects]
mine = [name for name, place in zip(subjects, places) if place == int(snakemake.wildcards.batch)]
for name in mine:
    folder = output.parent / "subjects" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").touch()
output.write_text("\\n".join(["subject", *mine]))
"""


def make_workflow(folder: Path) -> None:
    """The workflow with scripts that compute nothing."""
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("workflow", "spatial_erasing", "spatial_erasing_phantoms", "envs", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    special = {"list_scans": LIST_SCANS, "prepare_brains": PREPARE_BRAINS}
    for script in (folder / "workflow/scripts").glob("*.py"):
        script.write_text(special.get(script.stem, EMPTY_SCRIPT))


def make_data(folder: Path, healthy: int) -> None:
    """Empty scans in the layouts of the data sets."""
    data = folder / "data"
    for kind, count, place in (
        ("healthy", healthy, "healthy"),
        ("brats", BRATS, "MICCAI_BraTS_2019_Data_Training"),
        ("atlas", ATLAS, "ATLAS"),
    ):
        for number in range(count):
            files = layout(kind, number)
            for path in (*files.scans.values(), *([files.lesion] if files.lesion else [])):
                (data / place / path).parent.mkdir(parents=True, exist_ok=True)
                (data / place / path).touch()
    with (data / "healthy.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["subject", "scanner", "t1"])
        for number in range(healthy):
            files = layout("healthy", number)
            rows.writerow([files.subject, f"scanner-{number % 4}", f"healthy/{files.scans['t1']}"])


def overlay_of(healthy: int) -> dict:
    """Overlay with batches and sizes for this number of healthy subjects."""
    return {
        "ingest": {"cohorts": {"healthy": {"batches": -(-healthy // SUBJECTS_OF_A_BATCH)}}},
        "split": {"sizes": {"healthy": {"training": 0.9, "validation": 0.1}}},
    }


def snakemake(folder: Path, healthy: int, *arguments: str) -> tuple[float, str]:
    """Seconds of a Snakemake run, and its output."""
    subjects = f"healthy=0-{healthy};brats=0-{BRATS};atlas=0-{ATLAS}"
    command = [sys.executable, "-m", "snakemake", "--configfile", "overlay.yaml", *arguments]
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": "", "SCALE_SUBJECTS": subjects},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.monotonic() - started, done.stdout + done.stderr


def main(subjects: int, cores: int) -> None:
    """Plan, run and plan again, and print the time of each."""
    healthy = subjects - BRATS - ATLAS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_workflow(folder)
        make_data(folder, healthy)
        (folder / "overlay.yaml").write_text(yaml.safe_dump(overlay_of(healthy)))
        planned, printed = snakemake(folder, healthy, "--dry-run")
        jobs = int(re.search(r"^total\s+(\d+)", printed, re.MULTILINE)[1])
        run, _ = snakemake(folder, healthy, "--cores", str(cores))
        again, printed = snakemake(folder, healthy, "--dry-run")
        assert "Nothing to be done" in printed, printed
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print("| subjects | jobs | dry run, s | run with empty scripts, s | dry run when finished, s | peak MB |")
    print("| --: | --: | --: | --: | --: | --: |")
    print(f"| {subjects:,} | {jobs} | {planned:.1f} | {run:.1f} | {again:.1f} | {peak_mb:.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--subjects", type=int, default=2647)
    parser.add_argument("--cores", type=int, default=8)
    main(**vars(parser.parse_args()))
