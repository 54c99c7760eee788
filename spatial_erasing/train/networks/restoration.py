"""Restoration of synthetic anomalies: soft random shapes of another intensity, which the network removes.

The idea of Marimont et al. (2024), "DISYRE: diffusion-inspired synthetic restoration for unsupervised anomaly
detection", ISBI, in one step instead of many: anomalies of random shape, with soft edges, replace or shift
the intensity of healthy scans. Theirs also take the texture of other scans.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from spatial_erasing.train import unet
from spatial_erasing.train.convolutions import LAYERS, LayerSettings

SETTINGS = LAYERS | {
    "shape_cells": {"$ref": "#/$defs/count"},
    "maximum_share": {"$ref": "#/$defs/inner_share"},
    "maximum_shift": {"$ref": "#/$defs/positive"},
}
EDGE = 0.3  # the field rises by this much from the border of a shape to its full strength
NUMBERS = 3  # random numbers per sample, besides the fields of shape and amount


@dataclass(frozen=True)
class Settings(LayerSettings):
    """Settings of the layers and of the anomalies."""

    shape_cells: int  # number of lattice cells along each axis of the image; see `unet.smooth_field`
    maximum_share: float  # largest expected share of the image that shapes cover, between 0 and 1
    maximum_shift: float  # largest change of the intensity by a shift, in units of intensity


class Network(unet.RestoringNetwork):
    """Removes synthetic anomalies."""

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.field_size = unet.field_size(settings.spatial_dims, settings.shape_cells)
        self.noise_size = NUMBERS + 2 * self.field_size

    def corrupt(self, scans: Tensor, noise: Tensor) -> Tensor:
        """Change the intensity of pixels above 0 inside the shapes; it stays within [0, 1].

        Shapes are the regions in which a smooth field exceeds a threshold; their expected share of the image
        is drawn uniformly up to `maximum_share`. In half of the samples the intensity in a shape is shifted
        by an amount, in the others it is mixed with another intensity to a uniformly drawn degree. Amount and
        intensity follow a second smooth field with uniform values: trained with one value for all shapes of a
        sample, the network left lesions as they were (docs/rivals.md).
        """
        settings = self.settings
        numbers, *fields = noise.split([NUMBERS, self.field_size, self.field_size], dim=1)
        share, degree, kind = ndtr(numbers).view(*numbers.shape, *[1] * (scans.ndim - 1)).unbind(dim=1)
        shape, amount = (
            unet.smooth_field(field, settings.grid_voxels, settings.shape_cells) for field in fields
        )
        # the threshold is exceeded with this probability, since the field is standard normal
        threshold = -ndtri((settings.maximum_share * share).clamp(min=1e-6))
        strength = ((shape - threshold) / EDGE).clamp(0, 1)
        shift = settings.maximum_shift * (2 * ndtr(amount) - 1)
        change = strength * torch.where(kind < 0.5, shift, degree * (ndtr(amount) - scans))
        return torch.where(scans > 0, (scans + change).clamp(0, 1), scans)
