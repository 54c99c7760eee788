"""Standardise by the median: a power of the intensity brings each brain's median to one value."""

import numpy as np

from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap


def to_median(values: np.ndarray, target: float) -> IntensityMap:
    """The power that brings the median of a brain to `target`: exponent = log(target) / log(median).

    Both ends stay where the percentiles have put them. Gamma correction towards a fixed median needs no other
    subject, and a lesion moves the median only by its share of the brain.
    """
    median = float(np.median(values))
    if not 0 < median < 1:
        raise ValueError(
            f"the median of the brain's intensities is {median:g} where its percentiles are 0 and 1; no "
            f"power of it gives {target:g}. At least half of the brain has one intensity: look at the scan."
        )
    return IntensityMap(exponent=float(np.log(target) / np.log(median)))
