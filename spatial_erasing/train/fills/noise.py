"""Noise from the pixel values of the sample itself ("the image pixel distribution", Bengs et al. 2021)."""

from typing import Any

import torch
from torch import Generator, Tensor

from spatial_erasing.train.settings import ErasingSettings


def fill(scans: Tensor, *, settings: ErasingSettings, generator: Generator) -> Tensor:
    """Values drawn with replacement from each sample's own pixels, one for every pixel, shape of `scans`.

    With noise_from "image" they come from all pixels, some 70 % of which are background 0; with "brain" from
    those above 0. A sample without pixels above 0 gets zeros.
    """
    values = scans.flatten(1)
    drawing: dict[str, Any] = {"size": values.shape, "generator": generator, "device": generator.device}
    if settings.noise_from == "image":
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
