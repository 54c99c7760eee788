"""A plain autoencoder: the layers of the paper's network with a deterministic code.

It minimises the l1 distance to the unerased scan. Not in the paper; Baur et al. (2020) compare it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from spatial_erasing.train import network
from spatial_erasing.train.convolutions import CODE, ConvolutionSettings, decoder_layers, encoder_layers

SETTINGS = CODE | {"latent_size": {"$ref": "#/$defs/by_dimensions"}}


@dataclass(frozen=True)
class Settings(ConvolutionSettings):
    """Settings of the layers."""

    latent_size: int  # length of the code


class Network(network.Network):
    """Encodes a slice or volume to a code and decodes it to a healthy-looking image."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = nn.Sequential(encoder_layers(settings))
        self.to_code = nn.Sequential(nn.Flatten(), nn.Linear(settings.code_size, settings.latent_size))
        self.from_code = nn.Sequential(
            nn.Linear(settings.latent_size, settings.code_size), nn.Unflatten(1, settings.code_shape)
        )
        self.decoder = nn.Sequential(decoder_layers(settings))

    def forward(self, scans: Tensor, noise: Tensor | None = None) -> tuple[Tensor]:
        """Reconstructions (batch, 1, *grid); `noise` is unused."""
        network.require_grid(scans, self.settings)
        weights = next(self.parameters())
        code = self.from_code(self.to_code(self.encoder(scans.to(weights.dtype))))
        layout = network.MEMORY_FORMATS[self.settings.spatial_dims]
        # Unflatten returns channels first
        return (self.decoder(code.contiguous(memory_format=layout)),)

    def trace(self) -> Iterator[tuple[str, nn.Module]]:
        """Encoder, both dense layers, decoder."""
        yield from self.encoder.named_children()
        yield "latent", self.to_code
        yield "from_latent", self.from_code
        yield from self.decoder.named_children()
