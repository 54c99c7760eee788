"""Reconstructions of a cohort: by a network, or by the two baselines that need none."""

import numpy as np
import torch

from spatial_erasing.train.network import SpatialVAE


@torch.no_grad()
def reconstruct(network: SpatialVAE, volumes: np.ndarray, *, batch_size: int) -> np.ndarray:
    """What the network makes of whole scans with z = mean, float16 of the shape of `volumes`.

    A 2-D network sees all axial slices, each by itself; they are stacked to a volume again and scored exactly
    as in 3-D (Bengs et al. 2021, section 2.3).

    Args:
        network: trained, in evaluation mode, on its device.
        volumes: intensities in [0, 1], shape (subjects, X, Y, Z).
        batch_size: axial slices at a time of a 2-D network; a 3-D network takes one volume at a time.
    """
    is_flat = network.settings.spatial_dims == 2
    device = next(network.parameters()).device
    reconstructions = np.empty(volumes.shape, dtype=np.float16)
    for subject, volume in enumerate(volumes):
        samples = torch.from_numpy(np.moveaxis(volume, 2, 0).copy() if is_flat else volume[None].copy())
        outputs = [
            network(batch.unsqueeze(1).to(device).float())[0].squeeze(1)
            for batch in samples.split(batch_size)
        ]
        output = torch.cat(outputs).cpu().numpy()
        reconstructions[subject] = np.moveaxis(output, 0, 2) if is_flat else output[0]
    return reconstructions
