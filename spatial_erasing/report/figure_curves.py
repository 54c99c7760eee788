"""The learning curves of one model: l1, KL, active units, and seconds an epoch."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatial_erasing.report.figure_history import FEW_POINTS, KEPT, SPLITS
from spatial_erasing.report.style import (
    BLUE,
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    add_panel,
    add_text,
    in_house_style,
    new_figure,
)

TITLES = {"l1": r"$\ell_1$ per voxel", "kl": "KL, summed over z"}
SECONDS = "Seconds an epoch"
_PLACE = ("model", "step", "epoch", "seconds")  # columns that are no quantity of their own
_LEFT_MM, _RIGHT_MM, _GAP_MM, _TOP_MM, _PANEL_MM, _BOTTOM_MM = 9.0, 2.0, 11.0, 13.0, 36.0, 9.0


@in_house_style
def figure_curves(history: pd.DataFrame, *, title: str) -> Figure:
    """A panel for every quantity over the training steps; dashed: the step whose weights are kept.

    Args:
        history: `history.csv` of one training: step, epoch, seconds since its start, validation_l1 and
            whatever its network measures; "training_kl" and "validation_kl" share a panel.
        title: of the model.
    """
    history = history.dropna(axis="columns", how="all")
    quantities = quantities_of(history)
    figure = new_figure(PAGE_WIDTH_MM, _TOP_MM + _PANEL_MM + _BOTTOM_MM)
    add_text(figure, title, left_mm=_LEFT_MM, top_mm=1.0)
    width_mm = (PAGE_WIDTH_MM - _LEFT_MM - _RIGHT_MM + _GAP_MM) / (len(quantities) + 1) - _GAP_MM
    kept_step = history.loc[history["validation_l1"].idxmin(), "step"]
    panels = []
    for place, name in enumerate([*quantities, SECONDS]):
        left_mm = _LEFT_MM + place * (width_mm + _GAP_MM)
        size = {"width_mm": width_mm, "height_mm": _PANEL_MM}
        panel = add_panel(figure, left_mm=left_mm, top_mm=_TOP_MM, **size)
        add_text(figure, name, left_mm=left_mm, top_mm=_TOP_MM - 5.5)
        panel.axvline(kept_step, **KEPT)
        panel.xaxis.set_major_locator(MaxNLocator(3))
        panels.append(panel)
    for panel, columns in zip(panels, quantities.values(), strict=False):
        _draw_quantity(panel, history, columns)
    _draw(panels[-1], history["step"], seconds_per_epoch(history), color=BLUE)
    panels[-1].set_ylim(0, 1.08 * panels[-1].lines[-1].get_ydata().max())
    figure.legend(*panels[0].get_legend_handles_labels(), loc="upper right", ncols=3, borderaxespad=0.2)
    middle_mm = (_LEFT_MM + PAGE_WIDTH_MM - _RIGHT_MM) / 2
    bottom = {"ha": "center", "va": "bottom", "fontsize": SMALL_POINTS}
    top_mm = _TOP_MM + _PANEL_MM + _BOTTOM_MM - 0.6
    add_text(figure, "Training step", left_mm=middle_mm, top_mm=top_mm, **bottom)
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
        _draw(panel, history["step"], history[column], **look)
        if not split:
            panel.set_ylim(0, 1.08 * history[column].max() or 1)


def seconds_per_epoch(history: pd.DataFrame) -> np.ndarray:
    """Seconds that an epoch took between two validations, the second of them included; shape (rows,)."""
    seconds = np.diff(history["seconds"], prepend=0)
    return seconds / np.diff(history["epoch"], prepend=0)


def _draw(panel: Axes, steps: pd.Series, values: pd.Series | np.ndarray, **look: object) -> None:
    """One curve; few points are marked one by one."""
    panel.plot(steps, values, marker="." if len(steps) < FEW_POINTS else "", markersize=3, **look)
