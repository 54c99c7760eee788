"""Augmentation: random contrast and affine maps, the same for the network's input and target."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from spatial_erasing.train.settings import AugmentationSettings


def augment(scans: Tensor, settings: AugmentationSettings, *, generator: Generator) -> Tensor:
    """The scans, each with its own random change; unchanged, without a draw, if all settings are off.

    Type and shape stay: intensities in [0, 1], (batch, 1, *grid), the first grid axis left to right.
    """
    if settings.contrast:
        exponents = draw_contrast(len(scans), settings.contrast, generator=generator)
        scans = apply_contrast(scans, exponents)
    if settings.moves_voxels:
        maps = draw_affine_maps(len(scans), scans.ndim - 2, settings, generator=generator)
        scans = apply_affine_maps(scans, maps)
    return scans


def draw_contrast(samples: int, largest_log: float, *, generator: Generator) -> Tensor:
    """An exponent for each sample, log-uniform from exp(-largest_log) to exp(largest_log), shape (samples,).

    Billot et al. (2023), "SynthSeg", Medical Image Analysis 86, 102789, augment T1 intensities in [0, 1] by a
    random power as well, with a normal exponent. A largest_log of 0.35 is a power from 0.70 to 1.42.
    """
    return torch.exp(largest_log * _uniform(samples, generator=generator))


def apply_contrast(scans: Tensor, exponents: Tensor) -> Tensor:
    """Samples (batch, 1, *grid) in [0, 1] to the power of their exponents (batch,); 0 and 1 are unchanged."""
    exponents = exponents.view(-1, *[1] * (scans.ndim - 1))
    return scans.float().pow(exponents).to(scans.dtype)


def draw_affine_maps(
    samples: int, dims: int, settings: AugmentationSettings, *, generator: Generator
) -> Tensor:
    """A random affine map for each sample from new to old voxel positions, shape (samples, dims, dims + 1).

    Positions are from -1 to 1 along each axis. Scale, rotation and shift are uniform between their limits,
    the scale as a logarithm and per axis; with `mirror`, half of the samples are mirrored.
    """
    device = generator.device
    maps = torch.diag_embed(torch.exp(settings.scale * _uniform(samples, dims, generator=generator)))
    for first, second in [(0, 1)] if dims == 2 else [(0, 1), (0, 2), (1, 2)]:
        angles = math.radians(settings.rotation_degrees) * _uniform(samples, generator=generator)
        rotations = torch.eye(dims, device=device).repeat(samples, 1, 1)
        rotations[:, first, first] = rotations[:, second, second] = torch.cos(angles)
        rotations[:, second, first] = torch.sin(angles)
        rotations[:, first, second] = -rotations[:, second, first]
        maps = rotations @ maps
    if settings.mirror:
        sides = 2.0 * (_uniform(samples, generator=generator) > 0) - 1
        maps = torch.cat([maps[:, :, :1] * sides[:, None, None], maps[:, :, 1:]], dim=2)
    # an axis reaches from -1 to 1, so that 1 % of it is 0.02
    shifts = settings.shift_percent / 50 * _uniform(samples, dims, 1, generator=generator)
    return torch.cat([maps, shifts], dim=2)


def apply_affine_maps(scans: Tensor, maps: Tensor) -> Tensor:
    """Samples (batch, 1, *grid) resampled by their maps, with linear interpolation and 0 outside the grid."""
    # torch orders the axes of the grid from last to first
    backwards = torch.cat([maps[:, :, :-1].flip(2), maps[:, :, -1:]], dim=2).flip(1)
    places = affine_grid(backwards, list(scans.shape), align_corners=False)
    return grid_sample(scans.float(), places, align_corners=False).to(scans.dtype)


def _uniform(*shape: int, generator: Generator) -> Tensor:
    """Uniform from -1 to 1."""
    return 2 * torch.rand(shape, generator=generator, device=generator.device) - 1
