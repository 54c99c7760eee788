"""Diagnostics to look at: Dice over thresholds, precision over recall, post-processing, lesions by size."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatial_erasing.evaluate.diagnostics import GREEDY
from spatial_erasing.evaluate.metrics import SIZES
from spatial_erasing.models import Method, Methods
from spatial_erasing.report.diagnostics import WARNING
from spatial_erasing.report.style import PAGE_WIDTH_MM, PageFigure, in_house_style, model_style
from spatial_erasing.report.tables import rows_with

_LEFT_MM, _GAP_MM, _HEAD_MM, _PANEL_MM, _AXIS_MM, _LEGEND_MM = 12.0, 14.0, 9.0, 35.0, 14.0, 6.0
_DODGE = 0.13  # between models at the same place


@in_house_style
def figure_diagnostics(
    diagnostics: pd.DataFrame,
    detection: pd.DataFrame,
    *,
    methods: Methods,
    dice_curves: Mapping[tuple[str, str], Mapping[str, Any]],
    recall_curves: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]],
    prevalence: Mapping[str, float],
) -> Figure:
    """Four panels a test set: a row of curves and a row of what differs from the protocol.

    Args:
        diagnostics: `diagnostics.csv`, the rows of one sequence, like those of `detection`.
        dice_curves: (model, cohort) to the record of the threshold search.
        recall_curves: (model, cohort) to recall and precision of the test split.
        prevalence: cohort to the share of lesion voxels of its test split.
    """
    cohorts = list(dict.fromkeys(diagnostics["cohort"]))
    drawn = [methods[name] for name in dict.fromkeys(diagnostics["model"])]
    cohort_mm = _HEAD_MM + 2 * (_PANEL_MM + _AXIS_MM)
    figure = PageFigure.noted(_LEGEND_MM + len(cohorts) * cohort_mm, f"{WARNING} {_NOTE}")
    for place, cohort in enumerate(cohorts):
        top_mm = _LEGEND_MM + place * cohort_mm
        figure.add_text(cohort, (0, top_mm), weight="bold", parse_math=False)
        panels = _panels(figure, top_mm + _HEAD_MM)
        _draw_dice(panels[0], {method: dice_curves[method.name, cohort] for method in drawn})
        _draw_recall(panels[1], {method: recall_curves[method.name, cohort] for method in drawn})
        panels[1].axhline(100 * prevalence[cohort], color="0.4", linestyle="--", linewidth=0.8)
        _draw_variants(panels[2], diagnostics[diagnostics["cohort"] == cohort], drawn)
        _draw_detection(panels[3], detection[detection["cohort"] == cohort], drawn)
    figure.add_legend(drawn, (_LEFT_MM, 0.2), line={}, ncols=len(drawn), borderpad=0.1)
    return figure


_NOTE = (
    "Dots: the greedy threshold of the study; diamonds: the best of all thresholds on the same validation "
    "subjects. Dashed: chance level, the share of lesion voxels. e: in-plane "
    "erosions of the brain mask, m: edge of the median's cube in voxels; the first is the study's. Every "
    "variant has its own threshold from validation subjects. A test set without validation subjects "
    "shows those of the set that gives its threshold. Lesions: connected components of the "
    "truth, by size: small, middle and large ones of the test set."
)


def _panels(figure: PageFigure, top_mm: float) -> list[Axes]:
    width_mm = (PAGE_WIDTH_MM - _LEFT_MM - _GAP_MM - 2) / 2
    panels = []
    for place in range(4):
        row, column = divmod(place, 2)
        corner_mm = (_LEFT_MM + column * (width_mm + _GAP_MM), top_mm + row * (_PANEL_MM + _AXIS_MM))
        panel = figure.add_panel(corner_mm, (width_mm, _PANEL_MM))
        panel.grid(axis="y")
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
        for search, marker, face in (("", "o", None), ("exhaustive_", "D", "white")):
            look = {"color": model_style(method).colour, "marker": marker, "markerfacecolor": face}
            place = [record[f"{search}threshold"]], [100 * record[f"{search}dice"]]
            panel.plot(*place, **look, markersize=4, zorder=3)
    panel.set_title("Dice over the threshold, validation", loc="left")
    panel.set(xlabel="Threshold", ylabel="Dice in %", xlim=(0, None), ylim=(0, None))


def _draw_recall(panel: Axes, curves: Mapping[Method, tuple[np.ndarray, np.ndarray]]) -> None:
    for method, (recall, precision) in curves.items():
        panel.plot(100 * recall, 100 * precision, drawstyle="steps-pre", **_line(method))
    panel.set_title("Precision over recall, test", loc="left")
    panel.set(xlabel="Recall in %", ylabel="Precision in %", xlim=(0, 100), ylim=(0, 102))


def _draw_variants(panel: Axes, rows: pd.DataFrame, methods: Sequence[Method]) -> None:
    """AUPRC of every method after each way of post-processing."""
    wanted = rows_with(rows, {"threshold_from": GREEDY, "metric": "average_precision"})
    names = "e" + wanted["erosion_iterations"].astype(str) + " m" + wanted["median_size_voxels"].astype(str)
    values = wanted.assign(variant=names).pivot(index="model", columns="variant", values="value")
    variants = list(dict.fromkeys(names))
    _draw_beside(panel, {method: values.loc[method.name, variants] for method in methods}, variants)
    panel.set_title("Post-processing, test", loc="left")
    panel.set_ylabel("AUPRC in %")


def _draw_detection(panel: Axes, detection: pd.DataFrame, methods: Sequence[Method]) -> None:
    """Share of detected lesions by size."""
    found = detection.pivot(index="model", columns="size", values="detected")[list(SIZES)]
    counts = detection.drop_duplicates("size").set_index("size")["lesions"]
    places = [f"{size}\nn = {counts[size]}" for size in SIZES]
    _draw_beside(panel, {method: found.loc[method.name] for method in methods}, places)
    panel.set_title("Detected lesions, test", loc="left")
    panel.set(ylabel="Detected in %", ylim=(-4, 104))


def _draw_beside(panel: Axes, shares: Mapping[Method, Iterable[float]], places: Sequence[str]) -> None:
    """A share for each method at each place, those of the methods side by side."""
    for rank, (method, values) in enumerate(shares.items()):
        shift = (rank - (len(shares) - 1) / 2) * _DODGE
        look = {**model_style(method).point, "linestyle": "none", "zorder": 3}
        panel.plot(np.arange(len(places)) + shift, [100 * share for share in values], **look)
    panel.set_xticks(range(len(places)), places)
    panel.set_xlim(-0.5, len(places) - 0.5)
