"""Structural dissimilarity of a scan and its reconstruction, mean over several window sizes.

Behrendt et al. 2024, "Diffusion models with ensembled structure-based anomaly scoring for unsupervised
anomaly detection" (ISBI): SSIM (Wang et al. 2004) sees differences of texture that the l1 distance does not,
and the best window differs from lesion to lesion. Here the windows are cubes of equal weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spatial_erasing.score.windows import smooth

READS = "reconstruction"
WINDOWS = (3, 5, 7, 9, 11)
SETTINGS = {"windows_voxels": {"type": "array", "items": {"enum": [3, 5, 7, 9, 11]}, "minItems": 1}}
_C1, _C2 = 0.01**2, 0.03**2  # Wang et al. 2004, for intensities in [0, 1]


@dataclass(frozen=True)
class Score:
    """(1 - SSIM) / 2, from 0 (equal) to 1."""

    windows_voxels: Sequence[int]  # edges of the cubes over which SSIM is computed

    def __post_init__(self) -> None:
        if not self.windows_voxels or not set(self.windows_voxels) <= set(WINDOWS):
            raise ValueError(f"windows_voxels is {self.windows_voxels}; expected some of {WINDOWS}.")

    def score_map(self, scan: np.ndarray, reconstruction: np.ndarray, _brain: np.ndarray) -> np.ndarray:
        """Mean over the windows, float32 from 0 to 1, shape (X, Y, Z)."""
        pair = scan.astype(np.float64), reconstruction.astype(np.float64)
        maps = [1 - structural_similarity(*pair, window_voxels=size) for size in self.windows_voxels]
        return np.clip(np.mean(maps, axis=0) / 2, 0, 1).astype(np.float32)


def structural_similarity(first: np.ndarray, second: np.ndarray, *, window_voxels: int) -> np.ndarray:
    """SSIM of two volumes (X, Y, Z) in [0, 1] at each voxel, from -1 to 1 (equal).

    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity", equation 13,
    with cubic windows of an odd edge.
    """
    weights = np.full(window_voxels, 1 / window_voxels)
    products = np.stack([first, second, first * first, second * second, first * second])
    mean_1, mean_2, square_1, square_2, mixed = smooth(products, weights)
    covariance = mixed - mean_1 * mean_2
    variances = square_1 - mean_1**2 + square_2 - mean_2**2
    luminance = (2 * mean_1 * mean_2 + _C1) / (mean_1**2 + mean_2**2 + _C1)
    return luminance * (2 * covariance + _C2) / (variances + _C2)
