"""The variational autoencoder of the paper: layers, loss and reconstruction.

Bengs et al. 2021, sections 2.2 and 2.3. It minimises the l1 distance to the unerased scan plus the KL
divergence of the latent code from a standard normal.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spatial_erasing.train import network
from spatial_erasing.train.convolutions import CODE, ConvolutionSettings, decoder_layers, encoder_layers

SETTINGS = CODE | {
    "latent_size": {"$ref": "#/$defs/by_dimensions"},
    "kl_weight": {"type": "number", "minimum": 0},
}
HAS_LATENT = True  # `encode` and `decode`, for scores
ACTIVE_UNIT_KL = 0.01  # nats; below it a latent dimension is inactive, as in Burda et al. 2016


@dataclass(frozen=True)
class Settings(ConvolutionSettings):
    """Settings of the layers and of the loss."""

    latent_size: int  # length of z (paper: 128 in 2-D, 512 in 3-D)
    kl_weight: float  # weight of the KL divergence


class FlatLinear(nn.Linear):
    """A dense layer that reads all values of a sample."""

    def forward(self, features: Tensor) -> Tensor:
        """Features of shape (batch, maps, *grid)."""
        return super().forward(features.flatten(1))


class Network(network.Network):
    """Encodes a slice or volume to a Gaussian over z and decodes z to a healthy-looking image.

    Encoder: convolutions of stride 2, each followed by norm and activation; a 1x1 convolution to few
    channels (if there is a bottleneck); two dense layers to mean and log variance of q(z|x).
    Decoder: a dense layer; the 1x1 convolution back; transposed convolutions of stride 2; a 1x1 convolution
    to one channel.

    Weights have torch's default initialisation; Kaiming initialisation reconstructed worse. Without
    normalisation, Adam at the paper's rate of 0.001 diverges in the 8192 x 512 dense layers of the 3-D
    network within its first steps (loss above 10⁷); with normalisation and warm-up it does not. The log
    variance is not clamped: clamping hides the divergence and removes the gradient that would correct it.

    Layers compute in the type of the weights, channels last; mean, log variance and latent samples are always
    float32.
    """

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings, self.noise_size = settings, settings.latent_size
        self.encoder = nn.Sequential(encoder_layers(settings))
        self.to_mean, self.to_log_variance, self.from_latent = self.latent_layers()
        self.decoder = nn.Sequential(decoder_layers(settings))

    def latent_layers(self) -> tuple[nn.Linear, nn.Linear, nn.Module]:
        """Layers from the encoder's output to mean and to log variance, and from z to the decoder's input."""
        code_size, latent_size = self.settings.code_size, self.settings.latent_size
        to_mean, to_log_variance = FlatLinear(code_size, latent_size), FlatLinear(code_size, latent_size)
        back = nn.Linear(latent_size, code_size), nn.Unflatten(1, self.settings.code_shape)
        return to_mean, to_log_variance, nn.Sequential(*back)

    def encode(self, scans: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), each (batch, latent_size), of scans (batch, 1, *grid)."""
        network.require_grid(scans, self.settings)
        code = self.encoder(scans.to(self.to_mean.weight.dtype))
        # both enter the loss, which is float32
        return self.to_mean(code).flatten(1).float(), self.to_log_variance(code).flatten(1).float()

    def decode(self, latent: Tensor) -> Tensor:
        """Reconstructions (batch, 1, *grid) of latent codes (batch, latent_size)."""
        code = self.from_latent(latent.to(self.to_mean.weight.dtype))
        # Unflatten returns channels first
        return self.decoder(code.contiguous(memory_format=network.MEMORY_FORMATS[self.settings.spatial_dims]))

    def forward(self, scans: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions in the shape of `scans`, and mean and log variance of q(z|x).

        Scans have intensities in [0, 1], shape (batch, 1, *grid). The noise is standard normal, shape (batch,
        latent_size), in training; None stands for z = mean (test).
        """
        mean, log_variance = self.encode(scans)
        latent = mean if noise is None else sample_latent(mean, log_variance, noise)
        return self.decode(latent), mean, log_variance

    def loss(self, scans: Tensor, outputs: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        """`vae_loss`, with l1 per voxel and KL per sample, means over the batch."""
        reconstructions, mean, log_variance = outputs
        loss = vae_loss(scans, reconstructions, mean, log_variance, kl_weight=self.settings.kl_weight)
        with torch.no_grad():
            l1 = network.reconstruction_l1(scans, reconstructions).mean() / scans[0].numel()
            return loss, {"l1": l1, "kl": kl_divergence(mean, log_variance).mean()}

    def latent_numbers(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """KL divergence of each latent dimension."""
        return kl_per_dimension(*outputs[1:])

    def summary(self, latent: list[float]) -> dict[str, float]:
        """KL summed over z, and the number of active units."""
        return {"validation_kl": sum(latent), "active_units": sum(kl > ACTIVE_UNIT_KL for kl in latent)}

    def trace(self) -> Iterator[tuple[str, nn.Module]]:
        """Both layers to z have the same shape; only the mean is listed."""
        yield from self.encoder.named_children()
        yield "latent", nn.Sequential(self.to_mean, nn.Flatten())
        yield "from_latent", self.from_latent
        yield from self.decoder.named_children()


def sample_latent(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Turn standard normal noise into a sample of q(z|x) = N(mean, exp(log_variance)).

    Kingma and Welling 2013, "Auto-encoding variational Bayes", section 2.4 (reparameterisation).
    """
    return mean + torch.exp(0.5 * log_variance) * noise


def kl_per_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of q(z|x) from the standard normal prior, float32, shape (batch, latent_size).

    Kingma and Welling 2013, "Auto-encoding variational Bayes", appendix B, with mean μ and variance σ²:

        KL = (μ² + σ² - 1 - log σ²) / 2

    Averaged over a data set, the dimensions above about 0.01 are the active units.
    """
    mean, log_variance = mean.float(), log_variance.float()
    # expm1 keeps the digits that exp(v) - 1 - v loses close to the prior.
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of q(z|x) from the prior, summed over the latent dimensions, shape (batch,)."""
    return kl_per_dimension(mean, log_variance).sum(dim=1)


def vae_loss(
    scans: Tensor, reconstructions: Tensor, mean: Tensor, log_variance: Tensor, *, kl_weight: float
) -> Tensor:
    """The loss: l1 summed over voxels + kl_weight · KL summed over z, mean over the batch.

    Bengs et al. 2021, section 2.3, name l1 and KL but no weight; 1 is the evidence lower bound with a Laplace
    likelihood of unit scale. Both are summed, not averaged, within a sample: with mean l1 plus mean KL at
    weight 1 the posterior collapses onto the prior, because l1 over 64³ voxels would weigh as much as one
    voxel. All sums are in float32, whatever the network's precision.
    """
    l1 = network.reconstruction_l1(scans, reconstructions)
    return (l1 + kl_weight * kl_divergence(mean, log_variance)).mean()
