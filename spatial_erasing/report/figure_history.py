"""Learning curves: all models on one page, and all quantities of one model on a page of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import blended_transform_factory

from spatial_erasing.models import Methods
from spatial_erasing.report.style import (
    BLUE,
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    VERMILION,
    PageFigure,
    in_house_style,
)

QUANTITIES = {"l1": r"$\ell_1$ per voxel", "kl": "KL"}
SPLITS = {
    "training": {"color": BLUE, "linewidth": 2.0},  # shows on both sides of a validation curve that covers it
    "validation": {"color": VERMILION, "linewidth": 0.8},
}
KEPT = {"color": "0.55", "linestyle": "--", "linewidth": 0.8, "label": "weights kept"}

FEW_POINTS = 20  # fewer are marked one by one; a single one would be no line
_MOST_COLUMNS = 4
_LEFT_MM, _RIGHT_MM, _GAP_MM = 14.0, 2.0, 4.0
_LEGEND_MM, _TITLE_MM, _PANEL_MM, _PANEL_GAP_MM, _TICKS_MM = 5.0, 5.0, 17.0, 1.5, 6.0
_ROW_MM = _TITLE_MM + len(QUANTITIES) * (_PANEL_MM + _PANEL_GAP_MM) + _TICKS_MM
_STEP_LABEL_MM = 2.0  # below the last row
TITLES = {"l1": r"$\ell_1$ per voxel", "kl": "KL, summed over z"}
SECONDS = "Seconds an epoch"
_PLACE = ("model", "step", "epoch", "seconds")  # columns that are no quantity of their own
# The page of one model.
_ONE_LEFT_MM, _ONE_GAP_MM = 9.0, 11.0
_ONE_TOP_MM, _ONE_PANEL_MM, _ONE_BOTTOM_MM = 13.0, 36.0, 9.0


@in_house_style
def figure_history(histories: Mapping[str, pd.DataFrame], *, methods: Methods) -> Figure:
    """l1 and KL over steps, training and validation, of every model; 2-D above 3-D, each with common axes.

    A panel stays empty where a network has no such number. The dashed line marks the step whose weights are
    kept, the one with the lowest validation l1.

    Args:
        histories: model -> its `history.csv`: step, training_l1 and validation_l1 (mean over voxels),
            training_kl and validation_kl (sum over z).
    """
    rows = _rows_of_models(list(histories), methods)
    columns = max(len(models) for _, models in rows)
    width_mm = (PAGE_WIDTH_MM - _LEFT_MM - _RIGHT_MM + _GAP_MM) / columns - _GAP_MM
    height_mm = _LEGEND_MM + len(rows) * _ROW_MM + _STEP_LABEL_MM
    figure = PageFigure(PAGE_WIDTH_MM, height_mm)
    for rank, (spatial_dims, models) in enumerate(rows):
        peers = [history for model, history in histories.items() if methods[model].dims == spatial_dims]
        for column, model in enumerate(models):
            corner_mm = (_LEFT_MM + column * (width_mm + _GAP_MM), _LEGEND_MM + rank * _ROW_MM)
            title = methods[model].title
            panels = _draw_model(figure, title, histories[model], corner_mm=corner_mm, width_mm=width_mm)
            _share_axes(panels, peers, is_leftmost=column == 0)
    _label_figure(figure, left_mm=_LEFT_MM, bottom_mm=height_mm)
    return figure


def _rows_of_models(models: list[str], methods: Methods) -> list[tuple[int, list[str]]]:
    rows = []
    for spatial_dims in (2, 3):
        peers = [model for model in models if methods[model].dims == spatial_dims]
        starts = range(0, len(peers), _MOST_COLUMNS)
        rows += [(spatial_dims, peers[start : start + _MOST_COLUMNS]) for start in starts]
    return rows


def _draw_model(
    figure: PageFigure, title: str, history: pd.DataFrame, *, corner_mm: tuple[float, float], width_mm: float
) -> dict[str, Axes]:
    """l1 above KL, under the model's name."""
    left_mm, top_mm = corner_mm
    figure.add_text(title, (left_mm, top_mm + 1.0))
    panels = {}
    for place, quantity in enumerate(QUANTITIES):
        panel_top_mm = top_mm + _TITLE_MM + place * (_PANEL_MM + _PANEL_GAP_MM)
        panel = figure.add_panel((left_mm, panel_top_mm), (width_mm, _PANEL_MM))
        _mark_kept(panel, history)
        for split, look in SPLITS.items():
            curve = history.reindex(columns=["step", f"{split}_{quantity}"]).dropna()
            _draw_curve(panel, *curve.to_numpy().T, **look, label=split)
        panels[quantity] = panel
    return panels


def _mark_kept(panel: Axes, history: pd.DataFrame) -> None:
    panel.axvline(history.loc[history["validation_l1"].idxmin(), "step"], **KEPT)
    panel.xaxis.set_major_locator(MaxNLocator(3))


