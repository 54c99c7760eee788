"""Standardise by two quantiles: a smooth curve brings each brain's median and upper quartile to fixed values.

A median alone leaves the contrast between grey and white matter to the scanner: on T1 with contrast agent
bright vessels take the upper half of the range, and grey and white matter share the rest. The curve is the
distribution function of Kumaraswamy (1980), "A generalized probability density function for double-bounded
random processes", Journal of Hydrology 46, 79-88: y = 1 - (1 - x^a)^b, monotone from (0, 0) to (1, 1). With
b = 1 it is the power of `median`. Both quantiles lie in the brighter half, which a dark lesion moves least.
"""

from collections.abc import Sequence

import numpy as np

from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap

PERCENTILES = (50, 75)
LARGEST_LOG = 3.0  # exponents a from 0.05 to 20


def to_two_quantiles(values: np.ndarray, target: Sequence[float]) -> IntensityMap:
    """The curve that brings the median and the 75th percentile of a brain to `target`.

    Args:
        values: the brain's intensities in [0, 1].
        target: both afterwards, rising, above 0 and below 1.

    Raises:
        ValueError: no such curve, as where both quantiles are equal or at an end of the range.
    """
    from scipy.optimize import brentq  # noqa: PLC0415  other ways do not wait for its import

    median, quartile = (float(value) for value in np.percentile(values, PERCENTILES))

    def second_exponent(log_a: float) -> float:
        return np.log1p(-target[0]) / np.log1p(-(median ** np.exp(log_a)))

    def excess(log_a: float) -> float:
        return -np.expm1(second_exponent(log_a) * np.log1p(-(quartile ** np.exp(log_a)))) - target[1]

    if not 0 < median < quartile < 1 or excess(-LARGEST_LOG) > 0 or excess(LARGEST_LOG) < 0:
        raise ValueError(
            f"the brain's median is {median:g} and its 75th percentile {quartile:g}, its lowest and highest "
            f"intensity being 0 and 1; no smooth curve brings them to {target[0]:g} and {target[1]:g}. Look "
            "at the scan."
        )
    log_a = brentq(excess, -LARGEST_LOG, LARGEST_LOG, xtol=1e-10)
    return IntensityMap(exponent=float(np.exp(log_a)), upper_exponent=float(second_exponent(log_a)))
