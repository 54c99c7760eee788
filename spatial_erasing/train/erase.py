"""Spatial erasing: regions of a network's input are hidden; its target is never erased.

Bengs et al. 2021, section 2.2 and Figure 3. Erasings and fills are kinds: modules of `train/erasing/` and of
`train/fills/`. `draw_*` returns random parameters, `apply_erasing` is pure, `erase` combines them. All
functions work on whole batches, on the device of the generator. Training draws for many steps at once
(`draw_erased`) and applies step by step (`erase_drawn`), because checking whether a box must be redrawn needs
a host-device synchronisation.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from spatial_erasing.registry import ERASINGS, FILLS
from spatial_erasing.train.settings import ErasingSettings


def erase(scans: Tensor, kind: str, fill: str, *, settings: ErasingSettings, generator: Generator) -> Tensor:
    """Erase, with `settings.probability`, a random region of each sample.

    Args:
        scans: intensities in [0, 1], shape (batch, 1, *grid). Not changed: it is the training target.
        kind: of the erasing, a module of `train/erasing/`.
        fill: kind of the fill, a module of `train/fills/`; ignored if `kind` erases nothing.
        settings: limits, probability, and source of the noise.
        generator: on the device of `scans`.

    Returns:
        The network's input, shape of `scans`.

    Raises:
        ValueError: a kind is unknown, or the settings are impossible on this grid.
    """
    drawn = draw_erased(kind, len(scans), tuple(scans.shape[2:]), settings=settings, generator=generator)
    return erase_drawn(scans, drawn, (kind, fill), settings=settings, generator=generator)


def draw_erased(
    kind: str, count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """The parameters of `draw_parameters`; 0 for samples that `settings.probability` leaves unerased."""
    drawn = draw_parameters(kind, count, grid, settings=settings, generator=generator)
    chosen = torch.rand(count, generator=generator, device=generator.device) < settings.probability
    # zeros stand for an empty region, so erased and unerased samples take the same path
    return drawn * chosen.view(-1, *[1] * (drawn.ndim - 1))


def draw_parameters(
    kind: str, count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """Draw erasing parameters for each sample, whether or not it is erased, shape (count, ...).

    Raises:
        ValueError: the kind is unknown, or the settings are impossible on this grid.
    """
    if len(grid) not in (2, 3):
        raise ValueError(f"grid is {tuple(grid)}; expected 2 or 3 axes. Pass scans as (batch, 1, *grid).")
    return ERASINGS.load(kind).draw(count, grid, settings=settings, generator=generator)


def erase_drawn(
    scans: Tensor, drawn: Tensor, kinds: tuple[str, str], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """Fill the erased region of every sample, without host-device synchronisation.

    Args:
        scans: shape (batch, 1, *grid).
        drawn: parameters of `draw_erased`, one row per sample, on the same device.
        kinds: of the erasing and of the fill.
        settings: source of the noise.
        generator: on the device of `scans`; unused if the kind erases nothing.

    Returns:
        The network's input, shape of `scans`.
    """
    # a kind without parameters erases nothing
    if drawn[0].numel() == 0:
        return scans.clone()
    kind, fill = kinds
    regions = ERASINGS.load(kind).region(drawn, tuple(scans.shape[2:]))
    return apply_erasing(scans, regions, FILLS.load(fill).fill(scans, settings=settings, generator=generator))


def draw_regions(
    kind: str, count: int, grid: Sequence[int], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """A random region per sample as a mask, shape (count, *grid)."""
    drawn = draw_parameters(kind, count, grid, settings=settings, generator=generator)
    return ERASINGS.load(kind).region(drawn, grid)


def apply_erasing(scans: Tensor, regions: Tensor, fill_values: Tensor | float) -> Tensor:
    """Replace the values inside the regions.

    Args:
        scans: shape (batch, 1, *grid).
        regions: True where erased, shape (batch, *grid).
        fill_values: one number, or one per pixel in the shape of `scans`.

    Returns:
        A new tensor in the shape of `scans`.
    """
    return torch.where(regions.unsqueeze(1), fill_values, scans)
