"""A variational autoencoder whose latent code is a grid: maps of mean and log variance.

Baur et al. (2018), "Deep autoencoding models for unsupervised anomaly segmentation in brain MR images",
BrainLes, replace the dense latent code of slices by one with axes in space. Loss and remaining layers are
those of the paper's network. Not in the paper.
"""

from dataclasses import dataclass

from torch import nn

from spatial_erasing.train.convolutions import CODE, ConvolutionSettings
from spatial_erasing.train.layers import PointwiseConvolution
from spatial_erasing.train.networks import vae

HAS_LATENT = True  # `encode` and `decode`, for scores
SETTINGS = CODE | {"kl_weight": {"type": "number", "minimum": 0}}


@dataclass(frozen=True)
class Settings(ConvolutionSettings):
    """Settings of the layers and of the loss; `bottleneck_channels` is the number of latent maps."""

    kl_weight: float  # weight of the KL divergence

    @property
    def latent_size(self) -> int:
        """Number of values of z, over all maps and places."""
        return self.code_size


class Network(vae.Network):
    """Encodes a slice or volume to a Gaussian over maps on the coarsest grid, and decodes these."""

    def latent_layers(self) -> tuple[nn.Linear, nn.Linear, nn.Module]:
        """1x1 convolutions to the maps of mean and log variance; from z, only a change of shape."""
        maps = self.settings.code_shape[0]
        to_mean, to_log_variance = PointwiseConvolution(maps, maps), PointwiseConvolution(maps, maps)
        return to_mean, to_log_variance, nn.Unflatten(1, self.settings.code_shape)
