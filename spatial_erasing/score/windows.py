"""Weighted means over the neighbourhood of each voxel."""

import numpy as np


def smooth(volume: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean of a window around each voxel, along one axis after the other; unit and shape stay.

    Equal to scipy.ndimage.correlate1d along the last three axes with mode "nearest" (border voxels repeated),
    with an odd number of weights, the same for each axis.
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
