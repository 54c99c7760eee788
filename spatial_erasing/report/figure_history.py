"""Learning curves of every model, small multiples on one page."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import blended_transform_factory

from spatial_erasing.models import Methods
from spatial_erasing.report.style import (
    BLUE,
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    VERMILION,
    add_panel,
    add_text,
    in_house_style,
    new_figure,
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
_STEP_LABEL_MM = 2.0


@in_house_style
def figure_history(histories: Mapping[str, pd.DataFrame], *, methods: Methods) -> Figure:
    """l1 and KL over steps, training and validation, of every model; 2-D above 3-D, each with common axes.

    A panel stays empty where a network has no such number.

    The dashed line marks the step whose weights are kept, the one with the lowest validation l1.

    Args:
        histories: model -> its `history.csv`: step, training_l1 and validation_l1 (mean over voxels),
            training_kl and validation_kl (sum over z).
        methods: the models by name.
    """
    rows = _rows_of_models(list(histories), methods)
    columns = max(len(models) for _, models in rows)
    width_mm = (PAGE_WIDTH_MM - _LEFT_MM - _RIGHT_MM + _GAP_MM) / columns - _GAP_MM
    height_mm = _LEGEND_MM + len(rows) * _ROW_MM + _STEP_LABEL_MM
    figure = new_figure(PAGE_WIDTH_MM, height_mm)
    _label_figure(figure, height_mm)
    for rank, (spatial_dims, models) in enumerate(rows):
        peers = [history for model, history in histories.items() if methods[model].dims == spatial_dims]
        for column, model in enumerate(models):
            corner_mm = (_LEFT_MM + column * (width_mm + _GAP_MM), _LEGEND_MM + rank * _ROW_MM)
            title = methods[model].title
            panels = _draw_model(figure, title, histories[model], corner_mm=corner_mm, width_mm=width_mm)
            _share_axes(panels, peers, is_leftmost=column == 0)
    return figure


def _rows_of_models(models: list[str], methods: Methods) -> list[tuple[int, list[str]]]:
    """Rows of models of the same dimensions, in the given order."""
    rows = []
    for spatial_dims in (2, 3):
        peers = [model for model in models if methods[model].dims == spatial_dims]
        starts = range(0, len(peers), _MOST_COLUMNS)
        rows += [(spatial_dims, peers[start : start + _MOST_COLUMNS]) for start in starts]
    return rows


def _draw_model(
    figure: Figure, title: str, history: pd.DataFrame, *, corner_mm: tuple[float, float], width_mm: float
) -> dict[str, Axes]:
    """l1 above KL, under the model's name."""
    left_mm, top_mm = corner_mm
    add_text(figure, title, left_mm=left_mm, top_mm=top_mm + 1.0)
    kept_step = history.loc[history["validation_l1"].idxmin(), "step"]
    panels = {}
    for place, quantity in enumerate(QUANTITIES):
        panel_top_mm = top_mm + _TITLE_MM + place * (_PANEL_MM + _PANEL_GAP_MM)
        size = {"width_mm": width_mm, "height_mm": _PANEL_MM}
        panel = panels[quantity] = add_panel(figure, left_mm=left_mm, top_mm=panel_top_mm, **size)
        panel.axvline(kept_step, **KEPT)
        for split, look in SPLITS.items():
            curve = history.reindex(columns=["step", f"{split}_{quantity}"]).dropna()
            marker = "." if len(curve) < FEW_POINTS else ""
            panel.plot(*curve.to_numpy().T, **look, marker=marker, markersize=3)
    return panels


def _share_axes(panels: Mapping[str, Axes], peers: list[pd.DataFrame], *, is_leftmost: bool) -> None:
    """The same limits for all models of these dimensions; numbers only where they are needed."""
    last_step = max(history["step"].max() for history in peers)
    for quantity, panel in panels.items():
        columns = [f"{split}_{quantity}" for split in SPLITS]
        values = np.concatenate([history.reindex(columns=columns).to_numpy().ravel() for history in peers])
        _scale_values(panel, values[values > 0])  # NaN where not measured; 0 has no place on a log axis
        panel.set_xlim(0, 1.08 * last_step)
        panel.xaxis.set_major_locator(MaxNLocator(3))
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


def _label_figure(figure: Figure, height_mm: float) -> None:
    """What the colours mean, above; what the axes share, below."""
    lines = [Line2D([], [], **look, label=split) for split, look in SPLITS.items()]
    lines.append(Line2D([], [], **KEPT))
    figure.legend(handles=lines, loc="upper right", ncols=len(lines), borderaxespad=0.2)
    middle_mm = (_LEFT_MM + PAGE_WIDTH_MM - _RIGHT_MM) / 2
    bottom = {"ha": "center", "va": "bottom", "fontsize": SMALL_POINTS}
    add_text(figure, "Training step", left_mm=middle_mm, top_mm=height_mm - 0.6, **bottom)
