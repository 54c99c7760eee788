"""What a map shows, as tables: connected components, and axial slices."""

from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from spatial_erasing.images.grids import Grid

COLUMNS = ("number", "ml", "peak", "x_mm", "y_mm", "z_mm", "slice", "percentile")
SLICE_COLUMNS = ("slice", "z_mm", "brain_cm2", "marked_cm2", "mean_score", "highest_percentile")


def find_candidates(
    score: np.ndarray, percentile: np.ndarray, mask: np.ndarray, *, grid: Grid, minimum_ml: float
) -> list[dict[str, Any]]:
    """The connected components of a mask (26 neighbours), the largest first.

    Args:
        score: shape (i, j, k).
        percentile: 0 to 1, same shape.
        mask: bool, same shape.
        grid: of the scan.
        minimum_ml: smaller ones are left out: the network sees no detail below its own voxel.

    Returns:
        number from 1 on; ml; peak and percentile, the highest score and percentile in it; x, y and z, its
        centre of mass in mm (right, anterior, superior); slice, in which axial slice of the viewer it has
        most voxels, from 0 at the bottom.
    """
    if not (boxes := ndimage.find_objects(mask.astype(np.uint8))):
        return []
    around = boxes[0]  # a small part of a head
    labels, _ = ndimage.label(mask[around], structure=np.ones((3, 3, 3)))
    upwards = axial_slices(grid)
    rows = []
    for label, part in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[part] == label
        box = tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(around, part, strict=True))
        ml = float(inside.sum() * grid.voxel_ml)
        if ml < minimum_ml:
            continue
        voxels = np.argwhere(inside) + [part.start for part in box]
        centre_mm = nib.affines.apply_affine(grid.affine, voxels.mean(axis=0))
        peaks = {"peak": float(score[box][inside].max()), "percentile": float(percentile[box][inside].max())}
        slices = upwards[voxels[:, vertical_axis(grid)]]
        place = {"slice": int(np.bincount(slices).argmax())}
        rows.append(
            {"ml": ml} | dict(zip(("x_mm", "y_mm", "z_mm"), centre_mm.tolist(), strict=True)) | peaks | place
        )
    rows.sort(key=lambda row: -row["ml"])
    return [{"number": number} | row for number, row in enumerate(rows, start=1)]


def vertical_axis(grid: Grid) -> int:
    """Which voxel axis runs nearest to inferior-superior."""
    return int(np.flatnonzero(nib.io_orientation(grid.affine)[:, 0] == 2)[0])


def axial_slices(grid: Grid) -> np.ndarray:
    """The number of the axial slice of each index of the vertical axis: 0 at the bottom, as in the viewer."""
    axis = vertical_axis(grid)
    count = np.arange(grid.shape[axis])
    return count if nib.io_orientation(grid.affine)[axis, 1] > 0 else count[::-1]


def describe_slices(
    score: np.ndarray, percentile: np.ndarray, mask: np.ndarray, *, brain: np.ndarray, grid: Grid
) -> list[dict[str, float]]:
    """A row for each axial slice of the scan that holds brain, the lowest first.

    Args:
        score: shape (i, j, k).
        percentile: 0 to 1, same shape.
        mask: bool, same shape.
        brain: bool, same shape.
        grid: of the scan.
    """
    axis = vertical_axis(grid)
    voxel_cm2 = grid.voxel_ml * 10 / grid.voxel_sizes_mm[axis]
    numbers, middle = axial_slices(grid), (np.array(grid.shape) - 1) / 2
    score, percentile, mask, brain = (np.moveaxis(a, axis, 0) for a in (score, percentile, mask, brain))
    rows = []
    for index in np.argsort(numbers):
        inside = brain[index]  # a view: `take` would copy the whole volume for each slice
        if not inside.any():
            continue
        centre = middle.copy()
        centre[axis] = index
        rows.append(
            {
                "slice": int(numbers[index]),
                "z_mm": float(nib.affines.apply_affine(grid.affine, centre)[2]),
                "brain_cm2": float(inside.sum() * voxel_cm2),
                "marked_cm2": float(mask[index].sum() * voxel_cm2),
                "mean_score": float(score[index][inside].mean(dtype=np.float64)),
                "highest_percentile": float(percentile[index].max()),
            }
        )
    return rows
