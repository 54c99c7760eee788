"""The log of a job: everything it prints, with the time, in the file that the rule names."""

import logging
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from spatial_erasing.jobs.parallel import end_with_snakemake


def log_to(path: str) -> None:
    """Send log messages, standard output and tracebacks of this process to the file at `path`.

    A rule's `script:` does not write to its `log:` by itself; with this at its head, a failed job shows its
    traceback and a long one its progress. What earlier starts of the job have written stays: each start
    begins with a line that holds its date. The job ends with the Snakemake that started it.
    """
    end_with_snakemake()
    keep_earlier(Path(path))
    stream = open(path, "a", buffering=1, encoding="utf-8")  # noqa: PTH123
    stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} the job starts\n")
    sys.stdout = sys.stderr = stream
    logging.basicConfig(
        stream=stream, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    logging.captureWarnings(capture=True)


def keep_earlier(path: Path) -> None:
    """Give a log a second, hidden name: Snakemake deletes the first one when it starts the job again."""
    kept = path.with_name(f".{path.name}")
    with suppress(OSError):  # a file system without hard links: the log of this start alone
        if kept.exists():
            path.unlink(missing_ok=True)
            os.link(kept, path)
        else:
            path.touch()
            os.link(path, kept)
