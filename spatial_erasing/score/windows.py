"""Weighted means over the neighbourhood of each voxel."""

import numpy as np


def smooth(volume: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean of a window around each voxel, along one axis after the other.

    Equal to scipy.ndimage.correlate1d along the last three axes with mode "nearest" (border voxels repeated).

    Args:
        volume: any unit, shape (..., X, Y, Z).
        weights: of the window along an axis, the same for each axis, shape (window,), an odd number.

    Returns:
        Same unit and shape.
    """
    reach = len(weights) // 2
    for axis in (-3, -2, -1):
        widths = [(0, 0)] * volume.ndim
        widths[axis] = (reach, reach)
        padded = np.pad(volume, widths, mode="edge")
        volume = np.lib.stride_tricks.sliding_window_view(padded, len(weights), axis=axis) @ weights
    return volume


def gaussian_weights(deviation_voxels: float) -> np.ndarray:
    """Weights of a Gaussian up to four standard deviations, shape (window,), sum 1; [1] for 0."""
    reach = int(4 * deviation_voxels + 0.5)
    if reach == 0:
        return np.ones(1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation_voxels) ** 2)
    return weights / weights.sum()


def uniform_weights(size_voxels: int) -> np.ndarray:
    """Equal weights of a window of an odd size, shape (size_voxels,), sum 1."""
    return np.full(size_voxels, 1 / size_voxels)
