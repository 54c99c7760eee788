import re
import subprocess
import sys
from pathlib import Path

from spatial_erasing.jobs.logs import keep_earlier

ROOT = Path(__file__).parents[2]


def start(path, code):
    """A job that writes its log."""
    lines = f"import logging\nfrom spatial_erasing.jobs.logs import log_to\nlog_to({str(path)!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_second_start_of_a_job_leaves_what_the_first_has_written(tmp_path):
    path = tmp_path / "train.log"
    assert start(path, "logging.info('step %d', 250)\nraise ValueError('kill')").returncode == 1
    path.unlink()  # as Snakemake does before it starts a job
    assert start(path, "print('going on at step 250')").returncode == 0

    first, second = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d the job starts$)", path.read_text())[1:]
    assert "step 250\n" in first and "ValueError: kill" in first
    assert second.splitlines()[1:] == ["going on at step 250"]


def test_a_copied_log_goes_on_as_one_file(tmp_path):
    """What a copy without hard links leaves: two files of the same content."""
    path, kept = tmp_path / "train.log", tmp_path / ".train.log"
    for copied in (path, kept):
        copied.write_text("earlier\n")
    keep_earlier(path)
    assert path.samefile(kept) and path.read_text() == "earlier\n"


def test_without_hard_links_there_is_still_a_log(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    keep_earlier(tmp_path / "train.log")
    assert (tmp_path / "train.log").read_text() == ""
