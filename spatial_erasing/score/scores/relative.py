"""Another score relative to its mean and spread in healthy validation brains, voxel by voxel.

The z-score of Saase et al. (2020), "Simple statistical methods for unsupervised brain anomaly detection on
MRI are competitive to deep learning methods", of a score instead of the intensity: the cortex and the rim of
the ventricles are reconstructed badly in every brain, a lesion in one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.score.maps import bounded
from spatial_erasing.score.reconstruct import unstored_maps
from spatial_erasing.score.windows import gaussian_weights, smooth
from spatial_erasing.train.network import Network

READS = "network"
NEEDS_HEALTHY = True
SETTINGS = {
    "of": {"type": "object", "required": ["kind"]},
    "centred": {"type": "boolean"},
    "smoothing_voxels": {"type": "number", "minimum": 0},
    "floor": {"type": "number", "exclusiveMinimum": 0},
}
FEWEST = 3  # each healthy scan is compared with the others, and at one voxel a single other has no spread


@dataclass(frozen=True)
class Score:
    """z / (1 + z) with z = score / (spread + floor), in [0, 1)."""

    of: Mapping[str, Any]  # kind and settings of the other score
    centred: bool  # whether the mean is subtracted first; scores below the mean become 0
    smoothing_voxels: float  # standard deviation of a Gaussian over neighbouring voxels; 0 for none
    floor: float  # added to the spread, as a share of its mean over the brain

    def score_maps(self, network: Network, scans: Split, healthy: Split) -> Iterator[np.ndarray]:
        """One map per scan, shape (X, Y, Z). A healthy subject is compared with the other healthy ones."""
        if len(healthy.subjects) < FEWEST and len(gaussian_weights(self.smoothing_voxels)) == 1:
            raise ValueError(
                f"the score relative with smoothing_voxels: {self.smoothing_voxels:g} compares with "
                f"{len(healthy.subjects)} healthy validation scans, expected at least {FEWEST}: give more to "
                "validation in split.sizes.healthy of config.yaml, or write smoothing_voxels: 1."
            )
        maps = unstored_maps(network, healthy, healthy, score=self.of)
        powers = {
            subject: np.stack([brain, brain * raw, brain * np.square(raw)]).astype(np.float64)
            for subject, raw, brain in zip(healthy.subjects, maps, healthy.brain, strict=True)
        }
        total = reduce(np.add, powers.values())  # np.sum would copy them all
        of_all = moments(total, self.smoothing_voxels)
        found = unstored_maps(network, scans, healthy, score=self.of)
        for subject, raw in zip(scans.subjects, found, strict=True):
            is_alone = subject not in powers or len(powers) == 1
            mean, spread = of_all if is_alone else moments(total - powers[subject], self.smoothing_voxels)
            floor = self.floor * spread[total[0] > 0].mean()
            above = np.maximum(raw - mean, 0) if self.centred else raw
            yield bounded(above / (spread + floor))


def moments(powers: np.ndarray, smoothing_voxels: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a score at each voxel, (X, Y, Z); both 0 far from every healthy brain.

    Powers, shape (3, X, Y, Z), are the number of healthy brains with this voxel, the sum of their scores, and
    the sum of the squared scores; a Gaussian of this standard deviation weights neighbouring voxels.
    """
    brains, first, second = smooth(powers, gaussian_weights(smoothing_voxels))
    brains = np.maximum(brains, 1e-6)
    mean = first / brains
    return mean, np.sqrt(np.maximum(second / brains - mean**2, 0))
