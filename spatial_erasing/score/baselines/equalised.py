"""Histogram-equalised intensity: the darkest and the brightest voxels of each brain.

Meissen et al. 2022, "Challenging current semi-supervised anomaly segmentation methods for brain MRI",
threshold the bright tail on FLAIR; lesions are dark or bright on T1.
"""

import numpy as np

from spatial_erasing.cohorts import Split


def reconstruct(_healthy: Split, scans: Split) -> np.ndarray:
    """The volumes whose distance from the scans is |2 · rank - 1|, float16, shape of the scans.

    The rank of a voxel is the share of its brain's voxels that are darker, 0 to 1; voxels of equal intensity
    count half.
    """
    outputs = scans.scans.astype(np.float16)
    for scan, brain, output in zip(scans.scans, scans.brain, outputs, strict=True):
        values = np.sort(scan[brain])
        below, up_to = (np.searchsorted(values, scan[brain], side=side) for side in ("left", "right"))
        rank = (below + up_to) / (2 * max(1, len(values)))
        output[brain] = scan[brain] - (2 * rank - 1)
    return outputs
