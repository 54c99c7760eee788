"""A subject on disk: read its scans, prepare the brain, keep the result, and never do it twice."""

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import numpy as np

from spatial_erasing.preprocess.chain import BrainSettings, PreparedBrain, prepare_brain
from spatial_erasing.volumes import read_volume, write_volume

logger = logging.getLogger(__name__)

MEASURES = (
    "brain_ml",
    "lesion_ml",
    "lesion_outside_brain_percent",
    "box_x_voxels",
    "box_y_voxels",
    "box_z_voxels",
    "lower_intensity",
    "upper_intensity",
)
COLUMNS = ("cohort", "subject", "scanner", "status", "reason", "folder", *MEASURES)


def prepare_subject(
    scans: list[Mapping[str, str]], *, folder: Path, settings: BrainSettings, code: str
) -> dict[str, object]:
    """The manifest row of one subject: done with its measures, or failed with the reason.

    A finished folder made from the same files with the same settings and code is kept as it is. Whatever goes
    wrong with this subject ends in its row; the cohort goes on.

    Args:
        scans: the subject's rows of `results/ingest/{cohort}.csv`, one a sequence.
        folder: where the subject's brain is kept; replaced as a whole.
        settings: how the brain is prepared.
        code: fingerprint of the code that prepares it.
    """
    first = scans[0]
    row = {"cohort": first["cohort"], "subject": first["subject"], "scanner": first["scanner"]}
    try:
        made_from = identity(scans, settings=settings, code=code)
        measures = read_finished(folder, made_from=made_from)
        if measures is None:
            measures = write_brain(folder, _prepare(scans, settings=settings), made_from=made_from)
    except Exception as error:  # one bad scan, whatever is wrong with it, must not cost the others
        logger.exception("%s failed", first["subject"])
        return row | {"status": "failed", "reason": _reason(error), "folder": ""}
    return row | {"status": "done", "reason": "", "folder": str(folder), **measures}


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
    """SHA-256 of a mask; a missing one is no finished brain's, and reading it says what to do."""
    return sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"


def _prepare(scans: list[Mapping[str, str]], *, settings: BrainSettings) -> PreparedBrain:
    """Read what the rows name and run the chain."""
    first = scans[0]
    return prepare_brain(
        {scan["sequence"]: read_volume(scan["path"]) for scan in scans},
        lesions=[read_volume(path) for path in json.loads(first["lesion"] or "[]")],
        brain_mask=read_volume(first["brain_mask"]) if first["brain_mask"] else None,
        skull_strip=first["skull_strip"],
        settings=settings,
    )


def write_brain(folder: Path, brain: PreparedBrain, *, made_from: str) -> dict[str, float]:
    """Write a prepared brain as NIfTI files and a record, all at once or not at all."""
    unfinished = folder.with_name(f".unfinished-{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, intensities in brain.sequences.items():
        # 16 bits hold [0, 1] to 0.000008, at half the size of float32
        write_volume(unfinished / f"{name}.nii.gz", intensities, brain.grid.affine, stored_as=np.uint16)
    write_volume(unfinished / "brain.nii.gz", brain.brain, brain.grid.affine)
    write_volume(unfinished / "lesion.nii.gz", brain.lesion, brain.grid.affine)
    record = {"made_from": made_from, "grid": asdict(brain.grid), "measures": brain.measures}
    (unfinished / "record.json").write_text(json.dumps(record, indent=1))
    # first of all the record: what is left of a folder whose removal was cut short must not look finished
    (folder / "record.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return brain.measures


def read_finished(folder: Path, *, made_from: str) -> dict[str, float] | None:
    """The measures of a brain that was made from exactly this, or None."""
    record_path = folder / "record.json"
    if not record_path.exists():
        return None
    record = json.loads(record_path.read_text())
    return record["measures"] if record["made_from"] == made_from else None


def _reason(error: Exception) -> str:
    """One line for a table cell; foreign errors keep their type, ours speak for themselves."""
    text = " ".join(str(error).split())
    return text if isinstance(error, (ValueError, FileNotFoundError)) else f"{type(error).__name__}: {text}"
