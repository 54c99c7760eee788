"""Two reconstructions without a network, which any network should beat."""

import numpy as np

from spatial_erasing.cohorts import Split


def mean_healthy_volume(healthy: Split, scans: Split) -> np.ndarray:
    """The mean healthy training volume for every scan, float16 of the scans' shape."""
    mean = healthy.scans.mean(axis=0, dtype=np.float64).astype(np.float16)
    return np.broadcast_to(mean, scans.scans.shape).copy()


def brain_median(_healthy: Split, scans: Split) -> np.ndarray:
    """Each scan's median inside its brain, at every voxel, float16 of the scans' shape."""
    medians = [
        np.median(scan[brain].astype(np.float32))
        for scan, brain in zip(scans.scans, scans.brain, strict=True)
    ]
    return np.broadcast_to(np.reshape(medians, (-1, 1, 1, 1)), scans.scans.shape).astype(np.float16)


BASELINES = {"baseline-mean-healthy": mean_healthy_volume, "baseline-brain-median": brain_median}
