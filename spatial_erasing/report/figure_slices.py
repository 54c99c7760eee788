"""Figure 6: which axial slices hold a lesion, on all test sets together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatial_erasing.jobs.results import open_arrays
from spatial_erasing.models import Method, Methods
from spatial_erasing.report.estimates import Estimate, Intervals, draw_estimate, limits_around, seeds_note
from spatial_erasing.report.style import (
    GRID_COLOUR,
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    add_panel,
    add_text,
    in_house_style,
    new_figure,
    wrapped,
)

_METRIC = "slice_average_precision"
_NAMES_MM = 34.0
_VALUES_MM, _HEAD_MM, _ROW_MM, _AXIS_MM, _LINE_MM = 30.0, 6.0, 6.0, 9.5, 3.6


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
    intervals: Intervals,
    slices: Slices,
    *,
    methods: Methods,
    paper_percent: Mapping[str, float] | None = None,
) -> Figure:
    """Slice-wise AUPRC of every model and baseline, as Bengs et al. (2021), Figure 6, one row each.

    The slices of all test sets are in one ranking. Stars show what the paper states.
    """
    paper_percent = paper_percent or {}
    rows = _in_rows(methods.values())
    estimates = {
        method.name: intervals.estimate(model=method.name, metric=_METRIC, fraction_percent=100)
        for method in rows
    }
    sentences = [
        _subjects_note(slices),
        seeds_note(
            estimates.values(), confidence_percent=intervals.confidence_percent, also=", and in brackets"
        ),
        "Dashed line: chance level, the share of abnormal slices.",
        *(["Star: Bengs et al. (2021) on their own data."] if set(paper_percent) & set(estimates) else []),
    ]
    note = wrapped(" ".join(sentences), PAGE_WIDTH_MM)
    panel_mm = _ROW_MM * len(estimates)
    note_mm = _HEAD_MM + panel_mm + _AXIS_MM
    figure = new_figure(PAGE_WIDTH_MM, note_mm + (note.count("\n") + 1) * _LINE_MM + 1.0)
    size = {"width_mm": PAGE_WIDTH_MM - _NAMES_MM - _VALUES_MM, "height_mm": panel_mm}
    panel = add_panel(figure, left_mm=_NAMES_MM, top_mm=_HEAD_MM, **size)
    beside = {"transform": panel.get_yaxis_transform(), "va": "center", "fontsize": SMALL_POINTS}
    for row, (model, estimate) in enumerate(estimates.items()):
        draw_estimate(panel, estimate, row, method=methods[model], horizontal=True)
        panel.text(1.03, row, _value_text(estimate), **beside)
        if model in paper_percent:
            star = {"marker": "*", "markersize": 9, "markerfacecolor": "white", "color": "black"}
            panel.plot([paper_percent[model]], [row], **star, linestyle="none", zorder=3)
    _draw_prevalence(panel, 100 * slices.abnormal / slices.slices)
    _scale_axes(panel, [method.title for method in rows])
    add_text(figure, note, left_mm=0, top_mm=note_mm + 0.3, fontsize=SMALL_POINTS)
    return figure


def _in_rows(methods: Iterable[Method]) -> list[Method]:
    """2-D above 3-D, baselines last."""
    return sorted(methods, key=lambda method: (method.is_baseline, method.dims))


def _value_text(estimate: Estimate) -> str:
    if estimate.seeds == 1:
        return f"{estimate.mean:.1f}"
    return f"{estimate.mean:.1f} ({estimate.lowest:.1f}–{estimate.highest:.1f})"


def _draw_prevalence(panel: Axes, percent: float) -> None:
    """Chance level: the share of slices that hold a lesion."""
    panel.axvline(percent, color="0.3", linestyle="--", linewidth=1.0, zorder=1)
    above = {"xycoords": panel.get_xaxis_transform(), "xytext": (0, 4), "textcoords": "offset points"}
    label = f"abnormal slices: {percent:.1f} %"
    panel.annotate(label, (percent, 1), **above, ha="center", va="bottom", fontsize=SMALL_POINTS)


def _scale_axes(panel: Axes, titles: list[str]) -> None:
    drawn = np.concatenate([np.asarray(line.get_xdata(), dtype=float) for line in panel.lines])
    panel.set_xlim(limits_around(drawn[np.isfinite(drawn)]))
    panel.xaxis.set_major_locator(MaxNLocator(8, steps=(1, 2, 5, 10)))
    panel.set_xlabel("Slice-wise AUPRC in %", labelpad=1)
    panel.set_ylim(len(titles) - 0.5, -0.5)
    panel.set_yticks(range(len(titles)), titles)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color=GRID_COLOUR, linewidth=0.4)
    panel.set_axisbelow(True)


def _subjects_note(slices: Slices) -> str:
    counts = " and ".join(f"{cohort} n = {count}" for cohort, count in slices.subjects.items())
    together = " together" if len(slices.subjects) > 1 else ""
    return f"Test subjects of {counts}{together}: {slices.slices:,} axial slices."
