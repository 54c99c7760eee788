"""A network applied to volumes: reconstructions, or maps of a score that reads the network.

Volumes become the samples of a network, axial slices in 2-D and whole volumes in 3-D, and back.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Generator, Tensor

from spatial_erasing.cohorts import Split
from spatial_erasing.registry import FILLS
from spatial_erasing.score.maps import RECONSTRUCTION, make_score, stored_as
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
    """The volumes (subjects, X, Y, Z) of samples (samples, 1, *grid), each of so many axial slices."""
    found = samples.squeeze(1).cpu()
    return (found if found.ndim == 4 else found.unflatten(0, (-1, slices)).movedim(1, 3)).numpy()


@torch.no_grad()
def reconstruct(network: Network, volumes: np.ndarray, *, batch_size: int) -> np.ndarray:
    """The network's reconstructions of unerased scans, float16, shape of `volumes`.

    A 2-D network reconstructs all axial slices one by one; they are stacked to a volume and scored exactly as
    in 3-D (Bengs et al. 2021, section 2.3).

    Args:
        volumes: intensities in [0, 1], shape (subjects, X, Y, Z).
        batch_size: axial slices at a time for a 2-D network; a 3-D network gets one volume at a time.
    """
    dims, device = network.settings.spatial_dims, next(network.parameters()).device
    at_once = batch_size if dims == 2 else 1
    reconstructions = np.empty(volumes.shape, dtype=np.float16)
    for subject, volume in enumerate(volumes):
        samples = samples_of(volume[None], dims=dims)
        # float32 whatever the precision of the training, so that scores are comparable
        outputs = [network.reconstruct(batch.to(device).float()) for batch in samples.split(at_once)]
        reconstructions[subject] = volumes_of(torch.cat(outputs), slices=volume.shape[2])[0]
    return reconstructions


def raw_maps(
    network: Network, scans: Split, healthy: Split | None, *, score: Mapping[str, Any]
) -> np.ndarray:
    """The maps of a score that reads the network, float16, shape of the scans; gradients are enabled."""
    maps = np.empty(scans.scans.shape, dtype=np.float16)
    with torch.enable_grad():
        for subject, found in enumerate(unstored_maps(network, scans, healthy, score=score)):
            maps[subject] = found
    return maps


def unstored_maps(
    network: Network, scans: Split, healthy: Split | None, *, score: Mapping[str, Any]
) -> Iterator[np.ndarray]:
    """The raw map of each subject for any score, reconstructions not stored; arguments as for `raw_maps`."""
    kind = make_score(score)
    if stored_as(score) != RECONSTRUCTION:
        yield from kind.score_maps(network, scans, healthy)
        return
    stored = reconstruct(network, scans.scans, batch_size=scans.scans.shape[3])
    for scan, reconstruction, brain in zip(scans.scans, stored, scans.brain, strict=True):
        yield kind.score_map(scan, reconstruction, brain)


def subject_maps(
    network: Network, scans: Split, compute: Compute, *, subjects_at_once: int = 1
) -> Iterator[np.ndarray]:
    """The map of each subject, float32, shape (X, Y, Z).

    Args:
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


class ScoreOfSamples:
    """Base of scores that compute the maps of a subject's samples by `compute`; see `subject_maps`."""

    def compute(self, network: Network, scans: Tensor, brain: Tensor, generator: Generator) -> Tensor:
        """Maps of scans, at least 0, in their shape."""
        raise NotImplementedError

    def score_maps(self, network: Network, scans: Split, _healthy: Split) -> Iterator[np.ndarray]:
        """One map per scan, float32, shape (X, Y, Z)."""
        yield from subject_maps(network, scans, partial(self.compute, network))


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
    """The network, if it has `encode` and `decode` of a latent distribution; else a ValueError."""
    if not (hasattr(network, "encode") and hasattr(network, "decode")):
        raise ValueError(
            f"this score needs the latent distribution of a network, and a network of the kind "
            f"{network.to_dict()['kind']} has none. Use a model with a vae, or another score."
        )
    return cast(LatentNetwork, network)
