"""The variational autoencoder, one definition for slices and volumes.

Bengs et al. 2021, section 2.2 and Figure 2: 2-D and 3-D share layers and feature maps, only the
dimension of the operations differs. The numbers printed in Figure 2 are not in the text; preset "a" follows
the 2-D network of the study that the paper builds on (Baur et al. 2020), preset "b" has one level more.
"""

import copy
import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from spatial_erasing.train.layers import GroupNorm, OneMapConv2d, OneMapConv3d, PointwiseConvolution

FIRST_CONVOLUTIONS = {2: OneMapConv2d, 3: OneMapConv3d}
CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED_CONVOLUTIONS = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
# Channels last is what convolutions compute in anyway, on the CPU and on the GPU.
MEMORY_FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}
NORMS = ("none", "batch", "group")
# In place where the derivative follows from the output: one large tensor fewer to write a level.
ACTIVATIONS = {
    "leaky_relu": partial(nn.LeakyReLU, 0.3, inplace=True),  # Baur et al.'s slope, the default of Keras
    "relu": partial(nn.ReLU, inplace=True),
    "silu": nn.SiLU,
    "elu": partial(nn.ELU, inplace=True),
}
OUTPUT_ACTIVATIONS = {"linear": nn.Identity, "sigmoid": nn.Sigmoid}

PRESETS = {
    "a": {"feature_maps": (32, 64, 128), "bottleneck_channels": 16},
    "b": {"feature_maps": (32, 64, 128, 256), "bottleneck_channels": None},
}


