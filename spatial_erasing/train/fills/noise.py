"""Noise from the pixel values of the sample itself ("the image pixel distribution", Bengs et al. 2021)."""

from typing import Any

import torch
from torch import Generator, Tensor

from spatial_erasing.train.settings import NOISE_SOURCES, ErasingSettings, require_choice


def fill(scans: Tensor, *, settings: ErasingSettings, generator: Generator) -> Tensor:
    """Values for every pixel, from `settings.noise_from`."""
    return draw_noise(scans, source=settings.noise_from, generator=generator)


def draw_noise(scans: Tensor, *, source: str, generator: Generator) -> Tensor:
    """Draw values with replacement from each sample's own pixels.

    Args:
        scans: intensities in [0, 1], shape (batch, 1, *grid).
        source: "image" draws from all pixels, some 70 % of which are background 0; "brain" from those above
            0. A sample without pixels above 0 gets zeros.

    Returns:
        One independent value per pixel, shape of `scans`.
    """
    require_choice("noise_from", source, NOISE_SOURCES)
    values = scans.flatten(1)
    drawing: dict[str, Any] = {"size": values.shape, "generator": generator, "device": generator.device}
    if source == "image":
        picks = torch.randint(values.shape[1], **drawing)
    else:
        values, counts = _partition_positive(values)
        # The bias of the remainder is below 1 part in 2**40, since the range is that much larger.
        picks = torch.randint(2**62, **drawing) % counts.clamp(min=1).unsqueeze(1)
    return values.gather(1, picks).view_as(scans)


def _partition_positive(values: Tensor) -> tuple[Tensor, Tensor]:
    """Each row with its positive values first, in their order, and their number."""
    positive = values > 0
    rank = positive.cumsum(dim=1)
    counts = rank[:, -1]
    column = torch.arange(values.shape[1], device=values.device)
    places = torch.where(positive, rank - 1, counts.unsqueeze(1) + column - rank)
    return torch.empty_like(values).scatter_(1, places, values), counts
