"""Diagnostics to look at: Dice over thresholds, precision over recall, post-processing, lesions by size."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatial_erasing.evaluate.diagnostics import GREEDY
from spatial_erasing.evaluate.metrics import SIZES
from spatial_erasing.models import Method, Methods
from spatial_erasing.report.diagnostics_page import WARNING
from spatial_erasing.report.style import (
    GRID_COLOUR,
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    add_legend,
    add_panel,
    add_text,
    in_house_style,
    model_style,
    new_figure,
    wrapped,
)

_LEFT_MM, _GAP_MM, _HEAD_MM, _PANEL_MM, _AXIS_MM, _LEGEND_MM, _LINE_MM = 12.0, 14.0, 9.0, 35.0, 14.0, 6.0, 3.6
_TITLES = (
    "Dice over the threshold, validation",
    "Precision over recall, test",
    "Post-processing, test",
    "Detected lesions, test",
)
_DODGE = 0.13  # between models at the same place
DiceCurves = Mapping[tuple[str, str], Mapping[str, Any]]
RecallCurves = Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]]


@in_house_style
def figure_diagnostics(
    diagnostics: pd.DataFrame,
    detection: pd.DataFrame,
    *,
    methods: Methods,
    dice_curves: DiceCurves,
    recall_curves: RecallCurves,
    prevalence: Mapping[str, float],
) -> Figure:
    """Four panels a test set: a row of curves and a row of what differs from the protocol.

    Args:
        diagnostics: `diagnostics.csv`, the rows of one sequence.
        detection: of `detection_by_size`, likewise.
        dice_curves: (model, cohort) to the record of the threshold search.
        recall_curves: (model, cohort) to recall and precision of the test split.
        prevalence: cohort to the share of lesion voxels of its test split.
    """
    cohorts = list(dict.fromkeys(diagnostics["cohort"]))
    drawn = [methods[name] for name in dict.fromkeys(diagnostics["model"])]
    note = wrapped(f"{WARNING} {_NOTE}", PAGE_WIDTH_MM)
    row_mm = _PANEL_MM + _AXIS_MM
    bottom_mm = len(cohorts) * 2 * row_mm + len(cohorts) * _HEAD_MM + _LEGEND_MM
    figure = new_figure(PAGE_WIDTH_MM, bottom_mm + (note.count("\n") + 1) * _LINE_MM + 1)
    for place, cohort in enumerate(cohorts):
        top_mm = _LEGEND_MM + place * (2 * row_mm + _HEAD_MM)
        add_text(figure, cohort, left_mm=0, top_mm=top_mm, weight="bold", parse_math=False)
        panels = _panels(figure, top_mm + _HEAD_MM, row_mm)
        _draw_dice(panels[0], {method: dice_curves[method.name, cohort] for method in drawn})
        _draw_recall(
            panels[1], {method: recall_curves[method.name, cohort] for method in drawn}, prevalence[cohort]
        )
        _draw_variants(panels[2], diagnostics[diagnostics["cohort"] == cohort], drawn)
        _draw_detection(panels[3], detection[detection["cohort"] == cohort], drawn)
    lines = {method.title: model_style(method).line for method in drawn}
    add_legend(figure, lines, left_mm=_LEFT_MM, top_mm=0.2, ncols=len(drawn), borderpad=0.1)
    add_text(figure, note, left_mm=0, top_mm=bottom_mm, fontsize=SMALL_POINTS)
    return figure


_NOTE = (
    "Dots: the greedy threshold of the study; diamonds: the best of all thresholds on the same validation "
    "subjects. Dashed: chance level, the share of lesion voxels. e: in-plane "
    "erosions of the brain mask, m: edge of the median's cube in voxels; the first is the study's. Every "
    "variant has its own threshold from validation subjects. A test set without validation subjects "
    "shows those of the set that gives its threshold. Lesions: connected components of the "
    "truth, by size: small, middle and large ones of the test set."
)


def _panels(figure: Figure, top_mm: float, row_mm: float) -> list[Axes]:
    width_mm = (PAGE_WIDTH_MM - _LEFT_MM - _GAP_MM - 2) / 2
    panels = []
    for place, title in enumerate(_TITLES):
        row, column = divmod(place, 2)
        panel = add_panel(
            figure,
            left_mm=_LEFT_MM + column * (width_mm + _GAP_MM),
            top_mm=top_mm + row * row_mm,
            width_mm=width_mm,
            height_mm=_PANEL_MM,
        )
        panel.set_title(title, loc="left")
        panel.grid(axis="y", color=GRID_COLOUR, linewidth=0.4)
        panel.set_axisbelow(True)
        panels.append(panel)
    return panels


def _line(method: Method) -> dict[str, Any]:
    style = model_style(method)
    return {"color": style.colour, "linestyle": style.dashes, "linewidth": 1.2}


def _draw_dice(panel: Axes, records: Mapping[Method, Mapping[str, Any]]) -> None:
    """The whole curve of every model, with both thresholds."""
    for method, record in records.items():
        curve = record["curve"]
        panel.plot(curve["threshold"], 100 * np.array(curve["dice"]), **_line(method))
        for marker, names in (
            ("o", ("threshold", "dice")),
            ("D", ("exhaustive_threshold", "exhaustive_dice")),
        ):
            threshold, dice = (record[name] for name in names)
            look = {"marker": marker, "markersize": 4, "markerfacecolor": "white" if marker == "D" else None}
            panel.plot([threshold], [100 * dice], color=model_style(method).colour, zorder=3, **look)
    panel.set(xlabel="Threshold", ylabel="Dice in %", xlim=(0, None), ylim=(0, None))


def _draw_recall(
    panel: Axes, curves: Mapping[Method, tuple[np.ndarray, np.ndarray]], prevalence: float
) -> None:
    for method, (recall, precision) in curves.items():
        panel.plot(100 * recall, 100 * precision, drawstyle="steps-pre", **_line(method))
    panel.axhline(100 * prevalence, color="0.4", linestyle="--", linewidth=0.8)
    panel.set(xlabel="Recall in %", ylabel="Precision in %", xlim=(0, 100), ylim=(0, 102))


def _draw_variants(panel: Axes, rows: pd.DataFrame, methods: Sequence[Method]) -> None:
    """AUPRC of every method after each way of post-processing."""
    wanted = rows[(rows["threshold_from"] == GREEDY) & (rows["metric"] == "average_precision")]
    names = "e" + wanted["erosion_iterations"].astype(str) + " m" + wanted["median_size_voxels"].astype(str)
    variants = list(dict.fromkeys(names))
    for rank, method in enumerate(methods):
        values = wanted[wanted["model"] == method.name].assign(name=names).set_index("name")["value"]
        _draw_beside(panel, [values[name] for name in variants], method, rank - (len(methods) - 1) / 2)
    panel.set_xticks(range(len(variants)), variants)
    panel.set(ylabel="AUPRC in %", xlim=(-0.5, len(variants) - 0.5))


def _draw_detection(panel: Axes, detection: pd.DataFrame, methods: Sequence[Method]) -> None:
    """Share of detected lesions by size."""
    for rank, method in enumerate(methods):
        found = detection[detection["model"] == method.name].set_index("size")["detected"]
        _draw_beside(panel, [found[size] for size in SIZES], method, rank - (len(methods) - 1) / 2)
    first = detection[detection["model"] == detection["model"].iloc[0]].set_index("size")["lesions"]
    panel.set_xticks(range(len(SIZES)), [f"{size}\nn = {first[size]}" for size in SIZES])
    panel.set(ylabel="Detected in %", xlim=(-0.5, len(SIZES) - 0.5), ylim=(-4, 104))


def _draw_beside(panel: Axes, shares: Sequence[float], method: Method, shift: float) -> None:
    """A method's points at each place, beside those of the others."""
    places = [place + shift * _DODGE for place in range(len(shares))]
    look = {**model_style(method).point, "linestyle": "none", "zorder": 3}
    panel.plot(places, [100 * share for share in shares], **look)
