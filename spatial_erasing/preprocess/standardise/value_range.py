"""Standardise by the range alone: the percentiles of the brain stay at 0 and 1."""

import numpy as np

from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap


def keep_range(_values: np.ndarray, _target: None) -> IntensityMap:
    """The map that changes nothing: two scanners agree at both ends and may differ everywhere between.

    "Standardization" to intensities from 0 to 1 (Bengs et al. 2021, section 2.1), read literally.
    """
    return IntensityMap()
