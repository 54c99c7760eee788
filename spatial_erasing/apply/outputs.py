"""The files of one scan: where each lies by plain or BIDS naming, and how it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from spatial_erasing import __version__
from spatial_erasing.apply.candidates import COLUMNS, SLICE_COLUMNS, describe_slices, find_candidates
from spatial_erasing.apply.inputs import Input
from spatial_erasing.apply.one_scan import Found, Model
from spatial_erasing.apply.page import write_page
from spatial_erasing.apply.warnings import warnings_of
from spatial_erasing.cohorts import write_rows
from spatial_erasing.images.image_files import NIFTI_NAMES
from spatial_erasing.jobs.atomic import replaced_when_complete

MAPS = ("score", "percentile", "mask")
EXTRAS = ("reconstruction", "brain", "grid", "spread")
TABLES = ("candidates", "slices", "page", "summary")  # the summary last: where it lies, the others do
PLACED = ("pixdim", "qform_code", "sform_code", "xyzt_units", "srow_x", "srow_y", "srow_z")
QUATERNION = (*(f"quatern_{axis}" for axis in "bcd"), *(f"qoffset_{axis}" for axis in "xyz"))
PLAIN_NAMES = {
    "score": "anomaly_score.nii.gz",
    "percentile": "anomaly_percentile.nii.gz",
    "mask": "anomaly_mask.nii.gz",
    "reconstruction": "reconstruction.nii.gz",
    "brain": "brain_mask.nii.gz",
    "grid": "grid.npz",
    "spread": "reconstruction_spread.nii.gz",
    "candidates": "candidates.csv",
    "slices": "slices.csv",
    "page": "report.html",
    "summary": "summary.json",
}


@dataclass(frozen=True)
class Places:
    """Where the files of a scan lie.

    Args:
        paths: kind of file, a key of `PLAIN_NAMES`, to its path.
        sidecars: kind of image to the path of its sidecar, with names of BIDS.
    """

    paths: Mapping[str, Path]
    sidecars: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def plain(cls, output: Path, scan: Input) -> "Places":
        """A folder of the scan's name."""
        return cls({kind: output / scan.name / name for kind, name in PLAIN_NAMES.items()})

    def are_there(self, save: Sequence[str]) -> bool:
        """Whether every file lies there that is written with these `EXTRAS`."""
        kinds = (*MAPS, *save, *TABLES)
        return all(of[kind].is_file() for of in (self.paths, self.sidecars) for kind in kinds if kind in of)

    def remove(self) -> None:
        """Remove the files of an earlier run, the summary first: without it nothing counts as finished."""
        for path in (self.paths["summary"], *self.paths.values(), *self.sidecars.values()):
            path.unlink(missing_ok=True)


def scan_header(path: Path) -> nib.Nifti1Header:
    """A header that places voxels as the scan's does: its sform and qform with their codes, to the last bit.

    Args:
        path: of an image that could be read as a scan.
    """
    header = nib.Nifti1Header()
    if not path.name.lower().endswith(NIFTI_NAMES):
        image: Any = nib.load(path)
        affine = image.affine
        header["pixdim"][1:4] = nib.affines.voxel_sizes(affine)
        header.set_sform(affine, code=1)
        header.set_qform(affine, code=1)
        header.set_xyzt_units("mm")
        return header
    given: Any = nib.load(path).header
    for name in (*PLACED, *QUATERNION):
        header[name] = given[name]
    header["pixdim"][4:] = 1
    if not int(header["xyzt_units"]) & 7:  # unknown, which everyone reads as mm
        header.set_xyzt_units("mm")
    return header


def write_map(path: Path, values: np.ndarray, header: nib.Nifti1Header) -> None:
    """Write a map on the voxels of a scan, bool as uint8 and everything else as float32."""
    values = values.astype(np.uint8 if values.dtype == bool else np.float32)
    header = header.copy()
    header.set_data_dtype(values.dtype)
    header.set_data_shape(values.shape)
    image = nib.Nifti1Image(values, None, header)
    with replaced_when_complete(path) as unfinished:
        nib.save(image, unfinished)


def write_results(
    found: Found, model: Model, *, places: Places, image: Path, save: Sequence[str], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the files of a scan but for `summary.json`, and return what that will hold.

    The summary is written last of all: where it lies, a scan counts as finished.

    Args:
        found: in the scan.
        model: that was applied.
        places: of the files.
        image: file of the scan, whose header the maps receive.
        save: which of `EXTRAS` are written.
        known: what the summary says beside: name, path, sha256 of the scan, whether it was stripped.
    """
    header, paths = scan_header(image), places.paths
    for folder in {path.parent for path in paths.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    write_map(paths["score"], found.score, header)
    write_map(paths["percentile"], found.percentile, header)
    write_map(paths["mask"], found.mask, header)
    brain = found.brain_on_scan
    for kind in save:
        if kind == "grid":
            _write_grid(paths["grid"], found)
        else:
            write_map(paths[kind], brain if kind == "brain" else found.on_scan(kind), header)
    grid = found.grids["scan"]
    maps = (found.score, found.percentile, found.mask)
    candidates = find_candidates(*maps, grid=grid, minimum_ml=found.grids["network"].voxel_ml)
    write_rows(paths["candidates"], candidates, columns=COLUMNS)
    write_rows(paths["slices"], describe_slices(*maps, brain=brain, grid=grid), columns=SLICE_COLUMNS)
    summary = summarise(found, model, candidates=candidates, known=known)
    write_page(
        paths["page"],
        scan=found.scan.intensities,
        affine=found.scan.affine,
        percentile=found.percentile,
        mask=found.mask,
        candidates=candidates,
        summary=summary,
        spread=found.on_scan("spread") if summary["networks"] > 1 else None,
    )
    return summary


def summarise(
    found: Found, model: Model, *, candidates: Sequence[Mapping], known: Mapping[str, Any]
) -> dict[str, Any]:
    """What `summary.json` holds: volumes, how unusual the scan is, warnings, and what made it."""
    bundle = model.bundle
    healthy = model.healthy_scores(found.score_name)
    is_own = found.threshold == float(model.settings.thresholds[found.score_name])
    return {
        **known,
        "model": bundle.metadata.get("name", bundle.path.stem),
        "version": __version__,
        "total_ml": float(found.mask.sum() * found.grids["scan"].voxel_ml),
        "healthy_total_ml": sorted(healthy.marked_ml.tolist()) if is_own else None,  # counted at no other one
        "candidates": len(candidates),
        "unusual_percent": healthy.unusual_percent(found.mean_score),
        "healthy_scans": len(healthy.means),
        "healthy_voxels": int(healthy.voxels.sum()),
        "mean_score": found.mean_score,
        "brain_ml": found.prepared.measures["brain_ml"],
        "score": found.score_name,
        "sequence": model.settings.sequence,
        "trained_on": model.settings.trained_on,
        "threshold": found.threshold,
        "networks": len(bundle.weights),
        "warnings": warnings_of(found, model, was_stripped=bool(known.get("stripped"))),
        "seconds": round(sum(found.seconds.values()), 2),
        "steps": {step: round(seconds, 3) for step, seconds in found.seconds.items()},
        "checksums": {"scan": known.get("sha256", ""), "model": bundle.sha256},
        "card": bundle.metadata.get("description", ""),
    }


def _write_grid(path: Path, found: Found) -> None:
    """Everything on the networks' grid, with the affine that leads to the world of the scan."""
    arrays: dict[str, Any] = {**found.on_grid, "affine": found.grids["network"].affine}
    with replaced_when_complete(path) as unfinished:
        np.savez_compressed(unfinished, **arrays)
