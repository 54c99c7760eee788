"""Nothing is erased."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from spatial_erasing.train.boxes import fill_boxes
from spatial_erasing.train.settings import ErasingSettings


def draw(count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator) -> Tensor:
    """No box for any sample, shape (count, 0, dims, 2)."""
    return torch.zeros(count, 0, len(grid), 2, dtype=torch.long, device=generator.device)


region = fill_boxes
