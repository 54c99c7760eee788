"""Each part of the brain is erased in turn, and the network's reconstruction of that part alone is kept.

The idea of Zavrtanik et al. (2021), "Reconstruction by inpainting for visual anomaly detection" (RIAD), and
of patch-wise diffusion (Behrendt et al. 2023): a network that never sees a lesion cannot copy it. Only a
network trained with erasing has learned to reconstruct a part that it does not see.
"""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Generator, Tensor

from spatial_erasing.score.reconstruct import ScoreOfSamples, erased
from spatial_erasing.train.network import Network

READS = "network"
NEEDS_HEALTHY = False
SETTINGS = {"edge_voxels": {"$ref": "#/$defs/count"}, "fill": {"enum": ["zero", "noise"]}}


@dataclass(frozen=True)
class Score(ScoreOfSamples):
    """|scan - reconstruction of the erased square or cube|."""

    edge_voxels: int  # edge of the parts, which tile the grid
    fill: str  # "zero" or "noise"

    @torch.no_grad()
    def compute(self, network: Network, scans: Tensor, brain: Tensor, generator: Generator) -> Tensor:
        """|scan - output|; 0 in parts without brain."""
        painted = scans.clone()
        starts = [range(0, size, self.edge_voxels) for size in scans.shape[2:]]
        for corner in product(*starts):
            inside = [slice(start, start + self.edge_voxels) for start in corner]
            part = torch.zeros_like(brain)
            part[(slice(None), slice(None), *inside)] = True
            if (brain & part).any():
                output = network.reconstruct(erased(scans, part, self.fill, generator))
                painted = torch.where(part, output, painted)
        return (scans - painted).abs()
