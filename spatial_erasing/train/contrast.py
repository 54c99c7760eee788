"""Contrast as augmentation: a random, smooth and monotone change of the intensities of each sample."""

import torch
from torch import Generator, Tensor


def change_contrast(scans: Tensor, largest_log: float, *, generator: Generator) -> Tensor:
    """The scans, each with a contrast of its own; unchanged, and nothing drawn, if `largest_log` is 0."""
    if largest_log == 0:
        return scans
    return apply_contrast(scans, draw_contrast(len(scans), largest_log, generator=generator))


def draw_contrast(samples: int, largest_log: float, *, generator: Generator) -> Tensor:
    """An exponent for each sample, log-uniform from exp(-largest_log) to exp(largest_log), shape (samples,).

    Billot et al. (2023), "SynthSeg", Medical Image Analysis 86, 102789, augment T1 intensities in [0, 1] by a
    random power as well, with a normal exponent.

    Args:
        samples: how many.
        largest_log: logarithm of the largest exponent; 0.35 is a power from 0.70 to 1.42.
        generator: on the device of the samples.
    """
    uniform = torch.rand(samples, generator=generator, device=generator.device)
    return torch.exp(largest_log * (2 * uniform - 1))


def apply_contrast(scans: Tensor, exponents: Tensor) -> Tensor:
    """Each sample to the power of its exponent: 0 and 1 stay, what lies between rises or falls.

    Args:
        scans: intensities in [0, 1], shape (batch, 1, *grid).
        exponents: above 0, shape (batch,).

    Returns:
        Type and shape of `scans`.
    """
    exponents = exponents.view(-1, *[1] * (scans.ndim - 1))
    return scans.float().pow(exponents).to(scans.dtype)
