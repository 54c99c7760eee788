"""Which subjects of a cohort to look at: a table of measures, and rules for volume, contrast and its map.

A flag excludes nobody; it comes with the line that does. The quantile curve of a brain is its intensity at
each percentile, on the networks' grid. At each percentile most healthy training brains lie in a narrow band;
a scan outside it looks abnormal everywhere, whatever its anatomy.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.ingest.records import exclusion_line
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.results import open_arrays, read_json

COLUMNS = (
    *("cohort", "subject", "scanner", "status", "reason", "brain_ml", "brain_deviations"),
    *("lower_intensity", "median_intensity", "upper_intensity", "intensity_maps", "beyond_band"),
    "box_voxels",
    *("lesion_ml", "lesion_downsampled_ml", "lesion_outside_brain_percent"),
    *("warning", "flag", "exclude_line"),
)

# Makes the median absolute deviation of normal values their standard deviation: 1 / Φ⁻¹(3/4).
_NORMAL_SCALE = 1.4826
# Of fewer brains the median and its deviation say little: among 4, one outlier moves both.
_MINIMUM_SUBJECTS = 5
PERCENTILES = (1, *range(5, 100, 5), 99)
BAND_PERCENTILES = (1, 99)  # of the training brains at each percentile: one odd scan does not widen the band


@dataclass(frozen=True)
class FlagRule:
    """When a brain is flagged: by its volume, or how far it lies from its cohort or the healthy band."""

    outside_ml: tuple[float, float]  # lowest and highest volume that is not flagged
    beyond_deviations: float  # largest distance that is not flagged, in robust standard deviations
    beyond_band: float  # largest distance of a quantile curve from the healthy band that is not flagged


@dataclass(frozen=True)
class Spread:
    """Median and robust standard deviation of a cohort's brains in ml; NaN where there is none."""

    median_ml: float
    deviation_ml: float

    def deviations(self, volume_ml: float) -> float:
        """Signed distance of a volume from the median, in robust standard deviations."""
        return (volume_ml - self.median_ml) / self.deviation_ml


def brain_spread(volumes_ml: Iterable[float]) -> Spread:
    """Median and 1.4826 × median absolute deviation, which a few outliers hardly move.

    The deviation is NaN, so that it flags nobody, of fewer than 5 brains and where at least half of the
    volumes are equal: then it would be 0, and one voxel more would be infinitely far away.
    """
    volumes_ml = np.asarray(list(volumes_ml), dtype=float)
    if not len(volumes_ml):
        return Spread(np.nan, np.nan)
    median_ml = float(np.median(volumes_ml))
    deviation_ml = _NORMAL_SCALE * float(np.median(np.abs(volumes_ml - median_ml)))
    is_defined = len(volumes_ml) >= _MINIMUM_SUBJECTS and deviation_ml > 0
    return Spread(median_ml, deviation_ml if is_defined else np.nan)


