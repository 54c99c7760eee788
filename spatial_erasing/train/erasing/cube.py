"""One square (2-D: the paper's patch) or cube (3-D) anywhere in the image (Bengs et al. 2021, 2.2)."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Generator, Tensor

from spatial_erasing.train.boxes import draw_cubes, fill_boxes
from spatial_erasing.train.settings import ErasingSettings

CUBES = 1


def draw(count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator) -> Tensor:
    """One box for each sample, shape (count, 1, dims, 2); see `draw_cubes`."""
    return draw_cubes(count, grid, settings=replace(settings, maximum_regions=CUBES), generator=generator)


region = fill_boxes