@dataclass(frozen=True)
class NetworkSettings:
    """Everything that defines a network's layers.

    Args:
        spatial_dims: 2 for axial slices, 3 for volumes.
        grid_voxels: pixels of the input on each axis, each divisible by 2 ** len(feature_maps).
        feature_maps: maps after each convolution that halves the grid.
        bottleneck_channels: maps of the 1x1 convolution before the dense layers, or None for no such layer.
        latent_size: length of z (paper: 128 in 2-D, 512 in 3-D).
        kernel_size: of the halving and doubling convolutions, in pixels, at least 2.
        norm: "none", "batch" or "group" (the same for erased and whole inputs), between convolution and
            activation.
        activation: a key of `ACTIVATIONS`.
        output_activation: "linear" or "sigmoid".
    """

    spatial_dims: int
    grid_voxels: tuple[int, ...]
    feature_maps: tuple[int, ...]
    bottleneck_channels: int | None
    latent_size: int
    kernel_size: int = 5
    norm: str = "group"
    activation: str = "leaky_relu"
    output_activation: str = "linear"

    def __post_init__(self) -> None:
        _require_choice("spatial_dims", self.spatial_dims, CONVOLUTIONS)
        _require_choice("norm", self.norm, NORMS)
        _require_choice("activation", self.activation, ACTIVATIONS)
        _require_choice("output_activation", self.output_activation, OUTPUT_ACTIVATIONS)
        if self.kernel_size < 2 or not self.feature_maps:
            raise ValueError(
                f"kernel_size is {self.kernel_size} and feature_maps {self.feature_maps}; expected a kernel "
                "of 2 or more and one number of maps a level. Use 3, 4 or 5 and a preset's maps."
            )
        self._require_grid()

    @property
    def latent_grid(self) -> tuple[int, ...]:
        """Pixels on each axis after the last halving."""
        return tuple(size // 2 ** len(self.feature_maps) for size in self.grid_voxels)

    def _require_grid(self) -> None:
        stride = 2 ** len(self.feature_maps)
        nearest = tuple(max(1, math.ceil(size / stride)) * stride for size in self.grid_voxels)
        if len(self.grid_voxels) != self.spatial_dims:
            raise ValueError(
                f"grid_voxels is {self.grid_voxels}; expected {self.spatial_dims} axes for a "
                f"{self.spatial_dims}-D network. Give one number an axis."
            )
        if nearest != tuple(self.grid_voxels):
            raise ValueError(
                f"grid_voxels is {self.grid_voxels}; {len(self.feature_maps)} levels halve every axis, so "
                f"each must be a positive multiple of {stride}. The next valid grid is {nearest}."
            )


class SpatialVAE(nn.Module):
    """Encodes a slice or volume to a Gaussian over z and decodes z to a healthy-looking image.

    Encoder: convolutions of stride 2, each followed by norm and activation; a 1x1 convolution to few
    channels (if there is a bottleneck); two dense layers to mean and log variance of q(z|x).
    Decoder: a dense layer; the 1x1 convolution back; transposed convolutions of stride 2; a 1x1 convolution
    to one channel.

    Weights start as torch sets them; Kaiming's start reconstructed worse. Without norm, Adam at the paper's
    rate of 0.001 drives the 8192 x 512 dense weights of the volume network apart within its first steps (loss
    above 10⁷); with norm and a rate that is warmed up it does not. The log variance is not clamped: clamping
    hides that divergence, does not cure it, and cuts off the gradient that leads back.

    Layers compute in the type of the weights, channels last; mean, log variance and the draw between them are
    float32 whatever that type is.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        channels = settings.bottleneck_channels or settings.feature_maps[-1]
        code_shape = (channels, *settings.latent_grid)
        code_size = math.prod(code_shape)
        self.encoder = nn.Sequential(_encoder_layers(settings))
        self.to_mean = nn.Linear(code_size, settings.latent_size)
        self.to_log_variance = nn.Linear(code_size, settings.latent_size)
        self.from_latent = nn.Sequential(
            nn.Linear(settings.latent_size, code_size), nn.Unflatten(1, code_shape)
        )
        self.decoder = nn.Sequential(_decoder_layers(settings))

    def encode(self, scans: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), each (batch, latent_size), of scans (batch, 1, *grid)."""
        expected = (1, *self.settings.grid_voxels)
        if tuple(scans.shape[1:]) != expected:
            raise ValueError(
                f"scans have shape {tuple(scans.shape)}; this network reads (batch, *{expected}). "
                "Add the channel axis, or build the network for that grid."
            )
        code = self.encoder(scans.to(self.to_mean.weight.dtype)).flatten(1)
        return self.to_mean(code).float(), self.to_log_variance(code).float()

    def decode(self, latent: Tensor) -> Tensor:
        """Reconstructions (batch, 1, *grid) of latent codes (batch, latent_size)."""
        code = self.from_latent(latent.to(self.to_mean.weight.dtype))
        return self.decoder(code.contiguous(memory_format=MEMORY_FORMATS[self.settings.spatial_dims]))

    def forward(self, scans: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruct scans.

        Args:
            scans: intensities in [0, 1], shape (batch, 1, *grid).
            noise: standard normal, shape (batch, latent_size), for training; None takes z = mean (test).

        Returns:
            Reconstructions in the shape of `scans`, and mean and log variance of q(z|x).
        """
        mean, log_variance = self.encode(scans)
        latent = mean if noise is None else sample_latent(mean, log_variance, noise)
        return self.decode(latent), mean, log_variance


def sample_latent(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Turn standard normal noise into a draw from q(z|x) = N(mean, exp(log_variance)).

    Kingma and Welling 2013, "Auto-encoding variational Bayes", section 2.4 (reparameterisation).
    """
    return mean + torch.exp(0.5 * log_variance) * noise


@dataclass(frozen=True)
class LayerShape:
    """What one layer puts out: its name, the pixels on each axis (none for z) and the number of maps."""

    name: str
    grid_voxels: tuple[int, ...]
    feature_maps: int


def trace_shapes(network: SpatialVAE) -> list[LayerShape]:
    """The output of every layer from input to output, as Figure 2 of the paper prints it.

    Runs on torch's meta device, so a volume costs neither memory nor time.
    """
    network = copy.deepcopy(network).to("meta").eval()
    settings = network.settings
    features = torch.zeros(1, 1, *settings.grid_voxels, device="meta")
    outputs = [("input", features)]
    for name, layer in network.encoder.named_children():
        features = layer(features)
        outputs.append((name, features))
    features = network.to_mean(features.flatten(1))
    outputs.append(("latent", features))
    features = network.from_latent(features)
    outputs.append(("from_latent", features))
    for name, layer in network.decoder.named_children():
        features = layer(features)
        outputs.append((name, features))
    return [LayerShape(name, tuple(output.shape[2:]), output.shape[1]) for name, output in outputs]


def parameter_count(network: nn.Module) -> int:
    """How many trainable numbers the network has."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def weights_in_precision(network: nn.Module, precision: str) -> dict[str, Tensor]:
    """The weights of a network as its layers shall see them; gradients flow back to the float32 ones.

    Batch norm keeps float32 beside its running means; group norm wants one type for all that it reads.
    """
    if precision == "float32":
        return {}
    kept = {module for module in network.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d)}
    return {
        f"{prefix}.{name}": parameter.to(getattr(torch, precision))
        for prefix, module in network.named_modules()
        if module not in kept
        for name, parameter in module.named_parameters(recurse=False)
    }


def _encoder_layers(settings: NetworkSettings) -> OrderedDict[str, nn.Module]:
    """Halving convolutions "down_1", "down_2", …, then the bottleneck, which stays linear."""
    dims, maps = settings.spatial_dims, settings.feature_maps
    padding = (settings.kernel_size - 1) // 2
    layers = OrderedDict()
    for level, (before, after) in enumerate(pairwise((1, *maps)), start=1):
        convolution = FIRST_CONVOLUTIONS[dims] if before == 1 else CONVOLUTIONS[dims]
        halve = convolution(before, after, settings.kernel_size, stride=2, padding=padding)
        layers[f"down_{level}"] = nn.Sequential(halve, *_norm_and_activation(after, settings))
    if settings.bottleneck_channels is not None:
        layers["bottleneck"] = PointwiseConvolution(maps[-1], settings.bottleneck_channels)
    return layers


def _decoder_layers(settings: NetworkSettings) -> OrderedDict[str, nn.Module]:
    """The mirror of the encoder: "restore", doubling convolutions "up_1", "up_2", …, "output".

    The last doubling keeps the first level's maps, so that the output is a mixture of them.
    """
    transposed_convolution = TRANSPOSED_CONVOLUTIONS[settings.spatial_dims]
    maps = tuple(reversed(settings.feature_maps))
    # Size after a transposed convolution: 2 (n - 1) - 2 padding + kernel + output_padding, wanted 2 n.
    padding = (settings.kernel_size - 1) // 2
    output_padding = 2 + 2 * padding - settings.kernel_size

    channels = settings.bottleneck_channels
    restore = [] if channels is None else [PointwiseConvolution(channels, maps[0])]
    layers = OrderedDict(restore=nn.Sequential(*restore, *_norm_and_activation(maps[0], settings)))
    for level, (before, after) in enumerate(pairwise((*maps, maps[-1])), start=1):
        double = transposed_convolution(
            before, after, settings.kernel_size, stride=2, padding=padding, output_padding=output_padding
        )
        layers[f"up_{level}"] = nn.Sequential(double, *_norm_and_activation(after, settings))
    output_activation = OUTPUT_ACTIVATIONS[settings.output_activation]()
    layers["output"] = nn.Sequential(PointwiseConvolution(maps[-1], 1), output_activation)
    return layers


def _norm_and_activation(channels: int, settings: NetworkSettings) -> list[nn.Module]:
    """What follows a convolution."""
    activation = ACTIVATIONS[settings.activation]()
    if settings.norm == "batch":
        batch_norm = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[settings.spatial_dims]
        return [batch_norm(channels), activation]
    if settings.norm == "group":
        return [GroupNorm(math.gcd(8, channels), channels), activation]
    return [activation]


def _require_choice(name: str, value: object, choices: object) -> None:
    """Refuse a value that is not one of the choices, and list them."""
    if value not in choices:
        raise ValueError(
            f"{name} is {value!r}; expected one of {', '.join(map(str, choices))}. Correct it in config.yaml."
        )
