"""The mean healthy training volume."""

import numpy as np

from spatial_erasing.cohorts import Split


def reconstruct(healthy: Split, scans: Split) -> np.ndarray:
    """The mean healthy training volume for every scan, float16, shape of the scans."""
    # in double precision, since rounding errors add up over thousands of volumes
    mean = healthy.scans.mean(axis=0, dtype=np.float64).astype(np.float16)
    return np.broadcast_to(mean, scans.scans.shape).copy()
