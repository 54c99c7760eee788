"""Volumes, and the one place that reads and writes images."""

import math
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.image_files import Header, read_header, whole_chunks
from spatial_erasing.jobs.atomic import replaced_when_complete


@dataclass(frozen=True)
class Volume:
    """An image in memory and where its voxels lie."""

    intensities: np.ndarray  # shape (i, j, k), in the order of the file, scaled by its slope and intercept
    # maps voxel indices to world coordinates in mm (right, anterior, superior), shape (4, 4)
    affine: np.ndarray
    path: Path | None = None  # the file it came from
    warnings: tuple[str, ...] = ()  # what its user should know about the file, one sentence each

    @property
    def grid(self) -> Grid:
        """Where its voxels lie."""
        return Grid(self.intensities.shape, self.affine)


def read_volume(path: str | Path) -> Volume:
    """Read a 3-D image as float32 and refuse what cannot be a scan.

    Unpacked gzip content is compared with its checksum, which nibabel does not do. A plain `.nii` has none:
    there, damage inside a voxel cannot be seen.

    Raises:
        ValueError: it is damaged, or holds values that are not finite; more in `image_files.read_header`.
    """
    path = Path(path)
    header = read_header(path)
    content = bytearray()
    for chunk in whole_chunks(path, header):
        content += chunk
    intensities = _scaled(content, header)
    # plane by plane: a mask of the whole volume would cost a quarter of its memory again
    if unusable := sum(np.count_nonzero(~np.isfinite(plane)) for plane in intensities.T):
        raise ValueError(
            f"{path} holds {unusable} voxels that are NaN or infinite. Expected finite numbers. "
            "Repair or leave out this scan."
        )
    return Volume(intensities, header.affine, path, header.warnings)


def write_volume(
    path: str | Path, intensities: np.ndarray, affine: np.ndarray, *, stored_as: type | None = None
) -> None:
    """Write an image as NIfTI under a temporary name and rename it, so that it is never half there.

    Args:
        intensities: booleans become uint8; every other type is kept, unless `stored_as` says otherwise.
        stored_as: an integer type that the range of intensities is scaled to, with its slope in the header.
    """
    if intensities.dtype == bool:
        intensities = intensities.astype(np.uint8)
    image = nib.Nifti1Image(intensities, affine)
    image.header.set_xyzt_units("mm")
    if stored_as is not None:
        image.set_data_dtype(stored_as)
    with replaced_when_complete(path) as unfinished:
        nib.save(image, unfinished)


def _scaled(content: bytearray, header: Header) -> np.ndarray:
    """Intensities as float32 in the memory order of the file, without a float64 copy of them all."""
    count = math.prod(header.shape)
    stored = np.frombuffer(content, header.stored_as, count, header.offset_bytes)
    stored = stored.reshape(header.shape, order="F")
    if (header.slope, header.intercept) == (1, 0):
        with np.errstate(over="ignore"):
            return np.require(stored, np.float32, "A")  # float32 of this machine is not copied
    scaled = np.empty(header.shape, dtype=np.float32, order="F")
    with np.errstate(over="ignore", invalid="ignore"):
        for plane, stored_plane in zip(scaled.T, stored.T, strict=True):
            plane[...] = stored_plane * np.float64(header.slope) + np.float64(header.intercept)
    return scaled
