"""Samples of a network: volumes in 3-D, axial slices with brain in 2-D."""

import numpy as np
import torch
from torch import Tensor


def training_items(volumes: np.ndarray, brain: np.ndarray, *, spatial_dims: int) -> Tensor:
    """The samples of a cohort, with the dtype of `volumes`, shape (items, 1, *grid).

    "For the 2D network only a single 2D slice is used as input" (Bengs et al. 2021, Figure 1): every axial
    slice (last axis) with brain is one sample.

    Args:
        volumes: intensities in [0, 1], shape (subjects, X, Y, Z).
        brain: bool, same shape.
        spatial_dims: 2 or 3.
    """
    if spatial_dims == 3:
        return torch.from_numpy(volumes).unsqueeze(1)
    slices, holds_brain = np.moveaxis(volumes, 3, 1), brain.any(axis=(1, 2))
    return torch.from_numpy(np.ascontiguousarray(slices[holds_brain])).unsqueeze(1)
