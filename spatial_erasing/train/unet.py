"""A small U-Net that restores scans corrupted by smooth random fields; kinds differ in the corruption."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from spatial_erasing.train import network
from spatial_erasing.train.convolutions import (
    LayerSettings,
    convolution,
    output_layer,
    transposed_convolution,
)


class RestoringNetwork(network.Network):
    """Learns to undo a corruption of healthy scans; at test time its input is the scan itself.

    Ronneberger et al. (2015), "U-Net", MICCAI, with the convolutions of the paper's network: one at the
    scan's own grid, a strided one to each level, and a transposed one back from each, followed by a
    convolution of three pixels that joins its maps with those of the level. Skip connections keep the detail
    that a code loses, so that the output differs from the scan only where it resembles a corruption.

    A kind implements `corrupt` and sets `noise_size`. Its corruption is drawn in every training step from the
    step's generator, as the noise of a VAE is. Validation restores a corruption that is the same every time:
    the l1 of a whole scan would favour weights that copy their input.
    """

    settings: LayerSettings

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.settings = settings
        # half as many maps at the scan's own grid, whose convolutions take most of the time
        maps = (math.ceil(settings.feature_maps[0] / 2), *settings.feature_maps)
        levels = list(pairwise(maps))
        self.enter = convolution(1, maps[0], settings, stride=1)
        self.down = nn.ModuleList(convolution(*level, settings, stride=2) for level in levels)
        levels.reverse()
        self.up = nn.ModuleList(transposed_convolution(deep, fine, settings) for fine, deep in levels)
        self.join = nn.ModuleList(convolution(2 * fine, fine, settings, stride=1) for fine, _ in levels)
        self.output = output_layer(maps[0], settings)

    def corrupt(self, scans: Tensor, noise: Tensor) -> Tensor:
        """The input of a training step, shape of `scans`: float32 in [0, 1], (batch, 1, *grid).

        The noise is standard normal, shape (batch, noise_size).
        """
        raise NotImplementedError

    def forward(self, scans: Tensor, noise: Tensor | None = None) -> tuple[Tensor]:
        """Restorations of corrupted scans (batch, 1, *grid); without `noise`, of one fixed corruption."""
        if noise is None:
            noise = self.draw_noise(len(scans), generator=Generator(scans.device).manual_seed(0))
        return (self.reconstruct(self.corrupt(scans.float(), noise)),)

    def reconstruct(self, scans: Tensor) -> Tensor:
        """Restorations of uncorrupted scans, shape (batch, 1, *grid)."""
        network.require_grid(scans, self.settings)
        levels = [self.enter(scans.to(next(self.parameters()).dtype))]
        for down in self.down:
            levels.append(down(levels[-1]))
        features = levels.pop()
        for up, join in zip(self.up, self.join, strict=True):
            features = join(torch.cat((up(features), levels.pop()), dim=1))
        return self.output(features)

    def trace(self) -> Iterator[tuple[str, nn.Module]]:
        """The path through the deepest level, without the layers after skip connections."""
        yield "enter", self.enter
        for name, layers in (("down", self.down), ("up", self.up)):
            yield from ((f"{name}_{level}", layer) for level, layer in enumerate(layers, start=1))
        yield "output", self.output


def field_size(dims: int, cells: int) -> int:
    """Number of random numbers per sample that `smooth_field` reads."""
    return dims + (cells + 2) ** dims


def smooth_field(normal: Tensor, grid: Sequence[int], cells: int) -> Tensor:
    """A random field that is standard normal at every pixel and varies smoothly over the cells of a lattice.

    Values at the points of the lattice are independent; between them they are interpolated linearly and
    divided by the standard deviation of the interpolation. The lattice has another offset in each sample, so
    that no pixel always lies on a point.

    Args:
        normal: standard normal, shape (batch, field_size); the field has (batch, 1, *grid).
        cells: number of lattice cells along each axis of the image.
    """
    dims, points = len(grid), torch.arange(cells + 2, device=normal.device)
    offsets = torch.special.ndtr(normal[:, :dims])  # uniform in [0, 1]
    field = normal[:, dims:].view(-1, *[cells + 2] * dims)
    for axis, size in enumerate(grid):
        places = (torch.arange(size, device=normal.device) + 0.5) * cells / size + offsets[:, axis, None]
        weights = (1 - (places.unsqueeze(-1) - points).abs()).clamp(min=0)
        weights = weights / weights.square().sum(dim=-1, keepdim=True).sqrt()
        # the lattice's next axis becomes the image's last one, so that in the end all are in order
        field = torch.einsum("bi...,bxi->b...x", field, weights)
    return field.unsqueeze(1)
