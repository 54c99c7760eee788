"""A denoising autoencoder with skip connections, trained with coarse noise.

Kascenas, Pugeault and O'Neil (2022), "Denoising autoencoders for unsupervised anomaly detection in brain
MRI", MIDL: noise of low resolution is added inside the head of 2-D slices, and the network removes it; it
then also removes lesions, which are unlike healthy tissue at the same scale. Theirs has a standard deviation
of 0.2 on a lattice of 16 x 16, and an l2 loss. Here 3-D is the same, and the loss is the l1 of all networks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spatial_erasing.train import unet
from spatial_erasing.train.convolutions import LAYERS, LayerSettings

SETTINGS = LAYERS | {"noise_level": {"$ref": "#/$defs/positive"}, "noise_cells": {"$ref": "#/$defs/count"}}


@dataclass(frozen=True)
class Settings(LayerSettings):
    """Settings of the layers and of the noise."""

    noise_level: float  # standard deviation of the noise, in units of the intensity
    noise_cells: int  # number of lattice cells along each axis of the image; see `unet.smooth_field`


class Network(unet.RestoringNetwork):
    """Removes coarse noise."""

    settings: Settings

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.noise_size = unet.field_size(settings.spatial_dims, settings.noise_cells)

    def corrupt(self, scans: Tensor, noise: Tensor) -> Tensor:
        """Add coarse noise to every pixel above 0; shape and arguments as in the base class."""
        field = unet.smooth_field(noise, self.settings.grid_voxels, self.settings.noise_cells)
        return torch.where(scans > 0, scans + self.settings.noise_level * field, scans)
