"""The ways to bring the brains of all scanners onto one contrast: a word of config.yaml to its function.

Each finds the map of a scan from the intensities of its brain in [0, 1] and the target of its sequence.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from spatial_erasing.preprocess.landmarks import Landmarks, read_landmarks

PERCENTILES = (50, 75)
LARGEST_LOG = 3.0  # exponents a from 0.05 to 20
BINS = 256
SMOOTHING_BINS = 4.0  # standard deviation; two peaks nearer than some 0.04 are one
TAIL_PERCENTILE = 96.0  # vessels and fat above it make no peak; the value of Shinohara's R code
LEAST_HEIGHT = 0.2  # of the highest peak; lower ones are no tissue
# Of a brain above its upper percentile 1 % is at 1 before; vessels and fat add some after white_matter.
CLIPPED_SHARE = 0.2
POWERS = (0.25, 4.0)  # they bring a median from 0.06 to 0.84 to 0.5; real scans have 0.43 to 0.77
# of a curve through two quantiles; real T1ce has up to 5.6 and 61
LOWER_POWERS, UPPER_POWERS = (0.25, 10.0), (0.1, 100.0)


@dataclass(frozen=True)
class IntensityMap:
    """Piecewise linear through knots, then a smooth curve: y = 1 - (1 - interpolate(x)^a)^b, in [0, 1]."""

    # (x, y) pairs, x and y rising, the first of them (0, 0); beyond the last x its y holds
    knots: tuple[tuple[float, float], ...] = ((0.0, 0.0), (1.0, 1.0))
    exponent: float = 1.0  # a, above 0. With b = 1 the curve is a power of the intensity
    upper_exponent: float = 1.0  # b, above 0

    def __post_init__(self) -> None:
        x, y = np.array(self.knots, dtype=float).T
        is_rising = (x[0], y[0]) == (0, 0) and (np.diff(x) > 0).all() and (np.diff(y) >= 0).all()
        if not is_rising or min(self.exponent, self.upper_exponent) <= 0:
            raise ValueError(
                f"{self} is not monotone from (0, 0); expected rising knots and exponents above 0. Look at "
                "the scan's intensities."
            )

    def __call__(self, intensities: np.ndarray) -> np.ndarray:
        """Mapped intensities, float32 in [0, 1]; 0 stays 0."""
        mapped = np.asarray(intensities, dtype=np.float32)
        if self.knots != ((0.0, 0.0), (1.0, 1.0)):
            x, y = zip(*self.knots, strict=True)
            mapped = np.interp(mapped, x, y).astype(np.float32)
        if self.exponent != 1:
            mapped = mapped ** np.float32(self.exponent)
        if self.upper_exponent != 1:
            mapped = 1 - (1 - mapped) ** np.float32(self.upper_exponent)
        return np.clip(mapped, 0, 1)

    def __str__(self) -> str:
        """For a table cell: "power 1.52, upper power 0.9", "0.5>0.47 1>1", or "unchanged"."""
        parts = []
        if self.knots != ((0.0, 0.0), (1.0, 1.0)):
            parts.append(" ".join(f"{x:.4g}>{y:.4g}" for x, y in self.knots[1:]))
        if self.exponent != 1 or self.upper_exponent != 1:
            parts.append(f"power {self.exponent:.4g}")
        if self.upper_exponent != 1:
            parts.append(f"upper power {self.upper_exponent:.4g}")
        return ", ".join(parts) or "unchanged"


def through_knots(before: Sequence[float], after: Sequence[float]) -> IntensityMap:
    """The piecewise linear map from (0, 0) over these points to (1, 1).

    Where neighbouring intensities of a scan are equal, the later point is left out: both would ask for
    different results of one intensity.
    """
    knots = [(0.0, 0.0)]
    for x, y in zip(before, after, strict=True):
        if x - knots[-1][0] > 1e-6 and x < 1 - 1e-6:
            knots.append((float(x), float(max(y, knots[-1][1]))))
    return IntensityMap(knots=(*knots, (1.0, 1.0)))


def doubts_of_map(values: np.ndarray, intensity_map: IntensityMap, *, sequence: str) -> Iterator[str]:
    """A sentence for what is doubtful about a map."""
    clipped = float((intensity_map(values) >= 1).mean())
    if clipped > CLIPPED_SHARE:
        yield (
            f"{sequence}: its map onto the standard contrast sets {100 * clipped:.0f} % of the brain to 1, "
            f"limit {100 * CLIPPED_SHARE:.0f} %: the peak taken for white matter is too dark, or the "
            f"scan has few intensities."
        )
    limits = {"power": (intensity_map.exponent, POWERS)}
    if intensity_map.upper_exponent != 1:
        limits = {
            "power": (intensity_map.exponent, LOWER_POWERS),
            "upper power": (intensity_map.upper_exponent, UPPER_POWERS),
        }
    for name, (exponent, (lowest, highest)) in limits.items():
        if not lowest <= exponent <= highest:
            yield (
                f"{sequence}: its map onto the standard contrast has the {name} {exponent:.3g}, expected "
                f"{lowest:g} to {highest:g}: few scans are that dark or that bright."
            )


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


def to_landmarks(values: np.ndarray, target: Landmarks) -> IntensityMap:
    """The piecewise linear map of a brain's percentiles onto the standard scale."""
    return through_knots(np.percentile(values, target.percentiles), target.values)


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
