"""Erased examples of one scan, drawn by the same code that trains: what Figure 3 shows."""

import numpy as np
import torch

from spatial_erasing.models import MODEL_NAMES, paper_name, parse_model
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.erasing import apply_erasing, draw_noise, draw_regions
from spatial_erasing.train.settings import ErasingSettings


def erased_examples(
    scan: np.ndarray, brain: np.ndarray, *, settings: ErasingSettings, seed: int
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """A scan in float32, its erased volumes and slices by the paper's names, and the slice's index.

    Both fills of a strategy share one region, so that only the fill differs between them.
    """
    volume = scan.astype(np.float32)
    slice_index = int(brain.sum(axis=(0, 1)).argmax())
    volumes, slices = {}, {}
    for name in MODEL_NAMES:
        model = parse_model(name)
        if model.strategy == "none":
            continue
        shown, target = (volume, volumes) if model.spatial_dims == 3 else (volume[..., slice_index], slices)
        sample = torch.from_numpy(np.ascontiguousarray(shown))[None, None]
        generator = torch.Generator().manual_seed(
            hash_seed(seed, "figure", model.spatial_dims, model.strategy)
        )
        regions = draw_regions(model.strategy, 1, shown.shape, settings=settings, generator=generator)
        fill = 0.0
        if model.fill == "noise":
            fill = draw_noise(sample, source=settings.noise_from, generator=generator)
        target[paper_name(name)] = apply_erasing(sample, regions, fill)[0, 0].numpy()
    return volume, volumes, slices, slice_index
