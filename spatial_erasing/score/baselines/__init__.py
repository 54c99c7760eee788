"""Kinds of baselines, one module each: reconstructions without a network, which any network should beat.

    reconstruct(healthy, scans) -> np.ndarray

takes the healthy training subjects and the scans of a split, and returns float16 in the shape of the scans:
the volumes that the scans are compared with. A baseline that computes a distance returns volumes whose
difference from the scans is this distance.
"""

import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.registry import BASELINES


def reconstruct_without_network(kind: str, healthy: Split, scans: Split) -> np.ndarray:
    """The reconstructions of a baseline, float16, shape of the scans.

    Args:
        kind: a module of `score/baselines/`.
        healthy: training subjects.
        scans: a split.
    """
    return BASELINES.load(kind).reconstruct(healthy, scans)
