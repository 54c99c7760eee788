"""Standardise by white matter: its peak in the histogram of a T1 scan goes to one value."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap

BINS = 256
SMOOTHING_BINS = 4.0  # standard deviation; two peaks nearer than some 0.04 are one
TAIL_PERCENTILE = 96.0  # vessels and fat above it make no peak; the value of Shinohara's R code
LEAST_HEIGHT = 0.2  # of the highest peak; lower ones are no tissue


def white_matter_peak(values: np.ndarray) -> float:
    """The intensity of the last peak of the smoothed histogram, or of its highest point without a peak.

    Shinohara et al. (2014), "Statistical normalization techniques for magnetic resonance imaging",
    NeuroImage: Clinical 6, 9-19: on T1, normal-appearing white matter is the tissue to align.
    """
    values = values[values <= np.percentile(values, TAIL_PERCENTILE)]
    counts, edges = np.histogram(values, bins=BINS, range=(0, 1))
    # what was clipped to 0 is no peak of a tissue
    counts[0] = counts[1]
    density = gaussian_filter1d(counts.astype(float), SMOOTHING_BINS, mode="nearest")
    inner = density[1:-1]
    is_peak = (inner > density[:-2]) & (inner >= density[2:]) & (inner >= LEAST_HEIGHT * density.max())
    peaks = np.flatnonzero(is_peak) + 1
    place = peaks[-1] if len(peaks) else density.argmax()
    return float((edges[place] + edges[place + 1]) / 2)


def to_white_matter(values: np.ndarray, target: float) -> IntensityMap:
    """The factor that brings the peak of white matter to `target`; what would lie above 1 becomes 1.

    Shinohara subtracts the peak and divides by the spread about it; here 0 stays 0 and the peak is multiplied
    to its target, since the networks expect intensities in [0, 1].
    """
    factor = target / white_matter_peak(values)
    if factor > 1:
        return IntensityMap(knots=((0.0, 0.0), (1 / factor, 1.0)))
    return IntensityMap(knots=((0.0, 0.0), (1.0, factor)))
