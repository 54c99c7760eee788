"""Erased examples of one scan for Figure 3, drawn by the code of the training."""

import numpy as np
import torch

from spatial_erasing.models import Methods
from spatial_erasing.registry import FILLS
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.erase import apply_erasing, draw_regions
from spatial_erasing.train.settings import ErasingSettings


def erased_examples(
    scan: np.ndarray, brain: np.ndarray, *, methods: Methods, settings: ErasingSettings, seed: int
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """A scan in float32, its erased volumes and slices by title, and the index of the slice.

    All fills of an erasing share one region, so that only the fill differs between them.

    Args:
        scan: shape (X, Y, Z).
        brain: same shape.
        methods: those without erasing are skipped.
        settings: limits of the erasing.
        seed: of the draws.
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
        generator = torch.Generator().manual_seed(hash_seed(seed, "figure", method.dims, method.erase))
        regions = draw_regions(method.erase, 1, shown.shape, settings=settings, generator=generator)
        fill = FILLS.load(method.fill).fill(sample, settings=settings, generator=generator)
        target[method.title] = apply_erasing(sample, regions, fill)[0, 0].numpy()
    return volume, volumes, slices, slice_index
