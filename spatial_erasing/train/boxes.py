"""Boxes that spatial erasing hides: how many, how large and where (Bengs et al. 2021, section 2.2)."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from spatial_erasing.train.settings import ErasingSettings, require_choice

STRATEGIES = ("none", "single", "multi", "half")
MAXIMUM_REDRAWS = 1000


def draw_erased_boxes(
    strategy: str, count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """The boxes of `draw_boxes`, empty for the samples that `settings.probability` leaves whole."""
    boxes = draw_boxes(strategy, count, grid, settings=settings, generator=generator)
    chosen = torch.rand(count, generator=generator, device=generator.device) < settings.probability
    return boxes * chosen.view(-1, 1, 1, 1)


def fill_boxes(boxes: Tensor, grid: Sequence[int]) -> Tensor:
    """True inside the boxes of each sample, shape (batch, *grid)."""
    return _covered(boxes, [torch.arange(size, device=boxes.device) for size in grid])


def draw_boxes(
    strategy: str, count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """Draw what each sample of a batch would lose, whether or not it is erased in the end.

    single and multi: the number of boxes n is 1 or uniform in 1..maximum_regions; their total share is
    uniform in [minimum_share, maximum_share] and split by uniform spacings (Dirichlet(1, …, 1)); each is a
    square or cube of the nearest whole side around its own point, uniform over the image, and is cut off
    at the border. A sample whose union, overlaps counted once, lies outside the limits is drawn again (1 %
    are), so that the share erased is always within them but, for the cuts and overlaps, smaller than
    uniform: on average 10.6 % (single) and 11.0 % (multi) at 64², 8.5 % and 9.4 % at 64³.

    half: the body's left or right, each with probability 1/2, from the middle of the first axis
    (left -> right), where preprocessing centres the box around the brain. The middle plane of an odd axis
    belongs to neither side. In 3-D only over k consecutive axial slices (last axis), k uniform in
    1..maximum_slices, the first slice uniform over all that leave room for k.

    Args:
        strategy: "none", "single", "multi" or "half".
        grid: pixels on each axis, 2 or 3 of them.
        generator: its device is where the boxes are made.

    Returns:
        First and one-past-last pixel of each box on each axis, shape (count, boxes, dims, 2).

    Raises:
        ValueError: an unknown strategy, or limits that this grid cannot meet.
    """
    require_choice("strategy", strategy, STRATEGIES)
    if len(grid) not in (2, 3):
        raise ValueError(f"grid is {tuple(grid)}; expected 2 or 3 axes. Pass scans as (batch, 1, *grid).")
    if strategy == "none":
        return torch.zeros(count, 0, len(grid), 2, dtype=torch.long, device=generator.device)
    if strategy == "half":
        return _draw_halves(count, grid, settings=settings, generator=generator)
    if strategy == "single":
        settings = replace(settings, maximum_regions=1)
    return _draw_cubes_within_limits(count, grid, settings=settings, generator=generator)


def _draw_halves(
    batch_size: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """One box for each sample over the left or right half of it, shape (batch, 1, dims, 2)."""
    drawing = {"size": (batch_size,), "generator": generator, "device": generator.device}
    half = grid[0] // 2
    left_edge = torch.randint(2, **drawing) * (grid[0] - half)
    edges = [(left_edge, left_edge + half)]
    edges += [(torch.zeros_like(left_edge), torch.full_like(left_edge, size)) for size in grid[1:]]
    if len(grid) == 3:
        if settings.maximum_slices > grid[2]:
            raise ValueError(
                f"maximum_slices is {settings.maximum_slices}, but the grid {tuple(grid)} has only {grid[2]} "
                f"axial slices. Set maximum_slices to {grid[2] // 2} (half of them, as in the paper) or less."
            )
        slices = torch.randint(1, settings.maximum_slices + 1, **drawing)
        places = grid[2] - slices + 1
        first = torch.minimum((torch.rand(**drawing) * places).long(), places - 1)
        edges[2] = (first, first + slices)
    return torch.stack([torch.stack(pair, dim=-1) for pair in edges], dim=1).unsqueeze(1)


def _draw_cubes_within_limits(
    batch_size: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """Cubes as `_draw_cubes`; samples whose union misses the limits are drawn again, the others kept."""
    boxes = _draw_cubes(batch_size, grid, settings=settings, generator=generator)
    for _ in range(MAXIMUM_REDRAWS):
        rejected = _misses_limits(boxes, grid, settings=settings)
        if not rejected.any():
            return boxes
        redrawn = _draw_cubes(batch_size, grid, settings=settings, generator=generator)
        boxes = torch.where(rejected.view(-1, 1, 1, 1), redrawn, boxes)
    raise ValueError(
        f"no square or cube of whole pixels on the grid {tuple(grid)} covered a share of "
        f"{settings.minimum_share} to {settings.maximum_share} in {MAXIMUM_REDRAWS} draws. "
        "Widen minimum_share and maximum_share, or use a finer grid."
    )


def _misses_limits(boxes: Tensor, grid: Sequence[int], *, settings: ErasingSettings) -> Tensor:
    """Which samples have a union outside the limits, shape (batch,)."""
    voxels = math.prod(grid)
    # 0.07 * 100 is 7.000000000000001: do not let rounding forbid an exact share.
    fewest = math.ceil(settings.minimum_share * voxels - 1e-6)
    most = math.floor(settings.maximum_share * voxels + 1e-6)
    union = _union_voxels(boxes)
    return (union < fewest) | (union > most)


def percent_within_limits(grid: Sequence[int], *, settings: ErasingSettings, samples: int = 1000) -> float:
    """How many draws of 100 have a union within the limits; the others are drawn again.

    Args:
        grid: pixels on each axis, 2 or 3 of them.
        settings: with maximum_regions 1 for the strategy "single".
        samples: draws to count, always the same ones.
    """
    generator = Generator().manual_seed(0)
    boxes = _draw_cubes(samples, grid, settings=settings, generator=generator)
    return 100 * (1 - _misses_limits(boxes, grid, settings=settings).float().mean().item())


def _draw_cubes(
    batch_size: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """Squares or cubes cut off at the border, empty ones beyond each sample's number of regions.

    Returns:
        First and one-past-last pixel on each axis, shape (batch, regions, dims, 2).
    """
    drawing = {"generator": generator, "device": generator.device}
    dims, voxels, regions = len(grid), math.prod(grid), settings.maximum_regions
    total = torch.rand(batch_size, 1, **drawing)
    total = settings.minimum_share + (settings.maximum_share - settings.minimum_share) * total
    counts = torch.randint(1, regions + 1, (batch_size, 1), **drawing)
    active = torch.arange(regions, device=generator.device) < counts
    # Normalised exponentials are Dirichlet(1, …, 1), that is, the spacings between uniform points.
    parts = torch.empty(batch_size, regions, device=generator.device).exponential_(generator=generator)
    parts = parts * active
    parts = parts / parts.sum(dim=1, keepdim=True)

    largest_side = math.floor((settings.maximum_share * voxels) ** (1 / dims) + 1e-6)
    sides = (total * voxels * parts).pow(1 / dims).round().clamp(min=1, max=largest_side)
    sides = (sides * active).unsqueeze(-1)
    sizes = torch.tensor(grid, device=generator.device)
    # A point inside a pixel, not the pixel's index: a box of even side is then not biased to one end.
    centres = torch.rand(batch_size, regions, dims, **drawing) * sizes
    starts = (centres - sides / 2).round()
    boxes = torch.stack((starts, starts + sides), dim=-1).long().clamp(min=0)
    return torch.minimum(boxes, sizes.unsqueeze(-1))


def _union_voxels(boxes: Tensor) -> Tensor:
    """How many pixels the boxes of each sample cover together, overlaps once, shape (batch,).

    Counted on the cells between the edges of the boxes: at most 19 on an axis for ten boxes, instead of 64.
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

    A box is the product of one interval an axis, so the number of boxes over a point is a matrix product
    of their indicators: no mesh of coordinates is made.
    """
    starts, stops = boxes.unbind(dim=-1)
    inside = [
        ((points >= starts[:, :, axis, None]) & (points < stops[:, :, axis, None])).float()
        for axis, points in enumerate(positions)
    ]
    boxes_over_point = torch.einsum("brx,bry->bxy" if len(inside) == 2 else "brx,bry,brz->bxyz", *inside)
    return boxes_over_point > 0
