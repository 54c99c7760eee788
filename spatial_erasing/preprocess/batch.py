"""A batch of subjects, several at a time: who belongs to it, and one manifest row for each."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from spatial_erasing.parallel import map_in_processes, worker_count
from spatial_erasing.preprocess.chain import BrainSettings
from spatial_erasing.preprocess.subject import prepare_subject
from spatial_erasing.seeds import hash_fraction

logger = logging.getLogger(__name__)

MEMORY_MB_PER_WORKER = 3000  # deepbet's network at 256³ is the peak


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
) -> list[dict[str, object]]:
    """The manifest rows of a batch, sorted by subject.

    Args:
        subjects: the scans of each.
        folder: holds one folder a subject.
        settings: how brains are prepared.
        code: fingerprint of the code that prepares them.
        cores: as many workers, fewer where memory is short.
    """
    prepare = partial(_prepare_in, folder=folder, settings=settings, code=code)
    workers = worker_count(cores, memory_mb_per_worker=MEMORY_MB_PER_WORKER)
    rows = []
    for row in map_in_processes(prepare, subjects, workers=workers):
        rows.append(row)
        logger.info(
            "%s: %s %s (%d of %d)", row["subject"], row["status"], row["reason"], len(rows), len(subjects)
        )
    return sorted(rows, key=lambda row: row["subject"])


def _prepare_in(
    scans: list[Mapping[str, str]], *, folder: Path, settings: BrainSettings, code: str
) -> dict[str, object]:
    return prepare_subject(scans, folder=folder / scans[0]["subject"], settings=settings, code=code)
