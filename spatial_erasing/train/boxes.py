"""Boxes to erase, and the loop that draws again what misses the limits of any kind.

Boxes are the first and one-past-last pixel of each box on each axis, shape (samples, boxes, dims, 2).
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from spatial_erasing.train.settings import ErasingSettings

MAXIMUM_REDRAWS = 1000


def fill_boxes(boxes: Tensor, grid: Sequence[int]) -> Tensor:
    """True inside the boxes of each sample, shape (batch, *grid)."""
    return _covered(boxes, [torch.arange(size, device=boxes.device) for size in grid])


def draw_cubes(count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator) -> Tensor:
    """Squares (2-D) or cubes (3-D) whose union has a share of the input within the limits of the settings.

    The number of boxes is uniform in 1..maximum_regions; their total share is uniform in [minimum_share,
    maximum_share] and split by uniform spacings (Dirichlet(1, …, 1)); each has the nearest whole side length,
    a centre uniform over the image, and is cut off at the border. A sample whose union lies outside the
    limits is drawn again (1 % of the samples), so the erased share is always within the limits; because of
    cuts and overlaps it is smaller than uniform: on average 10.6 % (one box) and 11.0 % (up to ten) at 64²,
    8.5 % and 9.4 % at 64³.
    """
    draw = partial(_draw_cubes, count, grid, settings=settings, generator=generator)
    misses_limits = partial(_misses_limits, grid=grid, settings=settings)
    what = "square or cube of whole pixels"
    return draw_within_limits(draw, misses_limits, what=what, grid=grid, settings=settings)


def draw_within_limits(
    draw: Callable[[], Tensor],
    misses_limits: Callable[[Tensor], Tensor],
    *,
    what: str,
    grid: Sequence[int],
    settings: ErasingSettings,
) -> Tensor:
    """Parameters of erasings, one row per sample; rows that miss the limits are drawn again.

    Raises:
        ValueError: limits that this grid cannot meet.
    """
    drawn = draw()
    rejected = misses_limits(drawn)
    for _ in range(MAXIMUM_REDRAWS):
        if not rejected.any():
            return drawn
        drawn = torch.where(rejected.view(-1, *[1] * (drawn.ndim - 1)), draw(), drawn)
        # only the new rows are checked again, since a mask of each is expensive
        rejected[rejected.clone()] = misses_limits(drawn[rejected])
    raise ValueError(
        f"no {what} on the grid {tuple(grid)} covered a share of {settings.minimum_share} to "
        f"{settings.maximum_share} in {MAXIMUM_REDRAWS} draws. Widen train.erasing.minimum_share and "
        "maximum_share, or use a finer grid."
    )


def _misses_limits(boxes: Tensor, grid: Sequence[int], *, settings: ErasingSettings) -> Tensor:
    """Which samples have a union outside the limits, shape (batch,)."""
    voxels = math.prod(grid)
    # 0.07 * 100 is 7.000000000000001: rounding must not exclude an exact share.
    fewest = math.ceil(settings.minimum_share * voxels - 1e-6)
    most = math.floor(settings.maximum_share * voxels + 1e-6)
    union = _union_voxels(boxes)
    return (union < fewest) | (union > most)


def percent_within_limits(grid: Sequence[int], *, settings: ErasingSettings, samples: int = 1000) -> float:
    """Percentage of draws whose union is within the limits; the others are drawn again.

    For the kind "cube" the settings must have maximum_regions 1.
    """
    generator = Generator().manual_seed(0)
    boxes = _draw_cubes(samples, grid, settings=settings, generator=generator)
    return 100 * (1 - _misses_limits(boxes, grid, settings=settings).float().mean().item())


def _draw_cubes(
    batch_size: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """Squares or cubes cut off at the border; boxes beyond a sample's number of regions are empty."""
    drawing: dict[str, Any] = {"generator": generator, "device": generator.device}
    dims, voxels, regions = len(grid), math.prod(grid), settings.maximum_regions
    total = torch.rand(batch_size, 1, **drawing)
    total = settings.minimum_share + (settings.maximum_share - settings.minimum_share) * total
    counts = torch.randint(1, regions + 1, (batch_size, 1), **drawing)
    active = torch.arange(regions, device=generator.device) < counts
    # Normalised exponentials are Dirichlet(1, …, 1): the spacings between uniform points.
    parts = torch.empty(batch_size, regions, device=generator.device).exponential_(generator=generator)
    parts = parts * active
    parts = parts / parts.sum(dim=1, keepdim=True)

    # a side that is rounded up must not exceed maximum_share by itself
    largest_side = math.floor((settings.maximum_share * voxels) ** (1 / dims) + 1e-6)
    sides = (total * voxels * parts).pow(1 / dims).round().clamp(min=1, max=largest_side)
    sides = (sides * active).unsqueeze(-1)
    sizes = torch.tensor(grid, device=generator.device)
    # A continuous point, not a pixel index, so that boxes of even side length are unbiased.
    centres = torch.rand(batch_size, regions, dims, **drawing) * sizes
    starts = (centres - sides / 2).round()
    boxes = torch.stack((starts, starts + sides), dim=-1).long().clamp(min=0)
    return torch.minimum(boxes, sizes.unsqueeze(-1))


def _union_voxels(boxes: Tensor) -> Tensor:
    """Number of pixels in the union of each sample's boxes, shape (batch,).

    Counted on the cells between the edges of the boxes: at most 19 per axis for ten boxes, instead of 64.
    """
    cuts = boxes.transpose(1, 2).flatten(2).sort(dim=-1).values
    widths = cuts.diff(dim=-1)
    dims = boxes.shape[2]
    voxels = _covered(boxes, [cuts[:, axis, None, :-1] for axis in range(dims)]).long()
    for axis in reversed(range(dims)):
        voxels = (voxels * widths[:, axis].view(len(boxes), *(1,) * axis, -1)).sum(dim=-1)
    return voxels


def _covered(boxes: Tensor, positions: list[Tensor]) -> Tensor:
    """True at the points of a lattice that lie in any box, shape (batch, *lattice).

    The number of boxes over a point is a product of one indicator per axis, without a mesh of coordinates.
    """
    starts, stops = boxes.unbind(dim=-1)
    inside = [
        ((points >= starts[:, :, axis, None]) & (points < stops[:, :, axis, None])).float()
        for axis, points in enumerate(positions)
    ]
    boxes_over_point = torch.einsum("brx,bry->bxy" if len(inside) == 2 else "brx,bry,brz->bxyz", *inside)
    return boxes_over_point > 0