@dataclass(frozen=True)
class HealthyBand:
    """Where the quantile curves of the healthy training brains lie."""

    sequence: str  # that the networks are trained on, such as "t1"
    brains: int  # how many
    lowest: tuple[float, ...]  # intensity at each of `PERCENTILES`, in [0, 1]
    middle: tuple[float, ...]  # the same, median of the brains
    highest: tuple[float, ...]  # the same

    def distance(self, curve: np.ndarray) -> tuple[float, int]:
        """Distance of a curve from the band where it is largest, in intensity, and at which percentile.

        Above the band it is positive, below negative, inside 0.
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
    lowest, highest = np.percentile(curves, BAND_PERCENTILES, axis=0).tolist()
    middle = np.median(curves, axis=0).tolist()
    return HealthyBand(sequence, len(curves), tuple(lowest), tuple(middle), tuple(highest))


def write_band(path: str | Path, band: HealthyBand) -> None:
    """Write a band as JSON."""
    write_text(path, json.dumps(asdict(band) | {"percentiles": PERCENTILES}, indent=1) + "\n")


def read_band(path: str | Path) -> HealthyBand:
    """The band that `write_band` wrote."""
    curves = ("lowest", "middle", "highest")
    content = read_json(path, keys=("sequence", "brains", *curves))
    return HealthyBand(content["sequence"], content["brains"], *(tuple(content[name]) for name in curves))


def curves_of_cohort(volumes: str | Path, sequences: tuple[str, ...]) -> Mapping[str, dict[str, np.ndarray]]:
    """The curves of a cohort: subject to sequence to curve."""
    with open_arrays(volumes) as arrays:
        curves = {name: quantile_curves(arrays[name], arrays["brain"]) for name in sequences}
        places = enumerate(arrays["subject"].tolist())
    return {subject: {name: curves[name][place] for name in sequences} for place, subject in places}


def quality_rows(
    manifest: Iterable[Mapping[str, Any]],
    *,
    rule: FlagRule,
    curves: Mapping[str, Mapping[str, np.ndarray]],
    band: HealthyBand,
) -> list[dict[str, Any]]:
    """One row a subject with its measures, flag and the line that would exclude it; the worst first.

    Failed subjects come first, then flagged ones, then those with a warning; each group sorted by name.

    Args:
        curves: subject to sequence to quantile curve, of those that are done.
    """
    manifest = list(manifest)
    spread = brain_spread(float(row["brain_ml"]) for row in manifest if row["status"] == "done")
    rows = []
    for row in manifest:
        own = curves.get(str(row["subject"]), {})
        distances = {sequence: band.distance(curve) for sequence, curve in own.items()}
        rows.append(_quality_row(row, rule=rule, spread=spread, distances=distances))
    return sorted(rows, key=_urgency)


def _urgency(row: Mapping[str, Any]) -> tuple:
    return row["status"] == "done", not row["flag"], not row["warning"], row["subject"]


def _quality_row(
    row: Mapping[str, Any], *, rule: FlagRule, spread: Spread, distances: Mapping[str, tuple[float, int]]
) -> dict[str, Any]:
    """The row of one subject; what a failed one lacks is empty."""
    box = [str(row.get(f"box_{axis}_voxels", "")) for axis in "xyz"]
    kept = {name: row.get(name, "") for name in COLUMNS} | {"box_voxels": "×".join(box) if all(box) else ""}
    if row["status"] != "done":
        return kept | {"exclude_line": exclusion_line(row, "preprocessing failed")}
    volume_ml = float(row["brain_ml"])
    deviations = spread.deviations(volume_ml)
    flags = {
        f"brain of {volume_ml:.0f} ml": volume_sentence(volume_ml, rule=rule, spread=spread),
        "contrast outside the healthy band": contrast_sentence(distances, rule=rule),
        "doubtful map of intensities": str(row.get("doubtful_map", "")),
    }
    flags = {reason: sentence for reason, sentence in flags.items() if sentence}
    return kept | {
        "brain_deviations": "" if np.isnan(deviations) else deviations,
        "beyond_band": max((distance for distance, _ in distances.values()), key=abs, default=""),
        "flag": " ".join(flags.values()),
        "exclude_line": exclusion_line(row, ", ".join(flags)) if flags else "",
    }


def contrast_sentence(distances: Mapping[str, tuple[float, int]], *, rule: FlagRule) -> str:
    """Which quantile curves leave the healthy band, how far and where; empty if none does."""
    return " ".join(
        f"Contrast of {name}: percentile {percentile} lies {abs(distance):.2f} "
        f"{'above' if distance > 0 else 'below'} the healthy band, limit {rule.beyond_band:g}."
        for name, (distance, percentile) in distances.items()
        if abs(distance) > rule.beyond_band
    )


def volume_sentence(volume_ml: float, *, rule: FlagRule, spread: Spread) -> str:
    """What is unusual about a brain of this volume and by which rule; empty if nothing is."""
    lowest_ml, highest_ml = rule.outside_ml
    deviations = spread.deviations(volume_ml)
    side = "above" if deviations > 0 else "below"
    away = f"{abs(deviations):.1f} robust SD {side} the median {spread.median_ml:.0f} ml"
    findings = {
        f"below {lowest_ml:g} ml": volume_ml < lowest_ml,
        f"above {highest_ml:g} ml": volume_ml > highest_ml,
        f"{away}, limit {rule.beyond_deviations:g}": abs(deviations) > rule.beyond_deviations,
    }
    found = "; ".join(finding for finding, is_true in findings.items() if is_true)
    return f"Brain of {volume_ml:.1f} ml: {found}." if found else ""


@dataclass(frozen=True)
class Counts:
    """What happened to a cohort, in numbers. A subject may be flagged and have a warning."""

    subjects: int
    done: int
    failed: int
    flagged: int
    warned: int
    lesions: int
    vanished: int  # lesions that have no voxel left on the grid of the networks
    lesion_ml: float  # all lesions of the subjects that are done, before downsampling
    lesion_downsampled_ml: float  # the same after downsampling


def count_quality(rows: Iterable[Mapping[str, Any]]) -> Counts:
    """The numbers of a cohort, from the rows of `quality_rows` or of their file."""
    rows = list(rows)
    done = [row for row in rows if row["status"] == "done"]
    before = [float(row["lesion_ml"] or 0) for row in done]
    after = [float(row["lesion_downsampled_ml"] or 0) for row in done]
    return Counts(
        subjects=len(rows),
        done=len(done),
        failed=len(rows) - len(done),
        flagged=sum(bool(row["flag"]) for row in rows),
        warned=sum(bool(row["warning"]) for row in rows),
        lesions=sum(ml > 0 for ml in before),
        vanished=sum(old > 0 and new == 0 for old, new in zip(before, after, strict=True)),
        lesion_ml=sum(before),
        lesion_downsampled_ml=sum(after),
    )


def quality_summary(rows: Iterable[Mapping[str, Any]], *, cohort: str) -> str:
    """One line for the terminal: "brats: 334 done, 1 failed, 2 flagged, 0 with a warning"."""
    counts = count_quality(rows)
    numbers = [f"{counts.done} done", f"{counts.failed} failed", f"{counts.flagged} flagged"]
    numbers.append(f"{counts.warned} with a warning")
    if counts.vanished:
        numbers.append(f"{counts.vanished} of {counts.lesions} lesions vanished")
    return f"{cohort}: {', '.join(numbers)}"
