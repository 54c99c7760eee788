"""Encoders and decoders of strided convolutions, one definition for slices and volumes.

Bengs et al. 2021, section 2.2 and Figure 2: 2-D and 3-D share layers and feature maps, only the
dimension of the operations differs.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from torch import nn

from spatial_erasing.train.layers import GroupNorm, OneMapConv2d, OneMapConv3d, PointwiseConvolution
from spatial_erasing.train.network import NetworkSettings
from spatial_erasing.train.settings import require_choice

FIRST_CONVOLUTIONS = {2: OneMapConv2d, 3: OneMapConv3d}
CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED_CONVOLUTIONS = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMS = ("none", "batch", "group")
# In place if the derivative follows from the output, which saves one large tensor per level.
ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "leaky_relu": partial(nn.LeakyReLU, 0.3, inplace=True),  # Baur et al.'s slope, the default of Keras
    "relu": partial(nn.ReLU, inplace=True),
    "silu": nn.SiLU,
    "elu": partial(nn.ELU, inplace=True),
}
OUTPUT_ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {"linear": nn.Identity, "sigmoid": nn.Sigmoid}
# JSON schemas of the settings in config.yaml, for the literal `SETTINGS` of the kinds.
LAYERS = {
    "feature_maps": {"type": "array", "items": {"$ref": "#/$defs/count"}, "minItems": 1},
    "kernel_size": {"enum": [3, 4, 5]},
    "norm": {"enum": ["none", "batch", "group"]},
    "activation": {"enum": ["leaky_relu", "relu", "elu", "silu"]},
    "output_activation": {"enum": ["linear", "sigmoid"]},
}
CODE = LAYERS | {"bottleneck_channels": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/count"}]}}


@dataclass(frozen=True)
class LayerSettings(NetworkSettings):
    """Settings of strided and transposed convolutions."""

    kernel_size: int  # at least 2
    norm: str  # before the activation; "none", "batch" or "group" (same for erased and whole inputs)
    activation: str
    output_activation: str

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("norm", self.norm, NORMS)
        require_choice("activation", self.activation, ACTIVATIONS)
        require_choice("output_activation", self.output_activation, OUTPUT_ACTIVATIONS)
        if self.kernel_size < 2 or not self.feature_maps:
            raise ValueError(
                f"kernel_size is {self.kernel_size} and feature_maps {self.feature_maps}; expected a kernel "
                "of 2 or more and one number of maps per level. Use 3, 4 or 5 and a preset's maps."
            )


@dataclass(frozen=True)
class ConvolutionSettings(LayerSettings):
    """Settings of an encoder and its mirrored decoder around a code."""

    # maps of the 1x1 convolution at the end of the encoder; None for no bottleneck
    bottleneck_channels: int | None

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of the encoder's output: maps, then pixels on each axis."""
        channels = self.bottleneck_channels or self.feature_maps[-1]
        return (channels, *(size // 2 ** len(self.feature_maps) for size in self.grid_voxels))

    @property
    def code_size(self) -> int:
        """Number of values in the encoder's output."""
        return math.prod(self.code_shape)


def encoder_layers(settings: ConvolutionSettings) -> OrderedDict[str, nn.Module]:
    """Strided convolutions "down_1", "down_2", …, then the bottleneck, which is linear."""
    maps = settings.feature_maps
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for level, (before, after) in enumerate(pairwise((1, *maps)), start=1):
        layers[f"down_{level}"] = convolution(before, after, settings, stride=2)
    if settings.bottleneck_channels is not None:
        layers["bottleneck"] = PointwiseConvolution(maps[-1], settings.bottleneck_channels)
    return layers


def decoder_layers(settings: ConvolutionSettings) -> OrderedDict[str, nn.Module]:
    """The mirror of the encoder: "restore", transposed convolutions "up_1", "up_2", …, "output".

    The last transposed convolution keeps the first level's number of maps; "output" combines them.
    """
    maps = tuple(reversed(settings.feature_maps))
    channels = settings.bottleneck_channels
    restore = [] if channels is None else [PointwiseConvolution(channels, maps[0])]
    first = nn.Sequential(*restore, *_norm_and_activation(maps[0], settings))
    layers: OrderedDict[str, nn.Module] = OrderedDict(restore=first)
    for level, (before, after) in enumerate(pairwise((*maps, maps[-1])), start=1):
        layers[f"up_{level}"] = transposed_convolution(before, after, settings)
    layers["output"] = output_layer(maps[-1], settings)
    return layers


def convolution(before: int, after: int, settings: LayerSettings, *, stride: int) -> nn.Module:
    """A convolution, norm and activation; of stride 2 with the kernel of the settings, of stride 1 with 3."""
    kernel_size = settings.kernel_size if stride == 2 else 3
    layers = FIRST_CONVOLUTIONS if before == 1 else CONVOLUTIONS
    padding = (kernel_size - 1) // 2
    convolve = layers[settings.spatial_dims](before, after, kernel_size, stride=stride, padding=padding)
    return nn.Sequential(convolve, *_norm_and_activation(after, settings))


def transposed_convolution(before: int, after: int, settings: LayerSettings) -> nn.Module:
    """A transposed convolution of stride 2, norm and activation."""
    # Size afterwards: 2 (n - 1) - 2 padding + kernel + output_padding; it must be 2 n.
    kernel_size, padding = settings.kernel_size, (settings.kernel_size - 1) // 2
    output_padding = 2 + 2 * padding - kernel_size
    double = TRANSPOSED_CONVOLUTIONS[settings.spatial_dims](
        before, after, kernel_size, stride=2, padding=padding, output_padding=output_padding
    )
    return nn.Sequential(double, *_norm_and_activation(after, settings))


def output_layer(maps: int, settings: LayerSettings) -> nn.Module:
    """A 1x1 convolution to one map, and the output's activation."""
    return nn.Sequential(PointwiseConvolution(maps, 1), OUTPUT_ACTIVATIONS[settings.output_activation]())


def _norm_and_activation(channels: int, settings: LayerSettings) -> list[nn.Module]:
    """Normalisation and activation after a convolution."""
    activation = ACTIVATIONS[settings.activation]()
    if settings.norm == "batch":
        batch_norm = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[settings.spatial_dims]
        return [batch_norm(channels), activation]
    if settings.norm == "group":
        return [GroupNorm(math.gcd(8, channels), channels), activation]
    return [activation]
