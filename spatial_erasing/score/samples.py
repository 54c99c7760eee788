"""Volumes as the samples of a network, and back: axial slices in 2-D, whole volumes in 3-D."""

from collections.abc import Callable, Iterator
from typing import Protocol, cast

import numpy as np
import torch
from torch import Generator, Tensor

from spatial_erasing.cohorts import Split
from spatial_erasing.registry import FILLS
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.erase import apply_erasing
from spatial_erasing.train.network import Network
from spatial_erasing.train.settings import ErasingSettings

Compute = Callable[[Tensor, Tensor, Generator], Tensor]


def samples_of(volumes: np.ndarray, *, dims: int) -> Tensor:
    """The samples of volumes (subjects, X, Y, Z), shape (samples, 1, *grid), in the type of the volumes."""
    given = torch.from_numpy(np.ascontiguousarray(volumes))
    return (given if dims == 3 else given.movedim(3, 1).flatten(0, 1)).unsqueeze(1)


def volumes_of(samples: Tensor, *, slices: int) -> np.ndarray:
    """The volumes of samples, shape (subjects, X, Y, Z).

    Args:
        samples: shape (samples, 1, *grid).
        slices: axial slices of a volume.
    """
    found = samples.squeeze(1).cpu()
    return (found if found.ndim == 4 else found.unflatten(0, (-1, slices)).movedim(1, 3)).numpy()


def subject_maps(
    network: Network, scans: Split, compute: Compute, *, subjects_at_once: int = 1
) -> Iterator[np.ndarray]:
    """The map of each subject, float32, shape (X, Y, Z).

    Args:
        network: trained, in evaluation mode, on its device.
        scans: a split.
        compute: returns maps of scans (float32), given their brain masks (bool) and a generator that is
            seeded with the name of the first subject; all of shape (samples, 1, *grid).
        subjects_at_once: above 1 only for scores without random numbers; with them, the map of a
            subject would depend on the other subjects.
    """
    dims, device = network.settings.spatial_dims, next(network.parameters()).device
    for start in range(0, len(scans.subjects), subjects_at_once):
        part = slice(start, start + subjects_at_once)
        generator = Generator(device).manual_seed(hash_seed("score", *scans.subjects[start]))
        given = samples_of(scans.scans[part], dims=dims).to(device).float()
        found = compute(given, samples_of(scans.brain[part], dims=dims).to(device), generator)
        yield from volumes_of(found, slices=scans.scans.shape[3])


def erased(scans: Tensor, regions: Tensor, fill: str, generator: Generator) -> Tensor:
    """Scans whose regions (bool, same shape) are filled as in training; noise comes from the whole image."""
    values = FILLS.load(fill).fill(scans, settings=ErasingSettings(), generator=generator)
    return apply_erasing(scans, regions.squeeze(1), values)


class LatentNetwork(Protocol):
    """A network with a latent distribution, such as a VAE: its module has the literal HAS_LATENT."""

    def encode(self, scans: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of z of scans (samples, 1, *grid)."""

    def decode(self, latent: Tensor) -> Tensor:
        """Reconstructions (samples, 1, *grid) of z."""


def require_latent(network: Network) -> LatentNetwork:
    """The network, if it has a latent distribution.

    Raises:
        ValueError: the network has no `encode` and `decode`.
    """
    if not (hasattr(network, "encode") and hasattr(network, "decode")):
        raise ValueError(
            f"this score needs the latent distribution of a network, and a network of the kind "
            f"{network.to_dict()['kind']} has none. Use a model with a vae, or another score."
        )
    return cast(LatentNetwork, network)
