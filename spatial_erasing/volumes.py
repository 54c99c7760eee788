"""Volumes on disk: the one place that reads and writes images."""

import os
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np


@dataclass(frozen=True)
class Volume:
    """An image in memory and where its voxels lie.

    Args:
        intensities: shape (i, j, k), in the order of the file, scaled by its slope and intercept.
        affine: maps voxel indices to world coordinates in mm (right, anterior, superior), shape (4, 4).
        path: the file it came from.
    """

    intensities: np.ndarray
    affine: np.ndarray
    path: Path | None = None


def read_volume(path: str | Path) -> Volume:
    """Read a 3-D image as float32 and refuse what cannot be a scan.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it cannot be read, is not 3-D, has no usable affine or holds values that are not finite.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist. Correct its row in the cohort's table or its folder in config.yaml."
        )
    try:
        image = nib.load(path)
        intensities = np.asarray(image.dataobj, dtype=np.float32)
    except Exception as error:  # nibabel, gzip and zlib raise a dozen unrelated types for a broken file
        raise ValueError(
            f"{path} cannot be read as an image ({type(error).__name__}: {error}). "
            "Fetch or convert the file again."
        ) from error
    intensities = _without_trailing_axes(intensities, path)
    affine = np.asarray(image.affine, dtype=np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise ValueError(
            f"{path} has no usable affine: {affine.tolist()}. Restore its header from the original scan."
        )
    if not np.isfinite(intensities).all():
        count = int((~np.isfinite(intensities)).sum())
        raise ValueError(
            f"{path} holds {count} voxels that are NaN or infinite. Repair or leave out this scan."
        )
    return Volume(intensities, affine, path)


def write_volume(
    path: str | Path, intensities: np.ndarray, affine: np.ndarray, *, stored_as: type | None = None
) -> None:
    """Write an image as NIfTI under a temporary name and rename it, so that it is never half there.

    Args:
        intensities: booleans become uint8; every other type is kept, unless `stored_as` says otherwise.
        affine: voxel indices to world mm, shape (4, 4).
        stored_as: an integer type that the range of intensities is scaled to, with its slope in the header.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if intensities.dtype == bool:
        intensities = intensities.astype(np.uint8)
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{path.name}")
    image = nib.Nifti1Image(intensities, affine)
    image.header.set_xyzt_units("mm")
    if stored_as is not None:
        image.set_data_dtype(stored_as)
    try:
        nib.save(image, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _without_trailing_axes(intensities: np.ndarray, path: Path) -> np.ndarray:
    """A 4-D file with one volume is a 3-D scan; anything else is not."""
    shape = intensities.shape
    while intensities.ndim > 3 and intensities.shape[-1] == 1:
        intensities = intensities[..., 0]
    if intensities.ndim != 3 or min(intensities.shape) < 2:
        raise ValueError(
            f"{path} has shape {shape}; a scan has three axes of at least 2 voxels. Choose one volume of it."
        )
    return intensities
