"""Figure 6: which axial slices hold a lesion, on all test sets together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from spatial_erasing.jobs.results import open_arrays
from spatial_erasing.models import Methods
from spatial_erasing.report.estimates import Estimate, Intervals, draw_rows, seeds_note
from spatial_erasing.report.style import PAGE_WIDTH_MM, SMALL_POINTS, PageFigure, in_house_style

_METRIC = "slice_average_precision"
_NAMES_MM, _VALUES_MM, _HEAD_MM, _ROW_MM, _AXIS_MM = 34.0, 30.0, 6.0, 6.0, 9.5


@dataclass(frozen=True)
class Slices:
    """The axial slices of all test sets together."""

    subjects: dict[str, int]  # cohort -> test subjects
    slices: int  # how many, of all subjects
    abnormal: int  # how many of them hold a lesion

    @classmethod
    def count(cls, paths: Mapping[str, str | Path]) -> "Slices":
        """Count them in one run's `slices.npz` of each cohort: all runs have the same."""
        labels = {}
        for cohort, path in paths.items():
            with open_arrays(path) as arrays:
                labels[cohort] = arrays["abnormal"]
        return cls(
            subjects={cohort: len(abnormal) for cohort, abnormal in labels.items()},
            slices=sum(abnormal.size for abnormal in labels.values()),
            abnormal=sum(int(abnormal.sum()) for abnormal in labels.values()),
        )


@in_house_style
def figure_slices(
    intervals: Intervals, slices: Slices, *, methods: Methods, paper_percent: Mapping[str, float]
) -> Figure:
    """Slice-wise AUPRC of every model and baseline, as Bengs et al. (2021), Figure 6, one row each.

    The slices of all test sets are in one ranking. Stars show what the paper states.
    """
    rows = sorted(methods.values(), key=lambda method: (method.is_baseline, method.dims))
    estimates = {
        method: intervals.estimate(model=method.name, metric=_METRIC, fraction_percent=100) for method in rows
    }
    printed = [paper_percent.get(method.name) for method in rows]
    stars = {row: percent for row, percent in enumerate(printed) if percent is not None}
    panel_mm = _ROW_MM * len(rows)
    note = _note(slices, estimates.values(), intervals.confidence_percent, has_stars=bool(stars))
    figure = PageFigure.noted(_HEAD_MM + panel_mm + _AXIS_MM, note)
    panel = figure.add_panel((_NAMES_MM, _HEAD_MM), (PAGE_WIDTH_MM - _NAMES_MM - _VALUES_MM, panel_mm))
    prevalence = 100 * slices.abnormal / slices.slices
    also = (*stars.values(), prevalence)
    draw_rows(panel, estimates, label="Slice-wise AUPRC in %", ticks=8, also=also)
    beside = {"transform": panel.get_yaxis_transform(), "va": "center", "fontsize": SMALL_POINTS}
    for row, estimate in enumerate(estimates.values()):
        seeds = f" ({estimate.lowest:.1f}–{estimate.highest:.1f})" if estimate.seeds > 1 else ""
        panel.text(1.03, row, f"{estimate.mean:.1f}{seeds}", **beside)
    star = {"marker": "*", "markersize": 9, "markerfacecolor": "white", "color": "black"}
    for row, percent in stars.items():
        panel.plot([percent], [row], **star, linestyle="none", zorder=3)
    # chance level: the share of slices that hold a lesion
    panel.axvline(prevalence, color="0.3", linestyle="--", linewidth=1.0, zorder=1)
    above = {"xycoords": panel.get_xaxis_transform(), "xytext": (0, 4), "textcoords": "offset points"}
    text = {"ha": "center", "va": "bottom", "fontsize": SMALL_POINTS}
    panel.annotate(f"abnormal slices: {prevalence:.1f} %", (prevalence, 1), **above, **text)
    return figure


def _note(
    slices: Slices, estimates: Iterable[Estimate], confidence_percent: float, *, has_stars: bool
) -> str:
    """Test subjects, marks and bars."""
    counts = " and ".join(f"{cohort} n = {count}" for cohort, count in slices.subjects.items())
    together = " together" if len(slices.subjects) > 1 else ""
    return " ".join(
        [
            f"Test subjects of {counts}{together}: {slices.slices:,} axial slices.",
            seeds_note(estimates, confidence_percent=confidence_percent, also=", and in brackets"),
            "Dashed line: chance level, the share of abnormal slices.",
            *(["Star: Bengs et al. (2021) on their own data."] if has_stars else []),
        ]
    )
