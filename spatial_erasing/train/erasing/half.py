"""The left or right half of a slice or of consecutive axial slices (Bengs et al. 2021, section 2.2)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from spatial_erasing.train.boxes import fill_boxes
from spatial_erasing.train.settings import ErasingSettings

HALVES_GRID = True


def draw(count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator) -> Tensor:
    """One box for each sample, shape (count, 1, dims, 2).

    Left or right of the centre of the first axis (left -> right), each with probability 1/2; preprocessing
    centres the brain's box there. The middle plane of an odd axis belongs to neither side. In 3-D the half
    covers k consecutive axial slices (last axis), k uniform in 1..maximum_slices, the first slice uniform
    over all positions that fit.

    Raises:
        ValueError: the grid has fewer slices than maximum_slices.
    """
    drawing: dict[str, Any] = {"size": (count,), "generator": generator, "device": generator.device}
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
        # rounding in float32 can make the product equal to the number of places
        first = torch.minimum((torch.rand(**drawing) * places).long(), places - 1)
        edges[2] = (first, first + slices)
    return torch.stack([torch.stack(pair, dim=-1) for pair in edges], dim=1).unsqueeze(1)


region = fill_boxes
