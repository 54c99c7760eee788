"""The ways to bring the brains of all scanners onto one contrast: a word of config.yaml to its function.

Each finds the map of a scan from the intensities of its brain in [0, 1] and the target of its sequence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import brentq

from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap
from spatial_erasing.preprocess.standardise.landmarks import read_landmarks, to_landmarks

PERCENTILES = (50, 75)
LARGEST_LOG = 3.0  # exponents a from 0.05 to 20
BINS = 256
SMOOTHING_BINS = 4.0  # standard deviation; two peaks nearer than some 0.04 are one
TAIL_PERCENTILE = 96.0  # vessels and fat above it make no peak; the value of Shinohara's R code
LEAST_HEIGHT = 0.2  # of the highest peak; lower ones are no tissue


def keep_range(_values: np.ndarray, _target: None) -> IntensityMap:
    """The map that changes nothing: two scanners agree at both ends and may differ everywhere between.

    "Standardization" to intensities from 0 to 1 (Bengs et al. 2021, section 2.1), read literally.
    """
    return IntensityMap()


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


def to_two_quantiles(values: np.ndarray, target: Sequence[float]) -> IntensityMap:
    """The smooth curve that brings the median and the 75th percentile of a brain to `target`.

    A median alone leaves the contrast between grey and white matter to the scanner: on T1 with contrast agent
    bright vessels take the upper half of the range. The curve is the distribution function of Kumaraswamy
    (1980), "A generalized probability density function for double-bounded random processes", Journal of
    Hydrology 46, 79-88: y = 1 - (1 - x^a)^b, monotone from (0, 0) to (1, 1); with b = 1 it is the power of
    `to_median`. Both quantiles lie in the brighter half, which a dark lesion moves least.

    Raises:
        ValueError: no such curve, as where both quantiles are equal or at an end of the range.
    """
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


WAYS: dict[str, Callable[[np.ndarray, Any], IntensityMap]] = {
    "range": keep_range,
    "median": to_median,
    "landmarks": to_landmarks,
    "two_quantiles": to_two_quantiles,
    "white_matter": to_white_matter,
}


@dataclass(frozen=True)
class Standard:
    """How each sequence is brought onto one contrast: one of `WAYS`, and its target; none for "range"."""

    ways: Mapping[str, str]
    targets: Mapping[str, object]

    def map_of(self, values: np.ndarray, *, sequence: str) -> IntensityMap:
        """The map of one scan from the intensities of its brain, in [0, 1]."""
        return WAYS[self.ways[sequence]](values, self.targets.get(sequence))


def read_standard(ways: Mapping[str, str], targets: Mapping[str, object], learned: Iterable[str]) -> Standard:
    """The standard of a study; `learned` are files of landmarks, none where no sequence needs them."""
    scales = {sequence: scale for path in learned for sequence, scale in read_landmarks(path).items()}
    needed = {sequence: scales[sequence] for sequence, way in ways.items() if way == "landmarks"}
    return Standard(ways, {**targets, **needed})
