"""The learning curves of one model: l1, KL, active units, and seconds an epoch."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatial_erasing.models import paper_name
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

TITLES = (r"$\ell_1$ per voxel", "KL, summed over z", "Active units", "Seconds an epoch")
_LEFT_MM, _RIGHT_MM, _GAP_MM, _TOP_MM, _PANEL_MM, _BOTTOM_MM = 9.0, 2.0, 11.0, 13.0, 36.0, 9.0


@in_house_style
def figure_curves(history: pd.DataFrame, *, model: str) -> Figure:
    """Four panels over the training steps; the dashed line marks the step whose weights are kept.

    Args:
        history: `history.csv` of one training: step, epoch, seconds since its start, training_l1,
            validation_l1, training_kl, validation_kl, active_units.
        model: its name.
    """
    figure = new_figure(PAGE_WIDTH_MM, _TOP_MM + _PANEL_MM + _BOTTOM_MM)
    add_text(figure, paper_name(model), left_mm=_LEFT_MM, top_mm=1.0)
    width_mm = (PAGE_WIDTH_MM - _LEFT_MM - _RIGHT_MM + _GAP_MM) / len(TITLES) - _GAP_MM
    kept_step = history.loc[history["validation_l1"].idxmin(), "step"]
    panels = []
    for place, title in enumerate(TITLES):
        left_mm = _LEFT_MM + place * (width_mm + _GAP_MM)
        size = {"width_mm": width_mm, "height_mm": _PANEL_MM}
        panel = add_panel(figure, left_mm=left_mm, top_mm=_TOP_MM, **size)
        add_text(figure, title, left_mm=left_mm, top_mm=_TOP_MM - 5.5)
        panel.axvline(kept_step, **KEPT)
        panel.xaxis.set_major_locator(MaxNLocator(3))
        panels.append(panel)
    for panel, quantity in zip(panels, ("l1", "kl"), strict=False):
        for split, look in SPLITS.items():
            _draw(panel, history["step"], history[f"{split}_{quantity}"], **look, label=split)
    _draw(panels[2], history["step"], history["active_units"], color=BLUE)
    _draw(panels[3], history["step"], seconds_per_epoch(history), color=BLUE)
    for panel in panels[2:]:
        panel.set_ylim(0, 1.08 * panel.lines[-1].get_ydata().max())
    figure.legend(*panels[0].get_legend_handles_labels(), loc="upper right", ncols=3, borderaxespad=0.2)
    middle_mm = (_LEFT_MM + PAGE_WIDTH_MM - _RIGHT_MM) / 2
    bottom = {"ha": "center", "va": "bottom", "fontsize": SMALL_POINTS}
    top_mm = _TOP_MM + _PANEL_MM + _BOTTOM_MM - 0.6
    add_text(figure, "Training step", left_mm=middle_mm, top_mm=top_mm, **bottom)
    return figure


def seconds_per_epoch(history: pd.DataFrame) -> np.ndarray:
    """Seconds that an epoch took between two validations, the second of them included; shape (rows,)."""
    seconds = np.diff(history["seconds"], prepend=0)
    return seconds / np.diff(history["epoch"], prepend=0)


def _draw(panel: Axes, steps: pd.Series, values: pd.Series | np.ndarray, **look: object) -> None:
    """One curve; few points are marked one by one."""
    panel.plot(steps, values, marker="." if len(steps) < FEW_POINTS else "", markersize=3, **look)
