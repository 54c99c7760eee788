"""A batch of subjects, several at a time: who belongs to it, and one manifest row for each."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from spatial_erasing.gpus import reserve_one_gpu
from spatial_erasing.parallel import map_in_processes, worker_count
from spatial_erasing.preprocess.settings import MEMORY_MB_PER_WORKER, NETWORKS, BrainSettings
from spatial_erasing.preprocess.subject import failed_row, prepare_subject
from spatial_erasing.seeds import hash_fraction

logger = logging.getLogger(__name__)


def subjects_of_batch(
    scans: Iterable[Mapping[str, str]], *, batch: int, batches: int
) -> list[list[Mapping[str, str]]]:
    """The found scans of each subject of a batch, T1 first.

    A subject's batch follows from a hash of its name, so that an added subject moves no other.
    """
    by_subject: dict[str, list[Mapping[str, str]]] = {}
    for scan in scans:
        place = int(hash_fraction("batch", scan["cohort"], scan["subject"]) * batches)
        if scan["status"] == "found" and place == batch:
            by_subject.setdefault(scan["subject"], []).append(scan)
    return [sorted(group, key=lambda scan: scan["sequence"]) for _, group in sorted(by_subject.items())]


def prepare_batch(
    subjects: list[list[Mapping[str, str]]],
    *,
    folder: Path,
    settings: BrainSettings,
    code: str,
    cores: int,
    device: str = "cpu",
) -> list[dict[str, object]]:
    """The manifest rows of a batch, sorted by subject.

    Args:
        subjects: the scans of each.
        folder: holds one folder a subject.
        settings: how brains are prepared.
        code: fingerprint of the code that prepares them.
        cores: as many workers, fewer where memory is short.
        device: where networks strip skulls; "auto" reserves a GPU, if there is one, for all workers together.
    """
    if device == "auto":
        reserve_one_gpu()
    prepare = partial(_prepare_in, folder=folder, settings=settings, code=code, device=device)
    stripped_mb = [NETWORKS.get(scans[0]["skull_strip"], 0) for scans in subjects]
    workers = worker_count(cores, memory_mb_per_worker=max(stripped_mb, default=0) or MEMORY_MB_PER_WORKER)
    rows = []
    for row in map_in_processes(prepare, subjects, workers=workers, killed=_killed_row):
        rows.append(row)
        logger.info(
            "%s: %s %s (%d of %d)", row["subject"], row["status"], row["reason"], len(rows), len(subjects)
        )
    return sorted(rows, key=lambda row: row["subject"])


def _prepare_in(
    scans: list[Mapping[str, str]], *, folder: Path, settings: BrainSettings, code: str, device: str
) -> dict[str, object]:
    folder = folder / scans[0]["subject"]
    return prepare_subject(scans, folder=folder, settings=settings, code=code, device=device)


def _killed_row(scans: list[Mapping[str, str]]) -> dict[str, object]:
    """The row of a subject that takes its process down with it."""
    return failed_row(
        scans[0],
        f"{scans[0]['path']}: the process that prepared it was killed each time, though it worked alone. The "
        f"system kills what takes too much memory: free some and run again with --forcerun prepare_brains, "
        f"which keeps what is done, or leave out this subject.",
    )
