"""Each part of the brain is erased in turn, and the network's reconstruction of that part alone is kept.

The idea of Zavrtanik et al. (2021), "Reconstruction by inpainting for visual anomaly detection" (RIAD), and
of patch-wise diffusion (Behrendt et al. 2023): a network that never sees a lesion cannot copy it. Only a
network trained with erasing has learned to reconstruct a part that it does not see.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import Generator, Tensor

from spatial_erasing.cohorts import Split
from spatial_erasing.score.samples import erased, subject_maps
from spatial_erasing.train.network import Network

READS = "network"
SETTINGS = {"edge_voxels": {"$ref": "#/$defs/count"}, "fill": {"enum": ["zero", "noise"]}}


@dataclass(frozen=True)
class Score:
    """|scan - reconstruction of the erased square or cube|.

    Args:
        edge_voxels: edge of the parts, which tile the grid.
        fill: "zero" or "noise" in the erased part.
    """

    edge_voxels: int
    fill: str

    def score_maps(self, network: Network, scans: Split, _healthy: Split) -> Iterator[np.ndarray]:
        """One map per scan, float32, at least 0, shape (X, Y, Z); 0 in parts without brain."""
        yield from subject_maps(network, scans, partial(self._map, network))

    @torch.no_grad()
    def _map(self, network: Network, scans: Tensor, brain: Tensor, generator: Generator) -> Tensor:
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
