"""The quality page of a cohort: counts, subjects to check, and the lines that exclude them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.ingest.records import EXCLUSION_HEADER
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.preprocess.quality import PERCENTILES, FlagRule, HealthyBand, brain_spread, count_quality
from spatial_erasing.report.templates import fill_template

# Title of a column -> the quantity and its decimals; lesions only where the cohort has any.
_NUMBERS = {
    "brain, ml": ("brain_ml", 0),
    "robust SD from median": ("brain_deviations", 1),
    "intensity, lower": ("lower_intensity", 0),
    "median": ("median_intensity", 0),
    "upper": ("upper_intensity", 0),
    "beyond the healthy band": ("beyond_band", 2),
    "box, voxels": ("box_voxels", None),
}
_LESION_NUMBERS = {
    "lesion, ml": ("lesion_ml", 2),
    "downsampled, ml": ("lesion_downsampled_ml", 2),
    "outside brain, %": ("lesion_outside_brain_percent", 1),
}


@dataclass(frozen=True)
class Contrast:
    """The quantile curves of a cohort and the healthy band."""

    curves: Mapping[str, Mapping[str, np.ndarray]]  # subject to sequence to curve
    band: HealthyBand  # of the healthy training brains

    def judged(self, curves: Iterable[np.ndarray], rule: FlagRule) -> list[tuple[np.ndarray, bool]]:
        """Each curve with whether it is flagged; flagged ones last, so that they are drawn above."""
        pairs = [(curve, abs(self.band.distance(curve)[0]) > rule.beyond_band) for curve in curves]
        return sorted(pairs, key=lambda pair: pair[1])


@dataclass(frozen=True)
class Plot:
    """A small picture of quantile curves, and where its axes lie, in pixels from its top left corner."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float

    def x(self, percent: float) -> float:
        """Place of a percentile."""
        share = (percent - PERCENTILES[0]) / (PERCENTILES[-1] - PERCENTILES[0])
        return self.left + (self.right - self.left) * share

    def y(self, intensity: float) -> float:
        """Place of an intensity in [0, 1]."""
        return self.bottom - (self.bottom - self.top) * intensity

    def points(self, curve: Sequence[float]) -> list[str]:
        """A curve as SVG writes it."""
        pairs = zip(PERCENTILES, curve, strict=True)
        return [f"{self.x(percent):.1f},{self.y(value):.1f}" for percent, value in pairs]


CHART = Plot(420, 230, left=44, top=10, right=410, bottom=196)
SPARKLINE = Plot(72, 26, left=1, top=1, right=71, bottom=25)


def write_quality_page(
    rows: Sequence[Mapping[str, Any]], path: str | Path, *, cohort: str, rule: FlagRule, contrast: Contrast
) -> None:
    """Write the rows of `quality_rows` as one HTML page that needs no network and no script."""
    counts = count_quality(rows)
    suspects = [row for row in rows if state_of(row) != "done"]
    exclusions = [str(row["exclude_line"]) for row in suspects if row["exclude_line"]]
    page = fill_template(
        "quality.html",
        cohort=cohort,
        counts=counts,
        rule=rule,
        spread=brain_spread(float(row["brain_ml"]) for row in rows if row["status"] == "done"),
        suspects=suspects,
        exclusions=exclusions and [EXCLUSION_HEADER, *exclusions],
        band=contrast.band,
        chart=CHART,
        charts=_charts(contrast, rule),
        sparkline=SPARKLINE,
        sparklines={
            subject: (contrast.judged(curves.values(), rule), f"quantile curve of {', '.join(curves)}")
            for subject, curves in contrast.curves.items()
        },
        rows=rows,
        numbers=_NUMBERS | (_LESION_NUMBERS if counts.lesions else {}),
        state_of=state_of,
        printed=_printed,
    )
    write_text(path, page)


def _charts(contrast: Contrast, rule: FlagRule) -> dict[str, list[tuple[np.ndarray, bool]]]:
    """Title to the judged curves of each sequence."""
    by_sequence = defaultdict(list)
    for curves in contrast.curves.values():
        for sequence, curve in curves.items():
            by_sequence[sequence].append(curve)
    charts = {}
    for sequence, of_sequence in by_sequence.items():
        judged = contrast.judged(of_sequence, rule)
        odd = sum(is_odd for _, is_odd in judged)
        charts[f"{sequence}: {odd} of {len(judged)} outside the band"] = judged
    return charts


def state_of(row: Mapping[str, Any]) -> str:
    """The most serious thing to say of a subject: failed, flagged, warning or done."""
    if row["status"] != "done":
        return "failed"
    return "flagged" if row["flag"] else "warning" if row["warning"] else "done"


def _printed(value: Any, decimals: int | None) -> str:
    """A number as read or as measured, rounded; what is missing stays empty."""
    if value == "" or decimals is None:
        return str(value)
    return f"{round(float(value), decimals) + 0.0:.{decimals}f}"  # no minus sign before a rounded 0
