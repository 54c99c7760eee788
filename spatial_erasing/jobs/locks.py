"""Locks of the kernel (flock): one run at a time in a folder of results, one job at a time on a GPU.

Unlike Snakemake's lock they need no --unlock: a killed process leaves none behind.
"""

import contextlib
import fcntl
import itertools
import logging
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)

LOCK_FOLDER = Path("/tmp")  # the same for all jobs of a machine, whatever TMPDIR says

_held: list[IO] = []  # locks live as long as the process, however it ends


def _can_hold(lock: IO) -> bool:
    """Hold a file until this process ends; False where another process holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    _held.append(lock)
    return True


def hold_folder(folder: Path) -> None:
    """Keep other runs out of a folder until this process ends."""
    path = folder / ".snakemake/run.lock"
    path.parent.mkdir(exist_ok=True)
    lock = path.open("a+")
    if not _can_hold(lock):
        lock.seek(0)
        raise ValueError(
            f"another Snakemake runs in {folder}, {lock.read().strip()}. Two would write the same files: "
            f"wait until it ends, or run this study elsewhere with --directory."
        )
    lock.truncate(0)
    lock.write(f"on {socket.gethostname()}")
    lock.flush()


def require_writable(folder: Path) -> None:
    """Refuse a folder in which no result can be written, before the first job."""
    for place in (folder, folder / "results"):
        if place.exists() and not os.access(place, os.W_OK | os.X_OK):
            raise ValueError(
                f"{place} cannot be written to. Open it (chmod u+rwx), mount its disk for writing, or run "
                f"this study elsewhere with --directory."
            )


def visible_gpus() -> list[str]:
    """UUIDs of the GPUs that this process may choose from; none without a driver.

    CUDA_VISIBLE_DEVICES names a card by its index or its UUID. Two jobs with different indices may mean one
    card, so that an index is replaced by the UUID that nvidia-smi prints for it.
    """
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, PermissionError, subprocess.CalledProcessError):
        printed = ""
    uuids = dict(line.split(", ", 1) for line in printed.splitlines() if ", " in line)
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is None:
        return list(uuids.values())
    return [uuids.get(name.strip(), name.strip()) for name in chosen.split(",") if name.strip()]


def reserve_gpu(*, holders: int = 1, poll_seconds: float = 1.0) -> None:
    """Hold a GPU for this process and its children, before the first CUDA call; none without a driver.

    Snakemake counts GPUs (`--resources gpu=N`) but does not say which one a job may use. The first device
    without a lock is taken and stands alone in CUDA_VISIBLE_DEVICES; a job waits while all are held. With
    several holders a GPU, all GPUs get their first before any gets its second. Under SLURM as well: a batch
    job sees its own device alone, and jobs inside an allocation of several share them like on any machine.
    """
    gpus, waiting = visible_gpus(), False
    while gpus:
        for place, gpu in itertools.product(range(holders), gpus):
            name = f"gpu-{gpu}-{place}.lock" if place else f"gpu-{gpu}.lock"
            lock = _open_for_everyone(LOCK_FOLDER / name)
            if _can_hold(lock):
                os.environ["CUDA_VISIBLE_DEVICES"] = gpu
                return
            lock.close()
        if not waiting:
            logger.info("all of %d GPUs are held by other jobs; waiting", len(gpus))
            waiting = True
        time.sleep(poll_seconds)


def _open_for_everyone(path: Path) -> IO:
    """A file that may be another user's: to be locked it need only be read."""
    if not path.exists():
        with contextlib.suppress(PermissionError):  # another user was faster
            path.touch()
            path.chmod(0o644)
    return path.open()
