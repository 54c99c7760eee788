"""The latent code is fitted to the scan by l1 with its prior, and the scan compared with the decoded image.

You et al. 2019 and Chen et al. 2020, "Unsupervised lesion detection via image restoration with a normative
prior", restore a scan instead of encoding and decoding it; here the restored image is the decoder's output.
A lesion shifts the encoder's code, whereas in the l1 distance a lesion voxel weighs no more than any other.
Bengs et al. (2021) name restoration as future work.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from spatial_erasing.cohorts import Split
from spatial_erasing.score.maps import RECONSTRUCTION, make_score, stored_as
from spatial_erasing.score.reconstruct import LatentNetwork, require_latent, subject_maps
from spatial_erasing.train.network import Network, reconstruction_l1

READS = "network"
NEEDS_HEALTHY = False
OF_READS = "reconstruction"
NEEDS_LATENT: dict[str, str] = {}
SETTINGS = {
    "of": {"type": "object", "required": ["kind"]},
    "steps": {"type": "integer", "minimum": 0},
    "rate": {"type": "number", "exclusiveMinimum": 0},
    "prior": {"type": "number", "minimum": 0},
}
SUBJECTS_AT_ONCE = 8


@dataclass(frozen=True)
class Score:
    """A score of the scan and decode(z), where z minimises l1 + prior · |z|² / 2, found by Adam."""

    of: Mapping[str, Any]  # kind and settings of a score that reads reconstructions
    steps: int  # of Adam, which starts at the encoder's mean
    rate: float  # of Adam, in units of z
    prior: float  # weight of the standard normal prior; 1 as in training

    def score_maps(self, network: Network, scans: Split, _healthy: Split) -> Iterator[np.ndarray]:
        """One map per scan by the score `of`, shape (X, Y, Z)."""
        if stored_as(self.of) != RECONSTRUCTION:
            raise ValueError(
                f"scan and restoration are compared by the score {self.of['kind']}, which reads the network; "
                "expected a score that reads reconstructions, such as absolute. Correct `of` in config.yaml."
            )
        score, restore = make_score(self.of), partial(self._restore, require_latent(network))
        restored = subject_maps(network, scans, restore, subjects_at_once=SUBJECTS_AT_ONCE)
        for scan, output, brain in zip(scans.scans, restored, scans.brain, strict=True):
            yield score.score_map(scan, output, brain)

    def _restore(
        self, network: LatentNetwork, scans: Tensor, _brain: Tensor, _generator: Generator
    ) -> Tensor:
        latent = network.encode(scans)[0].detach().requires_grad_()
        optimiser = torch.optim.Adam([latent], lr=self.rate)
        for _ in range(self.steps):
            # a sum, so that each sample is fitted as if it were alone
            loss = reconstruction_l1(scans, network.decode(latent)).sum()
            loss = loss + self.prior * latent.square().sum() / 2
            (latent.grad,) = torch.autograd.grad(loss, latent)
            optimiser.step()
        return network.decode(latent).detach()
