"""What rules ask for, against what the jobs of a finished run have taken."""

import subprocess
import sys
from pathlib import Path

from spatial_erasing.cohorts import read_rows

ROOT = Path(__file__).parents[2]


def compared(study):
    """Exit status and rows of benchmarks/resources.py."""
    command = [sys.executable, "benchmarks/resources.py", "--directory", str(study.folder)]
    command += ["--configfile", str(study.workflow / "tiny.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    cells = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    return done.returncode, {row[0]: row[1:] for row in cells}


def test_every_rule_asks_for_what_its_jobs_have_taken(study):
    status, rows = compared(study)
    assert status == 0
    assert {"prepare_brains", "train_model", "evaluate_dataset", "write_report"} < rows.keys()
    trained = [read_rows(path) for path in (study.results / "benchmarks/train_model").glob("*.tsv")]
    assert len(trained) == 2 and float(rows["train_model"][0].replace(",", "")) > 100


def test_a_job_that_took_more_than_was_asked_for_is_named(changed):
    path = next((changed.results / "benchmarks/train_model").glob("*.tsv"))
    header, numbers = path.read_text().splitlines()
    columns, cells = header.split("\t"), numbers.split("\t")
    for name in ("max_pss", "max_rss"):
        cells[columns.index(name)] = "900000.00"
    path.write_text("\t".join(columns) + "\n" + "\t".join(cells) + "\n")
    status, rows = compared(changed)
    assert (
        status == 1
        and rows["train_model"][0] == "900,000"
        and rows["train_model"][-1].startswith("too little")
    )
    assert not rows["evaluate_dataset"][-1].startswith("too little")
