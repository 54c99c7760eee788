"""Checks of a scan's intensity map: the share that it clips, and its exponents."""

from collections.abc import Iterator

import numpy as np

from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap

# Of a brain above its upper percentile 1 % is at 1 before; vessels and fat add some after white_matter.
CLIPPED_SHARE = 0.2
POWERS = (0.25, 4.0)  # they bring a median from 0.06 to 0.84 to 0.5; real scans have 0.43 to 0.77
# of a curve through two quantiles; real T1ce has up to 5.6 and 61
LOWER_POWERS, UPPER_POWERS = (0.25, 10.0), (0.1, 100.0)


def doubts_of_map(values: np.ndarray, intensity_map: IntensityMap, *, sequence: str) -> Iterator[str]:
    """A sentence for what is doubtful about a map.

    Args:
        values: the intensities of the brain before, in [0, 1].
        intensity_map: of this scan.
        sequence: such as "t1".
    """
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
