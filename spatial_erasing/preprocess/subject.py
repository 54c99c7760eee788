"""One subject: read its scans, prepare the brain, and keep the result for later runs."""

import json
import logging
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.images.volumes import read_volume, write_volume
from spatial_erasing.ingest.files import require_listed_content, sha256_of
from spatial_erasing.ingest.records import masks_of
from spatial_erasing.jobs import results
from spatial_erasing.jobs.faults import is_finding, one_line
from spatial_erasing.jobs.provenance import describe_maker
from spatial_erasing.paths import may_exist, require_file
from spatial_erasing.preprocess.chain import PreparedBrain, prepare_brain
from spatial_erasing.preprocess.settings import BrainSettings

logger = logging.getLogger(__name__)

KEPT = "Its scans are not there any more: this brain was prepared by an earlier version of the software."
COLUMNS = (
    *("cohort", "subject", "scanner", "status", "reason", "warning", "folder"),
    *("brain_ml", "lesion_ml", "lesion_outside_brain_percent"),
    *("box_x_voxels", "box_y_voxels", "box_z_voxels"),
    *("lower_intensity", "median_intensity", "upper_intensity"),
)
NEEDED = ("grids", "centred", "measures", "warnings")  # of record.json


def prepare_subject(
    scans: list[Mapping[str, str]], *, folder: Path, settings: BrainSettings, code: str, device: str = "cpu"
) -> dict[str, Any]:
    """The manifest row of one subject: done with its measures, or failed with what was found in its data.

    A brain that `read_finished` finds in the folder is not prepared again.

    Args:
        scans: the subject's rows of `results/ingest/{cohort}.csv`, one a sequence; the brain mask is made of
            the first.

    Raises:
        Exception: a fault of the machine or the software, which says nothing about the scan.
    """
    row: dict[str, Any] = {name: scans[0][name] for name in ("cohort", "subject", "scanner")}
    files = [*(Path(scan["path"]) for scan in scans), *masks_of(scans[0])]
    try:
        asked = inputs(scans, settings=settings)
        record = read_finished(folder, asked=asked, code=code, files=files)
        if record is None:
            brain = _prepare(scans, settings=settings, device=device)
            record = write_brain(folder, brain, asked=asked, code=code)
    except ValueError as error:
        if not is_finding(error):
            raise
        logger.exception("%s failed", row["subject"])
        return row | {"status": "failed", "reason": one_line(error), "warning": "", "folder": ""}
    done = {"status": "done", "reason": "", "warning": " ".join(record["warnings"]), "folder": str(folder)}
    return row | done | record["measures"]


def inputs(scans: list[Mapping[str, str]], *, settings: BrainSettings) -> dict:
    """All that a prepared brain depends on but the code; contents count, paths do not.

    Hashes of files are "" where the file is not there; those of scans stand in the list.
    """
    return {
        "settings": json.loads(json.dumps(asdict(settings))),
        "skull_strip": scans[0]["skull_strip"],
        "scans": [[scan["sequence"], scan["sha256"]] for scan in scans],
        "beside": [_content_hash(path) for path in masks_of(scans[0])],
    }


def _content_hash(path: Path) -> str:
    """SHA-256 of a mask, "" for one that is not there; others that cannot be read say what to do."""
    try:
        require_file(path)
    except FileNotFoundError:
        return ""
    return sha256_of(path)


def _prepare(scans: list[Mapping[str, str]], *, settings: BrainSettings, device: str) -> PreparedBrain:
    first, volumes = scans[0], {}
    for scan in scans:
        volumes[scan["sequence"]] = read_volume(scan["path"])
        require_listed_content(scan["path"], scan["sha256"])  # no other file took its place since
    return prepare_brain(
        volumes,
        lesions=[read_volume(path) for path in json.loads(first["lesion"] or "[]")],
        brain_mask=read_volume(first["brain_mask"]) if first["brain_mask"] else None,
        skull_strip=first["skull_strip"],
        settings=settings,
        device=device,
    )


def write_brain(folder: Path, brain: PreparedBrain, *, asked: Mapping[str, Any], code: str) -> dict:
    """Write a prepared brain as NIfTI files and a record, all at once or not at all; return the record."""
    affine = brain.grids["brain"].affine
    unfinished = folder.with_name(f".unfinished-{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, intensities in brain.sequences.items():
        # 16 bits hold [0, 1] to 0.000008, at half the size of float32
        write_volume(unfinished / f"{name}.nii.gz", intensities, affine, stored_as=np.uint16)
    write_volume(unfinished / "brain.nii.gz", brain.brain, affine)
    write_volume(unfinished / "lesion.nii.gz", brain.lesion, affine)
    record = {
        "asked": asked,
        "code": code,
        "grids": {name: grid.as_json() for name, grid in brain.grids.items()},
        "centred": brain.centred,
        "measures": brain.measures,
        "warnings": brain.warnings,
        "made_by": json.loads(describe_maker(code)),
    }
    (unfinished / "record.json").write_text(json.dumps(record, indent=1))
    # first of all the record: what is left of a folder whose removal was cut short must not look finished
    (folder / "record.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return record


def read_finished(folder: Path, *, asked: Mapping[str, Any], code: str, files: Iterable[Path]) -> dict | None:
    """The record of a brain that was made from what is asked for, by this code; None if there is none.

    Where a file is gone, a brain made by other code is kept too, with a warning: a finished study needs its
    raw data no more. Changed settings are another matter: they cannot be followed without the scans.
    """
    record = results.read_record(folder / "record.json", keys=NEEDED) or {}
    made = record.get("asked", {})
    if made == asked and record.get("code") == code:
        return record
    if all(map(may_exist, files)):
        return None
    if any(made.get(name) != asked[name] for name in ("settings", "skull_strip", "scans")):
        return None
    if len(made["beside"]) != len(asked["beside"]):
        return None
    if any(now not in ("", then) for then, now in zip(made["beside"], asked["beside"], strict=True)):
        return None
    return record if record["code"] == code else record | {"warnings": [*record["warnings"], KEPT]}


def read_record(folder: Path) -> dict:
    """What `subject.write_brain` wrote down beside a prepared brain."""
    record = results.read_record(folder / "record.json", keys=NEEDED)
    with _prepared_here(folder):
        if record is None:
            raise ValueError("its record.json is missing or damaged")
    return record


def read_prepared(folder: Path, name: str) -> np.ndarray:
    """A volume of a prepared brain, float32: a sequence in [0, 1], or "lesion" as 0 and 1."""
    with _prepared_here(folder):
        return read_volume(folder / f"{name}.nii.gz").intensities


def read_brain_mask(folder: Path) -> np.ndarray:
    """The mask of a prepared brain, bool."""
    mask = read_prepared(folder, "brain") > 0
    with _prepared_here(folder):
        if not mask.any():
            raise ValueError("brain.nii.gz is empty")
    return mask


@contextmanager
def _prepared_here(folder: Path) -> Iterator[None]:
    """Damage to a brain that was prepared before is no finding about its scan."""
    try:
        yield
    except (FileNotFoundError, ValueError) as error:
        raise OSError(
            f"{folder} does not hold the whole brain that was prepared ({one_line(error)}). To prepare it "
            f"again, rm -r {shlex.quote(str(folder))} and add --forcerun prepare_brains to your command."
        ) from error
