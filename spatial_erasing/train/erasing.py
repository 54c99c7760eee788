"""Spatial erasing: parts of a network's input are hidden, its target stays whole.

Bengs et al. 2021, section 2.2 and Figure 3. Every strategy is a set of boxes for each sample of a batch:

    single  one square (2-D) or cube (3-D)
    multi   up to ten of them
    half    the left or right half of a slice (2-D) or of some consecutive axial slices (3-D)
    none    no box

`draw_*` returns random parameters, `apply_erasing` is pure, `erase` joins them. Everything happens on
whole batches, on the device of the generator. Training draws its boxes for many steps at once
(`draw_erased_boxes`) and applies them step by step (`erase_boxes`): to look whether a box must be drawn again
is to wait for the device.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from spatial_erasing.train.boxes import draw_boxes, draw_erased_boxes, fill_boxes
from spatial_erasing.train.settings import NOISE_SOURCES, ErasingSettings, require_choice

FILLS = ("none", "zero", "noise")


def erase(
    scans: Tensor, strategy: str, fill: str, *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """Give every sample, with `settings.probability`, its own erased region; the rest stays as it is.

    Args:
        scans: intensities in [0, 1], shape (batch, 1, *grid). Not changed: it is the training target.
        strategy: "none", "single", "multi" or "half".
        fill: "none" (goes with strategy "none"), "zero" or "noise".
        generator: on the device of `scans`.

    Returns:
        The network's input, shape of `scans`.
    """
    require_choice("fill", fill, FILLS)
    if fill == "none" and strategy != "none":
        raise ValueError(f"fill is 'none' for strategy '{strategy}'; expected 'zero' or 'noise'. Name one.")
    grid = tuple(scans.shape[2:])
    boxes = draw_erased_boxes(strategy, len(scans), grid, settings=settings, generator=generator)
    return erase_boxes(scans, boxes, fill, noise_from=settings.noise_from, generator=generator)


def erase_boxes(scans: Tensor, boxes: Tensor, fill: str, *, noise_from: str, generator: Generator) -> Tensor:
    """Fill the boxes of every sample; nothing here waits for the device.

    Args:
        scans: shape (batch, 1, *grid).
        boxes: those of `draw_erased_boxes`, one row a sample, on the same device.
        fill: "none" and "zero" write 0 (without boxes, nothing), "noise" draws from `noise_from`.

    Returns:
        The network's input, shape of `scans`.
    """
    if boxes.shape[1] == 0:
        return scans.clone()
    regions = fill_boxes(boxes, tuple(scans.shape[2:]))
    noise = draw_noise(scans, source=noise_from, generator=generator) if fill == "noise" else 0.0
    return apply_erasing(scans, regions, noise)


def apply_erasing(scans: Tensor, regions: Tensor, fill_values: Tensor | float) -> Tensor:
    """Replace what lies inside the regions.

    Args:
        scans: shape (batch, 1, *grid).
        regions: True where erased, shape (batch, *grid).
        fill_values: one number, or one for each pixel in the shape of `scans`.

    Returns:
        A new tensor in the shape of `scans`.
    """
    return torch.where(regions.unsqueeze(1), fill_values, scans)


def draw_noise(scans: Tensor, *, source: str, generator: Generator) -> Tensor:
    """Draw values with replacement from each sample's own pixels ("the image pixel distribution").

    Args:
        scans: intensities in [0, 1], shape (batch, 1, *grid).
        source: "image" draws from all pixels, some 70 % of which are background 0; "brain" from those above
            0. A sample without any gets zeros.

    Returns:
        One value for each pixel, independent of its neighbours, shape of `scans`.
    """
    require_choice("noise_from", source, NOISE_SOURCES)
    values = scans.flatten(1)
    drawing = {"size": values.shape, "generator": generator, "device": generator.device}
    if source == "image":
        picks = torch.randint(values.shape[1], **drawing)
    else:
        values, counts = _partition_positive(values)
        # A remainder is uniform to 1 part in 2**40 as long as the range is that much larger.
        picks = torch.randint(2**62, **drawing) % counts.clamp(min=1).unsqueeze(1)
    return values.gather(1, picks).view_as(scans)


def draw_regions(
    strategy: str,
    batch_size: int,
    grid: Sequence[int],
    *,
    settings: ErasingSettings,
    generator: Generator,
) -> Tensor:
    """The region that each sample of a batch would lose: True in the boxes of `draw_boxes`.

    Returns:
        Shape (batch_size, *grid).
    """
    return fill_boxes(draw_boxes(strategy, batch_size, grid, settings=settings, generator=generator), grid)


def _partition_positive(values: Tensor) -> tuple[Tensor, Tensor]:
    """Each row with its positive values first, in their order, and how many they are."""
    positive = values > 0
    rank = positive.cumsum(dim=1)
    counts = rank[:, -1]
    column = torch.arange(values.shape[1], device=values.device)
    places = torch.where(positive, rank - 1, counts.unsqueeze(1) + column - rank)
    return torch.empty_like(values).scatter_(1, places, values), counts
