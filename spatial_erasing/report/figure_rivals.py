"""AUPRC of every method on each test set, for many methods."""

import pandas as pd
from matplotlib.figure import Figure

from spatial_erasing.models import Method, Methods
from spatial_erasing.report.estimates import Estimate, draw_rows, seeds_note
from spatial_erasing.report.rivals import cohort_title
from spatial_erasing.report.style import PAGE_WIDTH_MM, SMALL_POINTS, PageFigure, in_house_style

_NAMES_MM, _GAP_MM, _HEAD_MM, _ROW_MM, _AXIS_MM = 62.0, 3.0, 6.0, 4.2, 9.5


@in_house_style
def figure_rivals(
    numbers: pd.DataFrame, *, methods: Methods, seeds: int, confidence_percent: float
) -> Figure:
    """AUPRC of `rivals.csv`: a panel for each test set and one for all of them, a row for each method."""
    rows = numbers[numbers["metric"] == "average_precision"]
    found: dict[tuple[str, str], Estimate] = {}
    for row in rows.itertuples():
        ends = (row.value, row.lowest_seed, row.highest_seed, seeds, (row.lower, row.upper))
        found[row.cohort, row.model] = Estimate(*ends)
    estimates: dict[str, dict[Method, Estimate]] = {
        cohort: {method: found[cohort, name] for name, method in methods.items()}
        for cohort in dict.fromkeys(rows["cohort"])
    }
    panel_mm = _ROW_MM * len(methods)
    width_mm = (PAGE_WIDTH_MM - _NAMES_MM) / len(estimates) - _GAP_MM
    drawn = [estimate for of_cohort in estimates.values() for estimate in of_cohort.values()]
    note = seeds_note(drawn, confidence_percent=confidence_percent)
    figure = PageFigure.noted(_HEAD_MM + panel_mm + _AXIS_MM, note)
    for place, (cohort, of_cohort) in enumerate(estimates.items()):
        left_mm = _NAMES_MM + place * (width_mm + _GAP_MM)
        panel = figure.add_panel((left_mm, _HEAD_MM), (width_mm, panel_mm))
        draw_rows(panel, of_cohort, label="AUPRC in %", ticks=4)
        panel.tick_params(axis="y", labelleft=place == 0)
        panel.set_title(cohort_title(cohort), fontsize=SMALL_POINTS)
    return figure
