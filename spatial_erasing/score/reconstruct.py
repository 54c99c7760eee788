"""Reconstructions of scans, or maps of a score that reads the network."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from spatial_erasing.cohorts import Split
from spatial_erasing.score.maps import RECONSTRUCTION, make_score, stored_as
from spatial_erasing.score.samples import samples_of, volumes_of
from spatial_erasing.train.network import Network


@torch.no_grad()
def reconstruct(network: Network, volumes: np.ndarray, *, batch_size: int) -> np.ndarray:
    """The network's reconstructions of unerased scans, float16, shape of `volumes`.

    A 2-D network reconstructs all axial slices one by one; they are stacked to a volume and scored exactly as
    in 3-D (Bengs et al. 2021, section 2.3).

    Args:
        network: trained, in evaluation mode, on its device.
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


def raw_maps(network: Network, scans: Split, healthy: Split, *, score: Mapping[str, Any]) -> np.ndarray:
    """The maps of a score that reads the network, float16, shape of the scans; gradients are enabled.

    Args:
        network: trained, in evaluation mode, on its device.
        scans: a split.
        healthy: validation subjects.
        score: an entry of `scores`.
    """
    maps = np.empty(scans.scans.shape, dtype=np.float16)
    with torch.enable_grad():
        for subject, found in enumerate(unstored_maps(network, scans, healthy, score=score)):
            maps[subject] = found
    return maps


def unstored_maps(
    network: Network, scans: Split, healthy: Split, *, score: Mapping[str, Any]
) -> Iterator[np.ndarray]:
    """The raw map of each subject for any score, reconstructions not stored; arguments as for `raw_maps`."""
    kind = make_score(score)
    if stored_as(score) != RECONSTRUCTION:
        yield from kind.score_maps(network, scans, healthy)
        return
    stored = reconstruct(network, scans.scans, batch_size=scans.scans.shape[3])
    for scan, reconstruction, brain in zip(scans.scans, stored, scans.brain, strict=True):
        yield kind.score_map(scan, reconstruction, brain)
