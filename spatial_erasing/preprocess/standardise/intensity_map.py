"""A monotone map of intensities: what every way to standardise finds for a scan, and the manifest records."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

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
