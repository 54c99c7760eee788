"""A cohort of phantoms, made in parallel; a killed run resumes."""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.parallel import map_in_processes, worker_count
from spatial_erasing.jobs.results import read_record
from spatial_erasing_phantoms.cohort import PhantomSettings, finish_cohort, make_subject, subject_name
from spatial_erasing_phantoms.label_maps import path_of_label_map

logger = logging.getLogger(__name__)

MEMORY_MB_PER_WORKER = 1500
PATHS = ("t1", "t1ce", "lesion", "truth_brain", "truth_lesion")  # columns of a row that name files


def make_cohort(
    cohort: Mapping[str, Any],
    folder: Path,
    *,
    seed: int,
    settings: PhantomSettings,
    code: str,
    cores: int,
) -> list[dict]:
    """Write all subjects of a synthetic cohort and return their rows, in order.

    Subjects finished by an earlier run with the same settings and code are kept. Images of subjects outside
    the cohort are removed, since readers would list them.

    Args:
        cohort: its `kind` (healthy, brats or atlas) and number of `subjects`.
        folder: of the cohort.
        seed: of all random draws.
        settings: common to all phantoms.
        code: fingerprint of the phantom code.
        cores: worker processes, fewer if memory is short.
    """
    kind, subjects = cohort["kind"], cohort["subjects"]
    records = folder / "truth" / "records"
    describe = partial(_made_from, kind, seed=seed, settings=settings, code=code)
    made_from = [describe(index) for index in range(subjects)]
    make = partial(_make_recorded, kind=kind, folder=folder, seed=seed, settings=settings, records=records)
    waiting = [
        (index, text)
        for index, text in enumerate(made_from)
        if _finished_row(folder, records / f"{index}.json", made_from=text) is None
    ]
    workers = worker_count(cores, memory_mb_per_worker=MEMORY_MB_PER_WORKER)
    made = map_in_processes(make, waiting, workers=workers, name=lambda item: subject_name(kind, item[0]))
    for done, index in enumerate(made, start=1):
        logger.info("phantom %d made, %d of %d", index, subjects - len(waiting) + done, subjects)
    finished = [
        _finished_row(folder, records / f"{index}.json", made_from=text)
        for index, text in enumerate(made_from)
    ]
    rows = [row for row in finished if row is not None]
    # after all subjects are complete, so that a kill removes nothing that is needed
    _remove_others(folder, rows)
    finish_cohort(kind, folder, rows)
    return rows


def _made_from(kind: str, index: int, *, seed: int, settings: PhantomSettings, code: str) -> str:
    """A hash of all inputs of a subject."""
    label_map = ""
    if settings.label_maps is not None:
        label_map = sha256(path_of_label_map(settings.label_maps, index).read_bytes()).hexdigest()
    parts = [kind, seed, str(settings), label_map, code]
    return sha256(json.dumps(parts).encode()).hexdigest()


def _make_recorded(
    item: tuple[int, str], *, kind: str, folder: Path, seed: int, settings: PhantomSettings, records: Path
) -> int:
    """Make one subject; its record is written last and removed first, so that it implies complete files."""
    index, made_from = item
    record = records / f"{index}.json"
    record.unlink(missing_ok=True)
    row = make_subject(kind, folder, index, seed=seed, settings=settings)
    write_text(record, json.dumps({"made_from": made_from, "row": row}))
    return index


def _finished_row(folder: Path, record: Path, *, made_from: str) -> dict | None:
    """The row of a subject that was made from exactly this and whose files are there, or None."""
    finished = read_record(record, keys=("made_from", "row"))
    if finished is None or finished["made_from"] != made_from:
        return None
    files = [folder / finished["row"][name] for name in PATHS if finished["row"][name]]
    return finished["row"] if all(file.exists() for file in files) else None


def _remove_others(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Remove images without a row, folders that become empty, and records of other subjects."""
    named = {folder / row[name] for row in rows for name in PATHS if row[name]}
    images = {path for path in folder.rglob("*.nii*") if path.is_file() or path.is_symlink()}
    for image in sorted(images - named):
        logger.info("%s belongs to no subject of this cohort and is removed", image)
        image.unlink()
        for parent in image.parents[: len(image.parents) - len(folder.parents) - 1]:
            if not any(parent.iterdir()):
                parent.rmdir()
    for record in (folder / "truth" / "records").glob("*.json"):
        if int(record.stem) >= len(rows):
            record.unlink()
    for earlier in (folder / "truth").glob("records-*"):  # of earlier versions with one folder per setting
        shutil.rmtree(earlier)
