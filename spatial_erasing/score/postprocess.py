"""Post-processing: from a raw score map to the one that is thresholded and evaluated."""

from functools import reduce

import numpy as np

WINDOWS_AT_ONCE = 1024  # cubes of 5 x 5 x 5 voxels: 1 MB of indices and 0.5 MB of values fit a core's cache
LARGEST_SCORE = float(np.finfo(np.float16).max)  # 65504


def post_process(
    score: np.ndarray, brain: np.ndarray, *, erosion_iterations: int, median_size_voxels: int
) -> np.ndarray:
    """Return a score map without brain edges and small outliers, float16, shape (X, Y, Z).

    The map times the slightly eroded brain mask, then a median filter (Bengs et al. 2021, section 2.3). The
    result is float16 by definition: it has at most 31,744 different values, so curves over millions of voxels
    are computed exactly by counting (`evaluate.counts`).

    Args:
        score: at least 0, shape (X, Y, Z); the brain mask has the same shape.
        erosion_iterations: number of in-plane erosions of the mask; 0 for none.
        median_size_voxels: edge of the median filter's cube, odd; 1 for no filter.

    Raises:
        ValueError: the shapes differ or are not 3-D, the score is negative, NaN or beyond float16, or erosion
            removes the whole brain.
    """
    if score.shape != brain.shape or score.ndim != 3:
        raise ValueError(
            f"score map {score.shape} and brain mask {brain.shape} must be on one grid of three axes. Score "
            "the model again on the current preprocessed volumes."
        )
    if not (score.min() >= 0 and score.max() <= LARGEST_SCORE):  # False for NaN
        raise ValueError(
            f"scores range from {score.min()} to {score.max()}, expected 0 to {LARGEST_SCORE:g} and no NaN. "
            "The training has probably diverged: look at its history.csv and train the model again."
        )
    eroded = erode_in_plane(brain, erosion_iterations)
    if brain.any() and not eroded.any():
        raise ValueError(
            f"score.erosion_iterations is {erosion_iterations}, which removes the whole brain of "
            f"{int(brain.sum())} voxels: every score would be 0. Write a smaller number, 2 for a grid of 64 "
            "voxels, and run the same command again."
        )
    return median_filter(score.astype(np.float32) * eroded, median_size_voxels).astype(np.float16)


def erode_in_plane(brain: np.ndarray, iterations: int) -> np.ndarray:
    """Return the mask (..., X, Y, Z) after binary erosions within each axial slice, along the last axis.

    The structuring element is the 2-D cross (4 neighbours in the plane), as in the authors' later public code
    (2 iterations at 64 voxels). Voxels beyond the grid count as outside the brain: border_value=0, the
    default of scipy.ndimage.binary_erosion.
    """
    if iterations < 0:
        raise ValueError(f"{iterations} erosions of the brain mask; give 0 (none) or more.")
    eroded = np.array(brain, dtype=bool)
    plane = np.moveaxis(eroded, (-3, -2), (0, 1))  # a view
    for _ in range(iterations):
        before = plane.copy()
        plane[1:] &= before[:-1]
        plane[:-1] &= before[1:]
        plane[:, 1:] &= before[:, :-1]
        plane[:, :-1] &= before[:, 1:]
        # voxels at the edge of the grid have a neighbour outside the brain
        plane[[0, -1]] = False
        plane[:, [0, -1]] = False
    return eroded


def median_filter(volume: np.ndarray, size_voxels: int) -> np.ndarray:
    """Return the median of the cube around each voxel, equal to scipy.ndimage.median_filter(volume, size).

    The grid is mirrored at its border with the border voxel repeated (scipy's mode "reflect", numpy's
    "symmetric"). If more than half of a cube is exactly 0, so is its median; only the other cubes, about a
    third of a 64-voxel grid, are extracted and sorted. The volume is finite and 3-D, the edge of the cube
    odd.
    """
    if size_voxels < 1 or size_voxels % 2 == 0:
        raise ValueError(
            f"a median filter of {size_voxels} voxels has no middle voxel; choose an odd size, or 1 for none."
        )
    if size_voxels == 1:
        return volume.copy()
    middle = size_voxels**3 // 2
    padded = np.pad(volume, size_voxels // 2, mode="symmetric")
    open_voxels = np.flatnonzero(_window_sum(padded != 0, size_voxels) > middle)
    corners = np.ravel_multi_index(np.unravel_index(open_voxels, volume.shape), padded.shape)
    offsets = np.ravel_multi_index(np.indices((size_voxels,) * 3).reshape(3, -1), padded.shape)

    medians = np.zeros(volume.size, dtype=volume.dtype)
    values = padded.ravel()
    for start in range(0, len(open_voxels), WINDOWS_AT_ONCE):
        slab = slice(start, start + WINDOWS_AT_ONCE)
        windows = values[corners[slab, None] + offsets]
        windows.partition(middle, axis=1)
        medians[open_voxels[slab]] = windows[:, middle]
    return medians.reshape(volume.shape)


def _window_sum(padded: np.ndarray, size_voxels: int) -> np.ndarray:
    """Number of True voxels in every cube within the padded grid."""
    total = padded.astype(np.int32)
    for axis in range(total.ndim):
        windows = np.lib.stride_tricks.sliding_window_view(total, size_voxels, axis=axis)
        total = reduce(np.add, (windows[..., place] for place in range(size_voxels)))
    return total