def _share_axes(panels: Mapping[str, Axes], peers: list[pd.DataFrame], *, is_leftmost: bool) -> None:
    """The same limits for all models of these dimensions; numbers only where they are needed."""
    last_step = max(history["step"].max() for history in peers)
    for quantity, panel in panels.items():
        columns = [f"{split}_{quantity}" for split in SPLITS]
        values = np.concatenate([history.reindex(columns=columns).to_numpy().ravel() for history in peers])
        _scale_values(panel, values[values > 0])  # NaN where not measured; 0 has no place on a log axis
        panel.set_xlim(0, 1.08 * last_step)
        panel.xaxis.set_major_formatter(_in_thousands)
        panel.tick_params(labelleft=is_leftmost, labelbottom=quantity == list(panels)[-1], pad=1.5)
        if is_leftmost:
            panel.set_ylabel(QUANTITIES[quantity])
            at_figure_edge = blended_transform_factory(panel.figure.transFigure, panel.transAxes)
            panel.yaxis.set_label_coords(3 / PAGE_WIDTH_MM, 0.5, transform=at_figure_edge)


def _scale_values(panel: Axes, values: np.ndarray) -> None:
    """A log axis where values spread, a linear one where it would show no round number."""
    if values.size:
        panel.set_ylim(0.9 * values.min(), 1.1 * values.max())
    spread = values.max() / values.min() if values.size else 1
    if spread < 4:
        panel.yaxis.set_major_locator(MaxNLocator(3))
    else:
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if spread < 30 else (1,), numticks=5))
        panel.yaxis.set_minor_formatter(NullFormatter())
    panel.yaxis.set_major_formatter(_in_thousands)


def _in_thousands(value: float, _position: int) -> str:
    """20000 as 20k."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _label_figure(figure: PageFigure, *, left_mm: float, bottom_mm: float) -> None:
    """The colours, above; the name of the axis that all panels share, below their middle."""
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="upper right", ncols=3, borderaxespad=0.2)
    middle_mm = (left_mm + PAGE_WIDTH_MM - _RIGHT_MM) / 2
    bottom = {"ha": "center", "va": "bottom", "fontsize": SMALL_POINTS}
    figure.add_text("Training step", (middle_mm, bottom_mm - 0.6), **bottom)


@in_house_style
def figure_curves(history: pd.DataFrame, *, title: str) -> Figure:
    """A panel for every quantity over the training steps; dashed: the step whose weights are kept."""
    history = history.dropna(axis="columns", how="all")
    quantities = quantities_of(history)
    figure = PageFigure(PAGE_WIDTH_MM, _ONE_TOP_MM + _ONE_PANEL_MM + _ONE_BOTTOM_MM)
    figure.add_text(title, (_ONE_LEFT_MM, 1.0))
    width_mm = (PAGE_WIDTH_MM - _ONE_LEFT_MM - _RIGHT_MM + _ONE_GAP_MM) / (len(quantities) + 1) - _ONE_GAP_MM
    for place, (name, columns) in enumerate([*quantities.items(), (SECONDS, {})]):
        left_mm = _ONE_LEFT_MM + place * (width_mm + _ONE_GAP_MM)
        panel = figure.add_panel((left_mm, _ONE_TOP_MM), (width_mm, _ONE_PANEL_MM))
        figure.add_text(name, (left_mm, _ONE_TOP_MM - 5.5))
        _mark_kept(panel, history)
        _draw_quantity(panel, history, columns)
    # the last panel has no column of its own
    seconds = seconds_per_epoch(history)
    _draw_curve(panel, history["step"], seconds, color=BLUE)
    panel.set_ylim(0, 1.08 * seconds.max())
    _label_figure(figure, left_mm=_ONE_LEFT_MM, bottom_mm=_ONE_TOP_MM + _ONE_PANEL_MM + _ONE_BOTTOM_MM)
    return figure


def quantities_of(history: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Title of a panel to its columns, by split where a quantity has one; in the order of the columns."""
    found: dict[str, dict[str, str]] = {}
    for column in (name for name in history.columns if name not in _PLACE):
        split, _, quantity = column.partition("_")
        if split not in SPLITS:
            split, quantity = "", column
        found.setdefault(quantity, {})[split] = column
    return {TITLES.get(name, name.replace("_", " ").capitalize()): columns for name, columns in found.items()}


def _draw_quantity(panel: Axes, history: pd.DataFrame, columns: dict[str, str]) -> None:
    """Training and validation in their looks; anything else alone, from zero."""
    for split, column in columns.items():
        look = SPLITS[split] | {"label": split} if split else {"color": BLUE}
        _draw_curve(panel, history["step"], history[column], **look)
        if not split:
            panel.set_ylim(0, 1.08 * history[column].max() or 1)


def seconds_per_epoch(history: pd.DataFrame) -> np.ndarray:
    """Seconds that an epoch took between two validations, the second of them included; shape (rows,)."""
    seconds = np.diff(history["seconds"], prepend=0)
    return seconds / np.diff(history["epoch"], prepend=0)


def _draw_curve(
    panel: Axes, steps: np.ndarray | pd.Series, values: np.ndarray | pd.Series, **look: Any
) -> None:
    panel.plot(steps, values, marker="." if len(steps) < FEW_POINTS else "", markersize=3, **look)
