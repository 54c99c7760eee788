"""A subject on disk: read its scans, prepare the brain, keep the result, and never do it twice."""

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import numpy as np

from spatial_erasing.ingest.files import require_listed_content
from spatial_erasing.preprocess.chain import PreparedBrain, prepare_brain
from spatial_erasing.preprocess.settings import BrainSettings
from spatial_erasing.volumes import Volume, read_volume, write_volume

logger = logging.getLogger(__name__)

MEASURES = (
    "brain_ml",
    "lesion_ml",
    "lesion_outside_brain_percent",
    "box_x_voxels",
    "box_y_voxels",
    "box_z_voxels",
    "lower_intensity",
    "median_intensity",
    "upper_intensity",
)
COLUMNS = ("cohort", "subject", "scanner", "status", "reason", "warning", "folder", *MEASURES)


def prepare_subject(
    scans: list[Mapping[str, str]], *, folder: Path, settings: BrainSettings, code: str, device: str = "cpu"
) -> dict[str, object]:
    """The manifest row of one subject: done with its measures, or failed with the reason.

    A finished folder made from the same files with the same settings and code is kept as it is. Whatever goes
    wrong with this subject ends in its row; the cohort goes on.

    Args:
        scans: the subject's rows of `results/ingest/{cohort}.csv`, one a sequence.
        folder: where the subject's brain is kept; replaced as a whole.
        settings: how the brain is prepared.
        code: fingerprint of the code that prepares it.
        device: where a network strips the skull: "cpu" or "auto".
    """
    first = scans[0]
    try:
        made_from = identity(scans, settings=settings, code=code)
        record = read_finished(folder, made_from=made_from)
        if record is None:
            brain = _prepare(scans, settings=settings, device=device)
            record = write_brain(folder, brain, made_from=made_from)
    except Exception as error:  # one bad scan, whatever is wrong with it, must not cost the others
        logger.exception("%s failed", first["subject"])
        return failed_row(first, _reason(error))
    warning = " ".join(record["warnings"])
    done = {"status": "done", "reason": "", "warning": warning, "folder": str(folder)}
    return _names(first) | done | record["measures"]


def failed_row(scan: Mapping[str, str], reason: str) -> dict[str, object]:
    """The manifest row of a subject that could not be prepared."""
    return _names(scan) | {"status": "failed", "reason": reason, "warning": "", "folder": ""}


def _names(scan: Mapping[str, str]) -> dict[str, object]:
    return {name: scan[name] for name in ("cohort", "subject", "scanner")}


def identity(scans: list[Mapping[str, str]], *, settings: BrainSettings, code: str) -> str:
    """Hash of all that a prepared brain depends on; contents count, paths do not."""
    first = scans[0]
    beside = json.loads(first["lesion"] or "[]") + ([first["brain_mask"]] if first["brain_mask"] else [])
    parts = [
        asdict(settings),
        code,
        first["skull_strip"],
        [(scan["sequence"], scan["sha256"]) for scan in scans],
        [_content_hash(Path(path)) for path in beside],
    ]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _content_hash(path: Path) -> str:
    """SHA-256 of a mask; one that cannot be had is no finished brain's, and reading it says what to do."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return type(error).__name__


def _prepare(scans: list[Mapping[str, str]], *, settings: BrainSettings, device: str) -> PreparedBrain:
    """Read what the rows name and run the chain."""
    first = scans[0]
    return prepare_brain(
        {scan["sequence"]: _read_listed(scan) for scan in scans},
        lesions=[read_volume(path) for path in json.loads(first["lesion"] or "[]")],
        brain_mask=read_volume(first["brain_mask"]) if first["brain_mask"] else None,
        skull_strip=first["skull_strip"],
        settings=settings,
        device=device,
    )


def _read_listed(scan: Mapping[str, str]) -> Volume:
    """The scan that was listed, and no other that took its place since."""
    volume = read_volume(scan["path"])
    require_listed_content(scan["path"], scan["sha256"])
    return volume


def write_brain(folder: Path, brain: PreparedBrain, *, made_from: str) -> dict:
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
        "made_from": made_from,
        "grids": {name: grid.as_json() for name, grid in brain.grids.items()},
        "centred": brain.centred,
        "measures": brain.measures,
        "warnings": brain.warnings,
    }
    (unfinished / "record.json").write_text(json.dumps(record, indent=1))
    # first of all the record: what is left of a folder whose removal was cut short must not look finished
    (folder / "record.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return record


def read_finished(folder: Path, *, made_from: str) -> dict | None:
    """The record of a brain that was made from exactly this, or None; a damaged one is no record."""
    try:
        record = json.loads((folder / "record.json").read_text())
    except (FileNotFoundError, ValueError):  # a power cut may leave it empty
        return None
    return record if record.get("made_from") == made_from else None


def _reason(error: Exception) -> str:
    """One line for a table cell; foreign errors keep their type, ours speak for themselves."""
    text = " ".join(str(error).split())
    return text if isinstance(error, (ValueError, FileNotFoundError)) else f"{type(error).__name__}: {text}"
