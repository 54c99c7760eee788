"""One run at a time in a folder of results, and only where it may write."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

_held: list[IO] = []  # the lock lives as long as the process, however it ends


def hold_folder(folder: Path) -> None:
    """Keep other runs out of a folder until this process ends.

    The lock is the kernel's own (flock): unlike Snakemake's it needs no --unlock after a kill or a power cut.

    Raises:
        ValueError: another run has the folder.
    """
    path = folder / ".snakemake/run.lock"
    path.parent.mkdir(exist_ok=True)
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise ValueError(
            f"another Snakemake runs in {folder}, {lock.read().strip()}. Two would write the same files: "
            f"wait until it ends, or run this study elsewhere with --directory."
        ) from None
    lock.truncate(0)
    lock.write(f"on {socket.gethostname()}")
    lock.flush()
    _held.append(lock)


def require_writable(folder: Path) -> None:
    """Refuse a folder in which no result can be written, before the first job.

    Raises:
        ValueError: the folder, or one of its results, is closed or on a disk that is mounted to be read.
    """
    for place in (folder, folder / "results"):
        if place.exists() and not os.access(place, os.W_OK | os.X_OK):
            raise ValueError(
                f"{place} cannot be written to. Open it (chmod u+rwx), mount its disk for writing, or run "
                f"this study elsewhere with --directory."
            )
