"""Effect of a large lesion on the standardised intensities of the rest of its brain."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spatial_erasing.images.volumes import read_volume
from spatial_erasing.preprocess.intensity import intensity_range, rescale
from spatial_erasing.preprocess.standardise.ways import Standard

LESION_ML = 200.0
LESION_FACTOR = 0.2  # of each voxel's own intensity: dark, as an old stroke on T1


def ball_of_lesion(brain: np.ndarray, voxel_ml: float) -> np.ndarray:
    """The 200 ml of a brain nearest to the centre of its left half, bool."""
    places = np.argwhere(brain)
    centre = np.median(places[places[:, 0] < np.median(places[:, 0])], axis=0)
    distance = np.linalg.norm(places - centre, axis=1)
    inside = np.zeros(brain.shape, dtype=bool)
    inside[tuple(places[np.argsort(distance)[: int(LESION_ML / voxel_ml)]].T)] = True
    return inside


def drag(folder: Path, standard: Standard, *, percentiles: Mapping[str, float]) -> float:
    """Mean |change| of the standardised T1 outside the lesion when 200 ml of a healthy brain turn dark.

    Args:
        folder: of a prepared healthy brain, in [0, 1].
        standard: the way to standardise, which sees the brain with and without the lesion.
        percentiles: lower and upper one, which the lesion moves as well.
    """
    scan, mask = (read_volume(folder / f"{name}.nii.gz") for name in ("t1", "brain"))
    well, brain = scan.intensities, mask.intensities > 0
    lesion = ball_of_lesion(brain, float(abs(np.linalg.det(mask.affine[:3, :3])) / 1000))
    ill = np.where(lesion, LESION_FACTOR * well, well)
    low, high = intensity_range(ill[brain], **percentiles)
    ill = rescale(ill, brain, low=low, high=high)
    rest = brain & ~lesion
    before, after = (standard.map_of(values[brain], sequence="t1")(values[rest]) for values in (well, ill))
    return float(np.abs(before - after).mean())
