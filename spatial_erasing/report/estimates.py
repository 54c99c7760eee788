"""A model's score with what makes it uncertain: the seeds, and the choice of test subjects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from spatial_erasing.models import Method
from spatial_erasing.report.style import model_style
from spatial_erasing.report.table_layout import count_range
from spatial_erasing.report.tables import rows_with

_BAR_POINTS, _WHISKER_POINTS, _CAP_POINTS = 3.0, 0.8, 2.5


@dataclass(frozen=True)
class Estimate:
    """A score in percent, on all test sets."""

    mean: float  # of the seeds; NaN if one of them is
    lowest: float  # of the seeds
    highest: float  # of the seeds
    seeds: int  # how many
    interval: tuple[float, float]  # lower and upper end over test subjects; NaN where they are too few

    @property
    def drawn(self) -> list[float]:
        """Every value that has a mark, those that are NaN left out."""
        return [value for value in (self.lowest, self.highest, *self.interval) if np.isfinite(value)]


@dataclass(frozen=True, eq=False)
class Intervals:
    """The rows of intervals.csv, and of which confidence they are."""

    # as `resamples.interval_rows` makes them; those over all test sets have the cohort "all"; of one sequence
    rows: pd.DataFrame
    confidence_percent: float  # as evaluated

    def estimate(self, *, model: str, metric: str, fraction_percent: float) -> Estimate:
        """A metric of a model on all test sets after a share of the training data."""
        key: dict[str, object] = {"model": model, "metric": metric, "cohort": "all"}
        key["fraction_percent"] = fraction_percent
        found = rows_with(self.rows, key)
        if len(found) != 1:
            raise ValueError(
                f"intervals.csv has {metric} of {model} ({fraction_percent:g} % of the training data, all "
                f"test sets) {len(found)} times; expected it once. Evaluate this model again, or take it "
                "out of study.models in config.yaml."
            )
        row = found.iloc[0]
        ends = ("value", "lowest_seed", "highest_seed", "lower", "upper")
        mean, lowest, highest, *interval = (100 * float(row[name]) for name in ends)
        return Estimate(mean, lowest, highest, int(row["seeds"]), (interval[0], interval[1]))


def limits_around(values: Iterable[float], *, margin: float = 0.06) -> tuple[float, float]:
    """Ends of an axis in percent that leave this share of the range free on both sides."""
    values = list(values) or [0.0, 100.0]
    free = margin * (max(values) - min(values)) or 1.0
    return min(values) - free, max(values) + free


def draw_estimate(
    panel: Axes, estimate: Estimate, place: float, *, method: Method, horizontal: bool = False
) -> None:
    """Mean as the method's marker, seeds as a thick bar, the interval as thin whiskers."""
    style = model_style(method)
    if np.isfinite(estimate.interval).all():
        whisker = {"linewidth": _WHISKER_POINTS, "marker": "|" if horizontal else "_"}
        caps = {"markersize": 2 * _CAP_POINTS, "markeredgewidth": 1.2}
        _draw_range(panel, estimate.interval, place, horizontal, color=style.colour, **whisker, **caps)
    if estimate.seeds > 1:
        ends = (estimate.lowest, estimate.highest)
        bar = {"linewidth": _BAR_POINTS, "solid_capstyle": "butt"}
        _draw_range(panel, ends, place, horizontal, color=style.colour, **bar)
    point = (estimate.mean, place) if horizontal else (place, estimate.mean)
    panel.plot(*([value] for value in point), **style.point, linestyle="none", zorder=3)


def _draw_range(panel: Axes, ends: tuple[float, float], place: float, horizontal: bool, **line: Any) -> None:
    places = (place, place)
    panel.plot(*((ends, places) if horizontal else (places, ends)), **line, zorder=2)


def draw_rows(
    panel: Axes, estimates: Mapping[Method, Estimate], *, label: str, ticks: int, also: Iterable[float] = ()
) -> None:
    """A row for each method, the first one on top, over an axis in percent that also holds other values."""
    drawn = list(also)
    for row, (method, estimate) in enumerate(estimates.items()):
        draw_estimate(panel, estimate, row, method=method, horizontal=True)
        drawn += estimate.drawn
    panel.set_xlim(limits_around(drawn))
    panel.xaxis.set_major_locator(MaxNLocator(ticks, steps=(1, 2, 5, 10)))
    panel.set_xlabel(label, labelpad=1)
    panel.set_ylim(len(estimates) - 0.5, -0.5)
    panel.set_yticks(range(len(estimates)), [method.title for method in estimates])
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x")


def seeds_note(estimates: Iterable[Estimate], *, confidence_percent: float, also: str = "") -> str:
    """What marker, bar and whiskers are, of how many seeds."""
    estimates = list(estimates)
    count = count_range({estimate.seeds for estimate in estimates})
    note = f"Markers: mean of {count} seeds; thick bars{also}: lowest to highest seed."
    if count == "1":
        note = "One seed."
    if not np.isfinite([estimate.interval for estimate in estimates]).any():
        return note
    return f"{note} Thin whiskers: {confidence_percent:g} % interval over test subjects."
