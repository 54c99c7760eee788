"""Erased regions are 0, as the background is."""

from torch import Generator, Tensor

from spatial_erasing.train.settings import ErasingSettings


def fill(scans: Tensor, *, settings: ErasingSettings, generator: Generator) -> float:
    """The same for every pixel; nothing is drawn."""
    return 0.0
