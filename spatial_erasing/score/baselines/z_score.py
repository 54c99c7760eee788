"""The z-score of each voxel against the healthy training volumes.

Saase et al. 2020, "Simple statistical methods for unsupervised brain anomaly detection on MRI are competitive
to deep learning methods".
"""

import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.score.maps import bounded

FLOOR = 1.0  # times the mean spread in the brain, for voxels where all healthy volumes agree by chance


def reconstruct(healthy: Split, scans: Split) -> np.ndarray:
    """The volumes whose distance from the scans is |z| / (1 + |z|), float16, shape of the scans."""
    mean, spread = (getattr(healthy.scans, name)(axis=0, dtype=np.float64) for name in ("mean", "std"))
    floor = FLOOR * spread[healthy.brain.any(axis=0)].mean()
    outputs = np.empty(scans.scans.shape, dtype=np.float16)
    for place, scan in enumerate(scans.scans.astype(np.float64)):
        z = (scan - mean) / (spread + floor)
        outputs[place] = scan - np.sign(z) * bounded(np.abs(z))
    return outputs
