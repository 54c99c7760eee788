"""GPUs of this machine: one for each job, whoever else computes here."""

import contextlib
import fcntl
import itertools
import logging
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)

_held: list[IO] = []  # locks live as long as the process, however it ends


def reserve_one_gpu(*, holders: int = 1) -> None:
    """Hold a GPU for this process and its children, before the first CUDA call; none without a driver.

    Snakemake counts GPUs (`--resources gpu=N`) but does not say which one a job may use. Under SLURM the
    scheduler decides; elsewhere the first device without a lock is taken.

    Args:
        holders: how many jobs may hold one GPU at a time; small networks leave most of a card idle.
    """
    if "SLURM_JOB_ID" not in os.environ:
        reserve_gpu(visible_gpus(), lock_folder=Path(tempfile.gettempdir()), holders=holders)


def visible_gpus() -> list[str]:
    """Identifiers of the GPUs that this process may choose from; none without a driver."""
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in chosen.split(",") if name]
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return []


def reserve_gpu(
    gpus: list[str], *, lock_folder: Path, holders: int = 1, poll_seconds: float = 1.0
) -> str | None:
    """Hold one of the GPUs until this process ends and hide the others from it; wait while all are held.

    With several holders a GPU, all GPUs get their first before any gets its second. The lock is the kernel's
    own (flock): a killed process leaves none behind.

    Returns:
        The GPU's identifier, now alone in CUDA_VISIBLE_DEVICES; None without GPUs.
    """
    waiting = False
    while gpus:
        for place, gpu in itertools.product(range(holders), gpus):
            name = f"gpu-{gpu}-{place}.lock" if place else f"gpu-{gpu}.lock"
            lock = _open_for_everyone(lock_folder / name)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            _held.append(lock)
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu
            return gpu
        if not waiting:
            logger.info("all of %d GPUs are held by other jobs; waiting", len(gpus))
            waiting = True
        time.sleep(poll_seconds)
    return None


def _open_for_everyone(path: Path) -> IO:
    """A file that may be another user's: to be locked it need only be read."""
    if not path.exists():
        with contextlib.suppress(PermissionError):  # another user was faster
            path.touch()
            path.chmod(0o644)
    return path.open()
