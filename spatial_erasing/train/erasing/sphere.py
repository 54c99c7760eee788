"""One disc (2-D) or ball (3-D) anywhere in the image, as a variant of the cube. Not in the paper."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from spatial_erasing.train.boxes import draw_within_limits
from spatial_erasing.train.settings import ErasingSettings

SAMPLES_AT_A_TIME = 64  # as masks: 16 million voxels at 64³


def draw(count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator) -> Tensor:
    """Centre on each axis and radius of each sample's sphere in pixels, shape (count, dims + 1).

    The share is uniform in [minimum_share, maximum_share], the centre uniform over the image. If the border
    cuts a sphere to less than the minimum, it is drawn again.
    """
    draw_spheres = partial(_draw, count, grid, settings=settings, generator=generator)
    misses_limits = partial(_misses_limits, grid=grid, settings=settings)
    return draw_within_limits(draw_spheres, misses_limits, what="disc or ball", grid=grid, settings=settings)


def region(drawn: Tensor, grid: Sequence[int]) -> Tensor:
    """True where a pixel's centre lies inside the sphere, shape (count, *grid)."""
    centres, radii = drawn[:, :-1], drawn[:, -1]
    squared = torch.zeros(1, device=drawn.device)
    for axis, size in enumerate(grid):
        offsets = torch.arange(size, device=drawn.device) + 0.5 - centres[:, axis, None]
        squared = squared.unsqueeze(-1) + offsets.square().view(len(drawn), *[1] * axis, size)
    return squared < radii.square().view(-1, *[1] * len(grid))


def _draw(count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator) -> Tensor:
    """Spheres whose uncut share is within the limits."""
    drawing: dict[str, Any] = {"generator": generator, "device": generator.device}
    dims = len(grid)
    share = torch.rand(count, 1, **drawing)
    share = settings.minimum_share + (settings.maximum_share - settings.minimum_share) * share
    of_unit_sphere = {2: math.pi, 3: 4 / 3 * math.pi}[dims]
    radii = (share * math.prod(grid) / of_unit_sphere).pow(1 / dims)
    centres = torch.rand(count, dims, **drawing) * torch.tensor(grid, device=generator.device)
    return torch.cat((centres, radii), dim=1)


def _misses_limits(spheres: Tensor, grid: Sequence[int], *, settings: ErasingSettings) -> Tensor:
    """Which spheres have a share outside the limits, shape (count,)."""
    shares = [region(some, grid).flatten(1).float().mean(dim=1) for some in spheres.split(SAMPLES_AT_A_TIME)]
    share = torch.cat(shares)
    return (share < settings.minimum_share) | (share > settings.maximum_share)
