"""Onto one isotropic grid in world axes, whatever the orientation, obliqueness or spacing of the scan."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import SimpleITK as sitk

from spatial_erasing.volumes import Volume

INTERPOLATORS = {"cubic": sitk.sitkBSpline, "nearest": sitk.sitkNearestNeighbor}


@dataclass(frozen=True)
class Grid:
    """Isotropic voxels along the world's right, anterior and superior axes.

    Args:
        shape: voxels along right, anterior, superior.
        origin_mm: world position of the first voxel's centre.
        spacing_mm: edge of a voxel.
    """

    shape: tuple[int, int, int]
    origin_mm: tuple[float, float, float]
    spacing_mm: float

    @property
    def affine(self) -> np.ndarray:
        """Voxel indices to world coordinates in mm, shape (4, 4)."""
        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        affine[:3, 3] = self.origin_mm
        return affine

    def cropped(self, start: tuple[int, ...], stop: tuple[int, ...]) -> "Grid":
        """The part of this grid from voxel `start` to before voxel `stop`."""
        origin_mm = tuple(o + s * self.spacing_mm for o, s in zip(self.origin_mm, start, strict=True))
        return Grid(tuple(b - a for a, b in zip(start, stop, strict=True)), origin_mm, self.spacing_mm)


def isotropic_grid(scan: Volume, *, spacing_mm: float) -> Grid:
    """The grid in canonical RAS axes that covers every voxel centre of the scan.

    World axes, not the scan's own: an oblique scan and its straight twin give the same volume. A scan that
    lies on such a grid already keeps its sampling points, so that resampling leaves it as it is.
    """
    last_voxel = np.array(scan.intensities.shape) - 1
    corners = np.array([[*np.multiply(corner, last_voxel), 1] for corner in product((0, 1), repeat=3)])
    corners_mm = (corners @ scan.affine.T)[:, :3]
    first_mm, last_mm = corners_mm.min(axis=0), corners_mm.max(axis=0)
    # a thousandth of a voxel of rounding in a header must not add a plane
    shape = np.floor((last_mm - first_mm) / spacing_mm + 1e-3).astype(int) + 1
    return Grid(tuple(shape.tolist()), tuple(first_mm.tolist()), spacing_mm)


def resample_to_grid(volume: Volume, grid: Grid, *, interpolation: str) -> np.ndarray:
    """The volume's values on `grid`, float32 of its shape; 0 where the volume does not reach.

    Args:
        interpolation: "cubic" (B-spline of order 3, Bengs et al. 2021, section 2.1) or "nearest" (labels).
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.intensities.T, dtype=np.float32))
    # The image keeps voxel indices as its coordinates; the transform carries the whole affine. Shears that an
    # image header of ITK refuses are then as good as any other matrix.
    world_to_voxel = np.linalg.inv(volume.affine)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(world_to_voxel[:3, :3].ravel().tolist())
    transform.SetTranslation(world_to_voxel[:3, 3].tolist())
    resampled = sitk.Resample(
        image,
        size=grid.shape,
        transform=transform,
        interpolator=INTERPOLATORS[interpolation],
        outputOrigin=grid.origin_mm,
        outputSpacing=(grid.spacing_mm,) * 3,
        defaultPixelValue=0.0,
        useNearestNeighborExtrapolator=False,
    )
    return sitk.GetArrayFromImage(resampled).T


def require_same_grid(scan: Volume, other: Volume, *, tolerance_mm: float = 1e-2) -> None:
    """Refuse a mask or second sequence that does not lie voxel for voxel on its scan.

    Raises:
        ValueError: naming both files and what differs.
    """
    if scan.intensities.shape != other.intensities.shape:
        found = f"shape {other.intensities.shape}, the scan has {scan.intensities.shape}"
    elif (offset_mm := np.abs(scan.affine - other.affine).max()) > tolerance_mm:
        found = f"an affine that differs by up to {offset_mm:.3g}"
    else:
        return
    raise ValueError(
        f"{other.path} does not lie on the voxel grid of {scan.path}: it has {found}. "
        f"Resample it onto the scan with nearest-neighbour interpolation, or leave out this subject."
    )
