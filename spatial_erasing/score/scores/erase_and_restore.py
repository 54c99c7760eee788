"""The most suspicious voxels are erased and reconstructed from the rest of the brain, again and again.

The idea of Liang et al. (2025), IterMask3D, with a network trained on erased squares or cubes: a lesion that
the network does not see cannot pull its reconstruction towards itself.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from spatial_erasing.score.reconstruct import ScoreOfSamples, erased
from spatial_erasing.train.network import Network

READS = "network"
NEEDS_HEALTHY = False
SETTINGS = {
    "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
    "rounds": {"$ref": "#/$defs/count"},
    "fill": {"enum": ["zero", "noise"]},
}


@dataclass(frozen=True)
class Score(ScoreOfSamples):
    """|scan - reconstruction| after the last round.

    Each round erases the voxels with the largest residual, averaged over three voxels along each axis.
    """

    share: float  # of the brain's voxels that are erased, 0 to 0.5
    rounds: int
    fill: str  # "zero" or "noise"

    @torch.no_grad()
    def compute(self, network: Network, scans: Tensor, brain: Tensor, generator: Generator) -> Tensor:
        """|scan - reconstruction| after the last round, in units of intensity, shape of the scans."""
        average = functional.avg_pool2d if scans.ndim == 4 else functional.avg_pool3d
        residual = (scans - network.reconstruct(scans)).abs()
        for _ in range(self.rounds):
            suspicion = average(residual * brain, 3, stride=1, padding=1) * brain
            # by rank, since torch's quantile is limited to 16 million values
            count = max(1, round(self.share * int(brain.sum())))
            regions = (suspicion >= suspicion.flatten().topk(count).values[-1]) & brain
            residual = (scans - network.reconstruct(erased(scans, regions, self.fill, generator))).abs()
        return residual
