"""Spatial erasing: regions of a network's input are hidden; its target is never erased.

Bengs et al. 2021, section 2.2 and Figure 3. Erasings and fills are kinds: modules of `train/erasing/` and of
`train/fills/`. `draw_*` returns random parameters, `apply_erasing` is pure. All functions work on whole
batches, on the device of the generator. Training draws for many steps at once (`draw_erased`) and applies
step by step (`erase_drawn`), because checking whether a box must be redrawn needs a host-device
synchronisation.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from spatial_erasing.models import Methods
from spatial_erasing.registry import ERASINGS, FILLS
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.settings import ErasingSettings


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
    """Draw erasing parameters for each sample, whether or not it is erased, shape (count, ...)."""
    if len(grid) not in (2, 3):
        raise ValueError(f"grid is {tuple(grid)}; expected 2 or 3 axes. Pass scans as (batch, 1, *grid).")
    return ERASINGS.load(kind).draw(count, grid, settings=settings, generator=generator)


def erase_drawn(
    scans: Tensor, drawn: Tensor, kinds: tuple[str, str], *, settings: ErasingSettings, generator: Generator
) -> Tensor:
    """Fill the erased region of every sample (batch, 1, *grid), without host-device synchronisation.

    Parameters are those of `draw_erased`, one row per sample, on the same device.
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
    """A copy of scans (batch, 1, *grid) with other values inside the regions, True in (batch, *grid).

    The fill is one number, or one per pixel in the shape of the scans.
    """
    return torch.where(regions.unsqueeze(1), fill_values, scans)


def erased_examples(
    scan: np.ndarray, brain: np.ndarray, *, methods: Methods, settings: ErasingSettings, seed: int
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """A scan in float32, its erased volumes and slices by title, and the index of the slice, for Figure 3.

    All fills of an erasing share one region, so that only the fill differs between them.
    """
    volume = scan.astype(np.float32)
    # the slice with most brain shows the erasing best
    slice_index = int(brain.sum(axis=(0, 1)).argmax())
    volumes: dict[str, np.ndarray] = {}
    slices: dict[str, np.ndarray] = {}
    for method in methods.values():
        if method.erase == "none":
            continue
        shown, target = (volume, volumes) if method.dims == 3 else (volume[..., slice_index], slices)
        sample = torch.from_numpy(np.ascontiguousarray(shown))[None, None]
        generator = Generator().manual_seed(hash_seed(seed, "figure", method.dims, method.erase))
        regions = draw_regions(method.erase, 1, shown.shape, settings=settings, generator=generator)
        fill = FILLS.load(method.fill).fill(sample, settings=settings, generator=generator)
        target[method.title] = apply_erasing(sample, regions, fill)[0, 0].numpy()
    return volume, volumes, slices, slice_index
