"""Small networks and splits for tests of scores."""

import numpy as np
import torch
from paper_study import CONFIG

from spatial_erasing.cohorts import Split
from spatial_erasing.train.network import Network
from spatial_erasing.train.start import make_network

GRID = (8, 8, 8)
SIZES = {"feature_maps": [4, 8], "latent_size": {"2d": 4, "3d": 6}}


def network_of(dims, kind="vae"):
    """An untrained network of this kind."""
    values = CONFIG["networks"][kind]
    values = values | {name: size for name, size in SIZES.items() if name in values}
    return make_network(dims, GRID, values=values, seed=1, device=torch.device("cpu")).eval()


def split_of(count, seed, *, cohort="own"):
    """Random scans in a box-shaped brain, a lesion in one corner."""
    rng = np.random.default_rng(seed)
    brain = np.zeros((count, *GRID), dtype=bool)
    brain[:, 1:7, 1:7, 1:7] = True
    scans = (0.2 + 0.6 * rng.random(brain.shape)).astype(np.float16) * brain
    lesion = np.zeros_like(brain)
    lesion[:, 2:4, 2:4, 2:4] = True
    names = [(cohort, f"{seed}-{place}") for place in range(count)]
    return Split(names, scans, brain, lesion, lesion.any(axis=(1, 2)))


def part_of(split, places):
    """Some subjects of a split."""
    arrays = (split.scans, split.brain, split.lesion, split.lesion_slices)
    return Split([split.subjects[place] for place in places], *(array[places] for array in arrays))


class MeanOfTheRest(Network):
    """Paints the mean of all voxels above 0, and so knows nothing of what is erased."""

    def __init__(self, dims):
        super().__init__()
        self.settings = network_of(dims).settings
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def reconstruct(self, scans):
        places = tuple(range(1, scans.ndim))
        return (scans.sum(places, keepdim=True) / (scans > 0).sum(places, keepdim=True)).expand(scans.shape)
