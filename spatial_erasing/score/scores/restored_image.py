"""The scan is changed until the network explains it, with a penalty on the change's total variation.

Chen et al. 2020, "Unsupervised lesion detection via image restoration with a normative prior": from the scan
on, the image descends the gradient of the network's own loss (for a VAE the negative evidence lower bound).
The total variation of its difference from the scan keeps the difference in few, smooth regions.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from spatial_erasing.score.reconstruct import ScoreOfSamples
from spatial_erasing.train.network import Network
from spatial_erasing.train.unet import RestoringNetwork

READS = "network"
NEEDS_HEALTHY = False
SETTINGS = {
    "steps": {"type": "integer", "minimum": 0},
    "rate": {"type": "number", "exclusiveMinimum": 0},
    "variation": {"type": "number", "minimum": 0},
}


@dataclass(frozen=True)
class Score(ScoreOfSamples):
    """|scan - restored image| after steps of Adam from the scan."""

    steps: int
    rate: float  # of Adam, in units of intensity
    variation: float  # weight of the total variation of the difference

    def compute(self, network: Network, scans: Tensor, _brain: Tensor, _generator: Generator) -> Tensor:
        """|scan - restored image|, in units of intensity, shape of the scans."""
        image = scans.clone().requires_grad_()
        optimiser = torch.optim.Adam([image], lr=self.rate)
        for _ in range(self.steps):
            # in `forward` such a network corrupts its input first
            is_restoring = isinstance(network, RestoringNetwork)
            outputs = (network.reconstruct(image),) if is_restoring else network(image)
            loss = len(image) * network.loss(image, outputs)[0]
            loss = loss + self.variation * total_variation(image - scans)
            (image.grad,) = torch.autograd.grad(loss, image)
            optimiser.step()
        return (scans - image).detach().abs()


def total_variation(volumes: Tensor) -> Tensor:
    """Sum of absolute differences of neighbours along each axis (anisotropic), in the unit of the volumes.

    They have the shape (samples, 1, *grid); the sum is over all samples.
    """
    axes = range(2, volumes.ndim)
    return torch.stack([volumes.diff(dim=axis).abs().sum() for axis in axes]).sum()
