"""The latent code is fitted to the scan by l1 with its prior, and the scan compared with the decoded image.

You et al. 2019 and Chen et al. 2020, "Unsupervised lesion detection via image restoration with a normative
prior", restore instead of projecting; here the restored image is the decoder's. The encoder is pulled by a
lesion, while the l1 distance weighs a voxel in a lesion no more than any other. Bengs et al. (2021) name
restoration as future work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Generator, Tensor

from spatial_erasing.cohorts import Split
from spatial_erasing.score.samples import LatentNetwork, require_latent, subject_maps
from spatial_erasing.train.network import Network, reconstruction_l1

READS = "network"
NEEDS_LATENT: dict[str, str] = {}
SETTINGS = {
    "steps": {"type": "integer", "minimum": 0},
    "rate": {"type": "number", "exclusiveMinimum": 0},
    "prior": {"type": "number", "minimum": 0},
}
SUBJECTS_AT_ONCE = 8


@dataclass(frozen=True)
class Score:
    """|scan - decode(z)| with z that minimises l1 + prior · |z|² / 2, by Adam from the encoder's mean.

    Args:
        steps: of Adam; 0 gives the paper's residual.
        rate: of Adam.
        prior: weight of the standard normal prior; 1 as in training.
    """

    steps: int
    rate: float
    prior: float

    def score_maps(self, network: Network, scans: Split, _healthy: Split) -> Iterator[np.ndarray]:
        """Maps of the scans, shape (X, Y, Z).

        Raises:
            ValueError: the network has no latent distribution.
        """
        fitted = partial(self._map, require_latent(network))
        yield from subject_maps(network, scans, fitted, subjects_at_once=SUBJECTS_AT_ONCE)

    def _map(self, network: LatentNetwork, scans: Tensor, _brain: Tensor, _generator: Generator) -> Tensor:
        latent = network.encode(scans)[0].detach().requires_grad_()
        optimiser = torch.optim.Adam([latent], lr=self.rate)
        for _ in range(self.steps):
            # a sum, so that each sample is fitted as if it were alone
            loss = reconstruction_l1(scans, network.decode(latent)).sum()
            loss = loss + self.prior * latent.square().sum() / 2
            (latent.grad,) = torch.autograd.grad(loss, latent)
            optimiser.step()
        return (scans - network.decode(latent)).detach().abs()
