"""Reconstructions of scans, or maps of a score that reads the network."""

from collections.abc import Mapping

import numpy as np
import torch

from spatial_erasing.cohorts import Split
from spatial_erasing.score.maps import make_score
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
    is_flat = network.settings.spatial_dims == 2
    device = next(network.parameters()).device
    reconstructions = np.empty(volumes.shape, dtype=np.float16)
    for subject, volume in enumerate(volumes):
        samples = torch.from_numpy(np.moveaxis(volume, 2, 0).copy() if is_flat else volume[None].copy())
        outputs = [
            # float32 whatever the precision of the training, so that scores are comparable
            network.reconstruct(batch.unsqueeze(1).to(device).float()).squeeze(1)
            for batch in samples.split(batch_size)
        ]
        output = torch.cat(outputs).cpu().numpy()
        reconstructions[subject] = np.moveaxis(output, 0, 2) if is_flat else output[0]
    return reconstructions


def raw_maps(network: Network, scans: Split, healthy: Split, *, score: Mapping[str, object]) -> np.ndarray:
    """The maps of a score that reads the network, float16, shape of the scans; gradients are enabled.

    Args:
        network: trained, in evaluation mode, on its device.
        scans: a split.
        healthy: validation subjects.
        score: an entry of `scores`.
    """
    maps = np.empty(scans.scans.shape, dtype=np.float16)
    with torch.enable_grad():
        for subject, found in enumerate(make_score(score).score_maps(network, scans, healthy)):
            maps[subject] = found
    return maps
