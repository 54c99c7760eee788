"""The interface of all networks for training, scores and figures."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Generator, Tensor, nn

from spatial_erasing.registry import NETWORKS
from spatial_erasing.train.settings import require_choice

# Convolutions use channels last internally, on the CPU and on the GPU.
MEMORY_FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


@dataclass(frozen=True)
class NetworkSettings:
    """Settings of every kind of network; each kind adds its own."""

    spatial_dims: int  # 2 for axial slices, 3 for volumes
    grid_voxels: tuple[int, ...]  # of the input, each divisible by 2 ** len(feature_maps)
    feature_maps: tuple[int, ...]  # after each level, which halves the grid

    def __post_init__(self) -> None:
        stride = 2 ** len(self.feature_maps)
        nearest = tuple(max(1, math.ceil(size / stride)) * stride for size in self.grid_voxels)
        require_choice("spatial_dims", self.spatial_dims, MEMORY_FORMATS)
        if len(self.grid_voxels) != self.spatial_dims:
            raise ValueError(
                f"grid_voxels is {self.grid_voxels}; expected {self.spatial_dims} axes for a "
                f"{self.spatial_dims}-D network. Give one number per axis."
            )
        if nearest != tuple(self.grid_voxels):
            raise ValueError(
                f"grid_voxels is {self.grid_voxels}; {len(self.feature_maps)} levels halve every axis, so "
                f"each must be a positive multiple of {stride}. The next valid grid is {nearest}."
            )


class Network(nn.Module):
    """Base of all networks; a kind is a module of `train/networks/` with `Settings` and `Network`.

    `Settings` is a dataclass derived from `NetworkSettings`; the module's literal `SETTINGS` has the JSON
    schema of each of its values in config.yaml. The class sets `settings` and implements `forward`, its own
    `loss` if that is not l1, and `trace` for Figure 2.
    """

    settings: NetworkSettings  # sufficient to build the same layers again
    noise_size: int = 0  # random numbers per sample that `forward` takes in training

    def forward(self, scans: Tensor, noise: Tensor | None = None) -> tuple[Tensor, ...]:
        """Reconstructions in the shape of `scans` (batch, 1, *grid), then further inputs of the loss.

        Scans, erased or not, are in [0, 1]. The noise comes from `draw_noise` in training; it is None for
        validation and test, which are deterministic.
        """
        raise NotImplementedError

    def loss(self, scans: Tensor, outputs: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of `forward`'s outputs, and named terms for the history ("training_{name}").

        Scans are the unerased targets. By default the l1 distance summed over voxels, mean over the batch,
        and in the history l1 per voxel.
        """
        loss = reconstruction_l1(scans, outputs[0]).mean()
        return loss, {"l1": loss.detach() / scans[0].numel()}

    def draw_noise(self, count: int, *, generator: Generator) -> Tensor:
        """The `noise` of `forward` in a step, one row per sample, on the generator's device."""
        return torch.randn((count, self.noise_size), generator=generator, device=generator.device)

    def reconstruct(self, scans: Tensor) -> Tensor:
        """Reconstructions of unerased scans, same shape; differentiable."""
        return self(scans)[0]

    def latent_numbers(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """One value per sample and latent dimension, to be averaged over validation items."""
        return outputs[0].new_zeros(len(outputs[0]), 0)

    def summary(self, latent: list[float]) -> dict[str, float]:
        """Columns of the history from the means of `latent_numbers`."""
        return {}

    def trace(self) -> Iterator[tuple[str, nn.Module]]:
        """Every layer that changes the shape, from input to output, with its name."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, object]:
        """Kind and settings as plain values, the input of `build_network`."""
        # a kind is the name of its module, see registry.py
        return {"kind": type(self).__module__.rpartition(".")[2]} | asdict(self.settings)


def build_network(values: Mapping[str, Any]) -> Network:
    """A network from what `Network.to_dict` returns, with weights drawn from torch's global seed.

    Raises:
        ValueError: an unknown kind, or missing or unknown settings.
    """
    kind = NETWORKS.load(values["kind"])
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    del given["kind"]
    if wrong := given.keys() ^ {field.name for field in fields(kind.Settings)}:
        raise ValueError(
            f"{', '.join(sorted(wrong))}: missing or not known in the settings of a network of the kind "
            f"'{values['kind']}'. Correct networks in config.yaml."
        )
    return kind.Network(kind.Settings(**given))


@dataclass(frozen=True)
class LayerShape:
    """Output of one layer: its name, the pixels on each axis (none for z) and the number of maps."""

    name: str
    grid_voxels: tuple[int, ...]
    feature_maps: int


@torch.no_grad()
def trace_shapes(network: Network) -> list[LayerShape]:
    """The output of every layer, as Figure 2 of the paper prints it; traced on torch's meta device."""
    network = build_on_meta(network.to_dict())
    features = torch.zeros(1, 1, *network.settings.grid_voxels, device="meta")
    outputs = [("input", features)]
    for name, layer in network.trace():
        features = layer(features)
        outputs.append((name, features))
    return [LayerShape(name, tuple(output.shape[2:]), output.shape[1]) for name, output in outputs]


def build_on_meta(values: Mapping[str, object]) -> Network:
    """A network in evaluation mode whose weights have shapes but no memory."""
    with torch.device("meta"):
        return build_network(values).eval()


def parameter_count(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def weights_in_precision(network: nn.Module, precision: str) -> dict[str, Tensor]:
    """The weights of a network cast to the precision of its layers; gradients reach the float32 weights.

    Batch norm stays float32 like its running means; group norm needs one type for all its inputs.
    """
    # without replacements functional_call uses the weights themselves
    if precision == "float32":
        return {}
    kept = {module for module in network.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d)}
    return {
        f"{prefix}.{name}": parameter.to(getattr(torch, precision))
        for prefix, module in network.named_modules()
        if module not in kept
        for name, parameter in module.named_parameters(recurse=False)
    }


def reconstruction_l1(scans: Tensor, reconstructions: Tensor) -> Tensor:
    """Sum of absolute differences over the voxels of each sample, float32, shape (batch,).

    Both are in [0, 1], of the shape (batch, 1, *grid).
    """
    if scans.shape != reconstructions.shape:
        raise ValueError(
            f"scans {tuple(scans.shape)} and reconstructions {tuple(reconstructions.shape)} differ in shape; "
            "expected equal shapes. Pass both as (batch, 1, *grid)."
        )
    # in bfloat16 a sum over a volume would be rounded to 8 bits
    return (scans.float() - reconstructions.float()).abs().flatten(1).sum(dim=1)


def require_grid(scans: Tensor, settings: NetworkSettings) -> None:
    """Refuse scans that are not on the grid of a network."""
    expected = (1, *settings.grid_voxels)
    if tuple(scans.shape[1:]) != expected:
        raise ValueError(
            f"scans have shape {tuple(scans.shape)}; this network reads (batch, *{expected}). "
            "Add the channel axis, or build the network for that grid."
        )
