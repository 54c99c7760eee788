"""A lesion shape planted into a real scan: carried over, softened at its edge, and darkened as an old stroke."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

EDGE_MM = 1.0  # sigma of the blending between lesion and tissue
RIM_MM = 3.0  # depth over which the scar at the border gives way to the cavity
VARIATION_MM = 4.0  # size of the patches by which that depth varies
GRAIN_SHARE = 0.06  # noise left in the lesion, of the step from CSF to grey matter


@dataclass(frozen=True)
class Tissues:
    """The signal of the three tissues in one T1 scan, in its own unit."""

    csf: float
    grey: float
    white: float


@dataclass(frozen=True)
class StrokeLook:
    """What one old stroke looks like on T1, whatever its shape.

    Args:
        cavity, rim: signal deep inside and at the border, as a place between CSF (0) and grey matter (1).
        texture_seed: of its patches and its grain.
    """

    cavity: float
    rim: float
    texture_seed: int


def tissue_signal(brain_values: np.ndarray) -> Tissues:
    """CSF, grey and white matter of a T1 scan, as the means of a mixture of three Gaussians.

    Expectation maximisation on a histogram of 256 bins. It needs no atlas and takes milliseconds; partial
    volume counts with the tissue that it resembles most.

    Args:
        brain_values: intensities inside the brain, one axis, any unit.

    Raises:
        ValueError: the three do not come out in order, so that this is no T1 scan of a brain.
    """
    lowest, highest = np.percentile(brain_values, (0.5, 99.5))
    counts, edges = np.histogram(brain_values, bins=256, range=(lowest, highest))
    centres = (edges[:-1] + edges[1:]) / 2
    means = np.percentile(brain_values, (3, 40, 80))
    deviations = np.full(3, (highest - lowest) / 8)
    shares = np.array([0.1, 0.5, 0.4])
    for _ in range(300):
        density = (
            shares / deviations * np.exp(-0.5 * ((centres[:, None] - means) / deviations) ** 2)
        )
        weights = counts[:, None] * density / density.sum(axis=1, keepdims=True).clip(1e-300)
        total = weights.sum(axis=0).clip(1e-9)
        means = (weights * centres[:, None]).sum(axis=0) / total
        spread = (weights * (centres[:, None] - means) ** 2).sum(axis=0) / total
        deviations = np.sqrt(spread).clip((highest - lowest) / 256)
        shares = total / total.sum()
    return Tissues(*means.tolist())
