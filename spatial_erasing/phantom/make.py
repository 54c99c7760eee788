"""A whole cohort of phantoms, several at a time, going on where a kill left off."""

import json
import logging
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

from spatial_erasing.parallel import map_in_processes, worker_count
from spatial_erasing.phantom.cohort import PhantomSettings, finish_cohort, make_subject

logger = logging.getLogger(__name__)

MEMORY_MB_PER_WORKER = 1500


def make_cohort(
    kind: str, folder: Path, *, subjects: int, seed: int, settings: PhantomSettings, cores: int
) -> list[dict]:
    """Write all subjects of a synthetic cohort and return their rows, in order.

    A subject that was finished by an earlier start with the same settings is kept.
    """
    made_from = sha256(f"{kind} {seed} {settings}".encode()).hexdigest()[:12]
    records = folder / "truth" / f"records-{made_from}"
    records.mkdir(parents=True, exist_ok=True)
    make = partial(_make_recorded, kind=kind, folder=folder, seed=seed, settings=settings, records=records)
    waiting = [index for index in range(subjects) if not (records / f"{index}.json").exists()]
    workers = worker_count(cores, memory_mb_per_worker=MEMORY_MB_PER_WORKER)
    for done, index in enumerate(map_in_processes(make, waiting, workers=workers), start=1):
        logger.info("phantom %d made, %d of %d", index, subjects - len(waiting) + done, subjects)
    rows = list(_recorded_rows(records, subjects))
    finish_cohort(kind, folder, rows)
    return rows


def _make_recorded(
    index: int, *, kind: str, folder: Path, seed: int, settings: PhantomSettings, records: Path
) -> int:
    """Make one subject; its record appears only when all of its files are there."""
    row = make_subject(kind, folder, index, seed=seed, settings=settings)
    unfinished = records / f".{index}.json"
    unfinished.write_text(json.dumps(row))
    unfinished.replace(records / f"{index}.json")
    return index


def _recorded_rows(records: Path, subjects: int) -> Iterator[dict]:
    for index in range(subjects):
        yield json.loads((records / f"{index}.json").read_text())
