"""From a scan's voxels to any other grid, whatever the orientation, obliqueness or spacing of either."""

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume

INTERPOLATORS = {"cubic": sitk.sitkBSpline, "linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}
# How many voxels beyond the target an interpolator looks. A cubic B-spline weighs a voxel k away by 0.268^k:
# 12 voxels leave 1e-7 of it, the precision of float32.
REACH_VOXELS = {"cubic": 12, "linear": 1, "nearest": 1}
TOLERANCE_VOXELS = 0.1  # how far two grids that are said to be one may lie apart
WORLD = Grid((1, 1, 1), np.eye(4))


def isotropic_grid(scan: Volume, *, spacing_mm: float) -> Grid:
    """The grid in canonical RAS axes that covers every voxel centre of the scan.

    World axes, not the scan's own: an oblique scan and its straight twin give the same volume. A scan that
    lies on such a grid already keeps its sampling points, so that resampling leaves it as it is.
    """
    corners_mm = scan.grid.corners_in(WORLD)
    first_mm, last_mm = corners_mm.min(axis=0), corners_mm.max(axis=0)
    # a thousandth of a voxel of rounding in a header must not add a plane
    shape = np.floor((last_mm - first_mm) / spacing_mm + 1e-3).astype(int) + 1
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = first_mm
    return Grid(tuple(shape.tolist()), affine)


def turned_grid(scan: Volume) -> Grid:
    """The scan's own voxels in the order nearest to right, anterior, superior: no value changes on it."""
    orientation = nib.io_orientation(scan.affine)
    shape = tuple(int(n) for n in np.array(scan.intensities.shape)[np.argsort(orientation[:, 0])])
    affine = scan.affine @ nib.orientations.inv_ornt_aff(orientation, scan.intensities.shape)
    return Grid(shape, affine)


def resample_to_grid(volume: Volume, grid: Grid, *, interpolation: str) -> np.ndarray:
    """The volume's values on `grid`, float32 of its shape; 0 where the volume does not reach.

    Only the part of the volume around the grid is looked at, so a small grid costs little. An interpolation
    is "cubic" (B-spline of order 3, Bengs et al. 2021, section 2.1), "linear", or "nearest" for labels.
    """
    box = _part_around(volume, grid, reach_voxels=REACH_VOXELS[interpolation])
    if box is None:
        return np.zeros(grid.shape, dtype=np.float32)
    part = Volume(volume.intensities[box], volume.grid.block(box).affine)
    image = sitk.GetImageFromArray(np.ascontiguousarray(part.intensities.T, dtype=np.float32))
    # Both images keep voxel indices as their coordinates; the transform carries both affines. Shears that an
    # image header of ITK refuses are then as good as any other matrix.
    to_voxel = np.linalg.inv(part.affine) @ grid.affine
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(to_voxel[:3, :3].ravel().tolist())
    transform.SetTranslation(to_voxel[:3, 3].tolist())
    resampled = sitk.Resample(
        image,
        size=grid.shape,
        transform=transform,
        interpolator=INTERPOLATORS[interpolation],
        defaultPixelValue=0.0,
        useNearestNeighborExtrapolator=False,
    )
    return sitk.GetArrayFromImage(resampled).T


def _part_around(volume: Volume, grid: Grid, *, reach_voxels: int) -> tuple[slice, ...] | None:
    """The box of the volume's voxels that values on the grid depend on; None if there are none."""
    corners = grid.corners_in(volume.grid)
    first = np.floor(corners.min(axis=0)).astype(int) - reach_voxels
    last = np.ceil(corners.max(axis=0)).astype(int) + reach_voxels
    start, stop = np.maximum(first, 0), np.minimum(last + 1, volume.intensities.shape)
    if (start >= stop).any():
        return None
    return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))


def require_same_grid(scan: Volume, other: Volume) -> None:
    """Refuse a mask or second sequence that does not lie voxel for voxel on its scan.

    The corners of both grids are compared, where a turned or scaled header shows most: each must land within
    a tenth of the smallest edge of a voxel.
    """
    tolerance_mm = TOLERANCE_VOXELS * scan.grid.voxel_sizes_mm.min()
    apart_mm = np.linalg.norm(scan.grid.corners_in(WORLD) - other.grid.corners_in(WORLD), axis=1).max()
    if scan.intensities.shape != other.intensities.shape:
        found = f"shape {other.intensities.shape}, the scan has {scan.intensities.shape}"
    elif apart_mm > tolerance_mm:
        found = f"corners that lie up to {apart_mm:.3g} mm off, expected at most {tolerance_mm:.2g} mm"
    else:
        return
    raise ValueError(
        f"{other.path} does not lie on the voxel grid of {scan.path}: it has {found}. "
        f"Resample it onto the scan with nearest-neighbour interpolation, or leave out this subject."
    )
