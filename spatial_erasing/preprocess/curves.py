"""Quantile curves: how the intensities of a brain are distributed, beside those of the training brains.

The curve of a brain is its intensity at each percentile, on the networks' grid. At each percentile most
healthy training brains lie in a narrow band. A scan outside it looks abnormal everywhere, whatever its
anatomy.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.results import open_arrays, read_json

PERCENTILES = (1, *range(5, 100, 5), 99)
BAND_PERCENTILES = (1, 99)  # of the training brains at each percentile: one odd scan does not widen the band


@dataclass(frozen=True)
class HealthyBand:
    """Where the quantile curves of the healthy training brains lie."""

    sequence: str  # that the networks are trained on, such as "t1"
    brains: int  # how many
    lowest: tuple[float, ...]  # intensity at each of `PERCENTILES`, in [0, 1]
    middle: tuple[float, ...]  # the same, median of the brains
    highest: tuple[float, ...]  # the same

    def distance(self, curve: np.ndarray) -> tuple[float, int]:
        """How far a curve lies outside the band where it is farthest, and at which percentile.

        Returns:
            Signed distance in intensity, above 0 over the band, 0 within; and the percentile.
        """
        beyond = np.maximum(curve - self.highest, 0) - np.maximum(np.subtract(self.lowest, curve), 0)
        place = int(np.abs(beyond).argmax())
        return float(beyond[place]), PERCENTILES[place]


def quantile_curves(scans: np.ndarray, brains: np.ndarray) -> np.ndarray:
    """The intensity of each brain at each of `PERCENTILES`, float64, shape (subjects, percentiles)."""
    pairs = zip(scans, brains, strict=True)
    return np.array([np.percentile(scan[brain].astype(np.float32), PERCENTILES) for scan, brain in pairs])


def largest_distance(curves: Iterable[np.ndarray]) -> float:
    """Between any two curves, at any percentile: that between the highest and the lowest at one of them."""
    curves = np.array(list(curves))
    return float((curves.max(axis=0) - curves.min(axis=0)).max())


def healthy_band(scans: np.ndarray, brains: np.ndarray, *, sequence: str) -> HealthyBand:
    """The band of the healthy training brains: scans and bool masks of shape (subjects, X, Y, Z)."""
    if not len(scans):
        raise ValueError(
            "no healthy training subject has been preprocessed. See results/split/healthy.csv and the "
            "reasons in results/preprocess/*/batch-*.csv."
        )
    curves = quantile_curves(scans, brains)
    lowest, highest = np.percentile(curves, BAND_PERCENTILES, axis=0)
    middle = np.median(curves, axis=0)
    return HealthyBand(sequence, len(curves), *(tuple(line.tolist()) for line in (lowest, middle, highest)))


def write_band(path: str | Path, band: HealthyBand) -> None:
    """Write a band as JSON."""
    write_text(path, json.dumps(asdict(band) | {"percentiles": PERCENTILES}, indent=1) + "\n")


def read_band(path: str | Path) -> HealthyBand:
    """The band that `write_band` wrote."""
    curves = ("lowest", "middle", "highest")
    content = read_json(path, keys=("sequence", "brains", *curves))
    lines = {name: tuple(content[name]) for name in curves}
    return HealthyBand(content["sequence"], content["brains"], **lines)


def curves_of_cohort(volumes: str | Path, sequences: tuple[str, ...]) -> Mapping[str, dict[str, np.ndarray]]:
    """The curves of a cohort: subject to sequence to curve."""
    with open_arrays(volumes) as arrays:
        curves = {name: quantile_curves(arrays[name], arrays["brain"]) for name in sequences}
        subjects = arrays["subject"].tolist()
    return {
        subject: {name: curves[name][place] for name in sequences} for place, subject in enumerate(subjects)
    }
