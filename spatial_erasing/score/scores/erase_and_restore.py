"""The most suspicious voxels are erased and reconstructed from the rest of the brain, again and again.

The idea of Liang et al. (2025), IterMask3D, with a network trained on erased squares or cubes: a lesion that
the network does not see cannot pull its reconstruction towards itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from spatial_erasing.cohorts import Split
from spatial_erasing.score.samples import erased, subject_maps
from spatial_erasing.train.network import Network

READS = "network"
SETTINGS = {
    "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
    "rounds": {"$ref": "#/$defs/count"},
    "fill": {"enum": ["zero", "noise"]},
}


@dataclass(frozen=True)
class Score:
    """|scan - reconstruction| after the last round.

    Args:
        share: erased share of the brain's voxels, 0 to 0.5; the voxels with the largest residual are erased,
            averaged over three voxels along each axis.
        rounds: number of rounds of erasing and reconstruction.
        fill: "zero" or "noise" in the erased voxels.
    """

    share: float
    rounds: int
    fill: str

    def score_maps(self, network: Network, scans: Split, _healthy: Split) -> Iterator[np.ndarray]:
        """One map per scan, float32, at least 0, in units of intensity, shape (X, Y, Z)."""
        yield from subject_maps(network, scans, partial(self._map, network))

    @torch.no_grad()
    def _map(self, network: Network, scans: Tensor, brain: Tensor, generator: Generator) -> Tensor:
        average = functional.avg_pool2d if scans.ndim == 4 else functional.avg_pool3d
        residual = (scans - network.reconstruct(scans)).abs()
        for _ in range(self.rounds):
            suspicion = average(residual * brain, 3, stride=1, padding=1) * brain
            # by rank, since torch's quantile is limited to 16 million values
            count = max(1, round(self.share * int(brain.sum())))
            regions = (suspicion >= suspicion.flatten().topk(count).values[-1]) & brain
            residual = (scans - network.reconstruct(erased(scans, regions, self.fill, generator))).abs()
        return residual
