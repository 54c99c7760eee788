"""Several reconstructions of a scan: distance from their mean, their spread, or the Mahalanobis distance.

Behrendt et al. 2024, "Leveraging the Mahalanobis distance to enhance unsupervised brain MRI anomaly
detection" (MICCAI): the distance of the scan from the distribution of its reconstructions, with the variance
of each voxel alone or with the covariance of all voxels. A `relative` score of this one compares it with
healthy brains.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from spatial_erasing.score.maps import bounded
from spatial_erasing.score.reconstruct import ScoreOfSamples, erased, require_latent
from spatial_erasing.train.erase import draw_regions
from spatial_erasing.train.network import Network
from spatial_erasing.train.networks.vae import sample_latent
from spatial_erasing.train.settings import ErasingSettings

READS = "network"
NEEDS_HEALTHY = False
NEEDS_LATENT = {"draws": "latent"}
ERASING = "cube"
SETTINGS = {
    "draws": {"enum": ["latent", "zero", "noise"]},
    "count": {"type": "integer", "minimum": 2},
    "keeps": {"enum": ["residual", "spread", "distance", "whitened"]},
    "floor": {"type": "number", "exclusiveMinimum": 0},
}


@dataclass(frozen=True)
class Score(ScoreOfSamples):
    """A statistic of several reconstructions of each scan.

    With "latent", samples of q(z|x) are decoded; with "zero" or "noise", a random square or cube is filled. A
    "residual" is |scan - mean|, a "spread" the standard deviation, a "distance" d / (1 + d) with
    d = |scan - mean| / sqrt(spread² + floor²). "whitened" is the same with d = |C^(-1/2) (scan - mean)|, C
    the covariance of all voxels plus floor² on its diagonal: the squares of d add up to the squared
    Mahalanobis distance of the slice (2-D) or of the volume (3-D).
    """

    draws: str
    count: int
    keeps: str
    floor: float  # in units of intensity

    @torch.no_grad()
    def compute(self, network: Network, scans: Tensor, _brain: Tensor, generator: Generator) -> Tensor:
        """Residual or spread, in units of intensity, or the bounded distance; shape of the scans."""
        outputs = torch.stack([self._reconstruct(network, scans, generator) for _ in range(self.count)])
        mean, spread = outputs.mean(dim=0), outputs.std(dim=0, correction=0)
        difference = scans - mean
        if self.keeps == "whitened":
            return bounded(whiten(difference, outputs - mean, floor=self.floor).abs())
        distance = bounded(difference.abs() / (spread.square() + self.floor**2).sqrt())
        return {"residual": difference.abs(), "spread": spread, "distance": distance}[self.keeps]

    def _reconstruct(self, network: Network, scans: Tensor, generator: Generator) -> Tensor:
        if self.draws == "latent":
            vae = require_latent(network)
            mean, log_variance = vae.encode(scans)
            noise = torch.randn(mean.shape, generator=generator, device=generator.device)
            return vae.decode(sample_latent(mean, log_variance, noise))
        grid = tuple(scans.shape[2:])
        settings = ErasingSettings()
        # erasing draws on the CPU
        seed = int(torch.randint(2**31, (1,), generator=generator, device=generator.device))
        drawn = draw_regions(
            ERASING, len(scans), grid, settings=settings, generator=Generator().manual_seed(seed)
        )
        return network.reconstruct(erased(scans, drawn.unsqueeze(1).to(scans.device), self.draws, generator))


def whiten(difference: Tensor, centred: Tensor, *, floor: float) -> Tensor:
    """C^(-1/2) d, with C = (covariance of all voxels) + floor² I, without forming C.

    Args:
        difference: d, shape (samples, ...).
        centred: reconstructions minus their mean, shape (count, samples, ...); covariances divide by count.
        floor: above 0, as few reconstructions span few directions of the voxels.
    """
    of_sample = centred.flatten(2).transpose(0, 1) / len(centred) ** 0.5  # (samples, count, voxels)
    _, deviations, directions = torch.linalg.svd(of_sample, full_matrices=False)
    given = difference.flatten(1).unsqueeze(2)
    # along the directions of the covariance another factor than 1 / floor
    factors = (deviations.square() + floor**2).rsqrt() - 1 / floor
    along = directions.transpose(1, 2) @ (factors.unsqueeze(2) * (directions @ given))
    return (given / floor + along).view_as(difference)
