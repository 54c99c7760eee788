"""AUPRC of every method on each test set, for many methods."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatial_erasing.evaluate.resamples import ALL_COHORTS
from spatial_erasing.models import Methods
from spatial_erasing.report.estimates import Estimate, draw_estimate, limits_around, seeds_note
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

_NAMES_MM, _GAP_MM, _HEAD_MM, _ROW_MM, _AXIS_MM, _LINE_MM = 62.0, 3.0, 6.0, 4.2, 9.5, 3.6


@in_house_style
def figure_rivals(
    numbers: pd.DataFrame, *, methods: Methods, seeds: int, confidence_percent: float
) -> Figure:
    """A panel for each test set and one for all of them, a row for each method, as the table orders them.

    Args:
        numbers: `rivals.csv`.
        methods: the rows.
        seeds: of each mean.
        confidence_percent: of the intervals.
    """
    rows = numbers[numbers["metric"] == "average_precision"]
    cohorts = list(dict.fromkeys(rows["cohort"]))
    panel_mm = _ROW_MM * len(methods)
    width_mm = (PAGE_WIDTH_MM - _NAMES_MM) / len(cohorts) - _GAP_MM
    estimates = {
        (row.cohort, row.model): Estimate(
            row.value, row.lowest_seed, row.highest_seed, seeds, (row.lower, row.upper)
        )
        for row in rows.itertuples()
    }
    note = wrapped(seeds_note(estimates.values(), confidence_percent=confidence_percent), PAGE_WIDTH_MM)
    note_mm = _HEAD_MM + panel_mm + _AXIS_MM
    figure = new_figure(PAGE_WIDTH_MM, note_mm + (note.count("\n") + 1) * _LINE_MM + 1.0)
    for place, cohort in enumerate(cohorts):
        left_mm = _NAMES_MM + place * (width_mm + _GAP_MM)
        panel = add_panel(figure, left_mm=left_mm, top_mm=_HEAD_MM, width_mm=width_mm, height_mm=panel_mm)
        drawn = []
        for row, method in enumerate(methods.values()):
            estimate = estimates[cohort, method.name]
            draw_estimate(panel, estimate, row, method=method, horizontal=True)
            drawn += estimate.drawn
        panel.set_title("all test sets" if cohort == ALL_COHORTS else cohort, fontsize=SMALL_POINTS)
        panel.set_xlim(limits_around(drawn))
        panel.xaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 5, 10)))
        panel.set_xlabel("AUPRC in %", labelpad=1)
        panel.set_ylim(len(methods) - 0.5, -0.5)
        titles = [method.title for method in methods.values()] if place == 0 else []
        panel.set_yticks(range(len(methods)), titles or [""] * len(methods), fontsize=SMALL_POINTS)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x", color=GRID_COLOUR, linewidth=0.4)
        panel.set_axisbelow(True)
    add_text(figure, note, left_mm=0, top_mm=note_mm + 0.3, fontsize=SMALL_POINTS)
    return figure
