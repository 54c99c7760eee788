"""A batch of subjects, several at a time: who belongs to it, and one manifest row for each."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatial_erasing.ingest.records import EXCLUSION_HEADER, exclusion_line
from spatial_erasing.jobs.faults import fault_message
from spatial_erasing.jobs.locks import reserve_gpu
from spatial_erasing.jobs.parallel import map_in_processes, worker_count
from spatial_erasing.preprocess.settings import MEMORY_MB_PER_WORKER, NETWORKS, BrainSettings
from spatial_erasing.preprocess.subject import prepare_subject
from spatial_erasing.seeds import hash_fraction

logger = logging.getLogger(__name__)


def subjects_of_batch(
    scans: Iterable[Mapping[str, str]], *, reference: str, batch: int, batches: int
) -> list[list[Mapping[str, str]]]:
    """The found scans of each subject of a batch, that of the sequence of the brain mask first.

    A subject's batch follows from a hash of its name, so that an added subject moves no other.
    """
    by_subject: dict[str, list[Mapping[str, str]]] = {}
    ranked = sorted(
        scans, key=lambda scan: (scan["subject"], scan["sequence"] != reference, scan["sequence"])
    )
    for scan in ranked:
        place = int(hash_fraction("batch", scan["cohort"], scan["subject"]) * batches)
        if scan["status"] == "found" and place == batch:
            by_subject.setdefault(scan["subject"], []).append(scan)
    return list(by_subject.values())


def prepare_batch(
    subjects: list[list[Mapping[str, str]]],
    *,
    folder: Path,
    settings: BrainSettings,
    code: str,
    cores: int,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """The manifest rows of a batch, sorted by subject.

    Args:
        cores: as many workers, fewer where memory is short.
        device: where networks strip skulls; "auto" reserves a GPU, if there is one, for all workers together.

    Raises:
        RuntimeError: a fault of the machine kept subjects from being prepared; all others are, in `folder`.
    """
    if device == "auto":
        reserve_gpu()
    prepare = partial(_prepare_in, folder=folder, settings=settings, code=code, device=device)
    stripped_mb = [NETWORKS.get(scans[0]["skull_strip"], 0) for scans in subjects]
    workers = worker_count(cores, memory_mb_per_worker=max(stripped_mb, default=0) or MEMORY_MB_PER_WORKER)
    rows, faults = [], []
    for row in map_in_processes(
        prepare, subjects, workers=workers, name=_name, failed=lambda *fault: faults.append(fault)
    ):
        rows.append(row)
        logger.info(
            "%s: %s %s (%d of %d)", row["subject"], row["status"], row["reason"], len(rows), len(subjects)
        )
    if faults:
        named = sorted(((_name(scans), error) for scans, error in faults), key=lambda fault: fault[0])
        raise RuntimeError(f"{fault_message(named, of=len(subjects))}\n{_how_to_leave_out(faults)}")
    return sorted(rows, key=lambda row: row["subject"])


def _prepare_in(
    scans: list[Mapping[str, str]], *, folder: Path, settings: BrainSettings, code: str, device: str
) -> dict[str, Any]:
    folder = folder / scans[0]["subject"]
    return prepare_subject(scans, folder=folder, settings=settings, code=code, device=device)


def _name(scans: list[Mapping[str, str]]) -> str:
    return f"{scans[0]['subject']} ({scans[0]['path']})"


def _how_to_leave_out(faults: list[tuple[list[Mapping[str, str]], Exception]]) -> str:
    """The lines that let a study go on without subjects that no machine at hand can prepare."""
    lines = sorted(f"    {exclusion_line(scans[0], 'cannot be prepared')}" for scans, _ in faults)
    return "\n".join(
        [
            "To go on without one of them for good, write its line into the table that ingest.exclude in "
            "config.yaml names (docs/data.md, 'Leave subjects out'):",
            f"    {EXCLUSION_HEADER}",
            *lines,
        ]
    )
