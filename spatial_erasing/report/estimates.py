"""A model's score with what makes it uncertain: the seeds, and the choice of test subjects."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from spatial_erasing.models import Method
from spatial_erasing.report.model_style import model_style

_BAR_POINTS, _WHISKER_POINTS, _CAP_POINTS = 3.0, 0.8, 2.5


@dataclass(frozen=True)
class Estimate:
    """A score in percent.

    Args:
        seeds: the value of each seed, at least one.
        interval: lower and upper end over test subjects, or None where nobody computed one.
    """

    seeds: tuple[float, ...]
    interval: tuple[float, float] | None = None

    @property
    def mean(self) -> float:
        """Over the seeds; NaN if one of them is."""
        return float(np.mean(self.seeds))

    @property
    def drawn(self) -> tuple[float, ...]:
        """Every value that has a mark, those that are NaN left out."""
        return tuple(value for value in (*self.seeds, *(self.interval or ())) if np.isfinite(value))


@dataclass(frozen=True, eq=False)
class Intervals:
    """The rows of intervals.csv, and of which confidence they are.

    Args:
        rows: columns model, fraction_percent, cohort, sequence, metric, lower and upper (fractions), of one
            sequence; the rows over all test sets have the cohort "all".
        confidence_percent: as evaluated.
    """

    rows: pd.DataFrame
    confidence_percent: float


def limits_around(values: Iterable[float], *, margin: float = 0.06) -> tuple[float, float]:
    """Ends of an axis in percent that leave this share of the range free on both sides."""
    values = list(values) or [0.0, 100.0]
    free = margin * (max(values) - min(values)) or 1.0
    return min(values) - free, max(values) + free


def find_interval(
    intervals: Intervals | None, *, model: str, metric: str, fraction_percent: float
) -> tuple[float, float] | None:
    """Lower and upper end, in percent, of a metric on all test sets, or None if it is not given.

    Args:
        intervals: all of them, or None.
        model: whose interval.
        metric: as in metrics.csv.
        fraction_percent: share of the training data.

    Raises:
        ValueError: there are several.
    """
    if intervals is None:
        return None
    key = {"model": model, "metric": metric, "cohort": "all"}
    rows = intervals.rows
    is_wanted = (rows[list(key)] == list(key.values())).all(axis=1)
    found = rows[is_wanted & (rows["fraction_percent"] == fraction_percent)]
    if len(found) > 1:
        raise ValueError(
            f"the intervals hold {metric} of {model} ({fraction_percent} % of the training data, all test "
            f"sets) {len(found)} times; expected it once. Compute the intervals again."
        )
    return None if found.empty else tuple(100 * found[["lower", "upper"]].to_numpy(dtype=float)[0])


def draw_estimate(
    panel: Axes, estimate: Estimate, place: float, *, method: Method, horizontal: bool = False
) -> None:
    """Mean as the method's marker, seeds as a thick bar, the interval as thin whiskers.

    Args:
        panel: where.
        estimate: what.
        place: on the axis that holds no score.
        method: gives the look.
        horizontal: the score runs along x.
    """
    style = model_style(method)
    if estimate.interval is not None:
        whisker = {"linewidth": _WHISKER_POINTS, "marker": "|" if horizontal else "_"}
        caps = {"markersize": 2 * _CAP_POINTS, "markeredgewidth": 1.2}
        _draw_range(panel, estimate.interval, place, horizontal, color=style.colour, **whisker, **caps)
    if len(estimate.seeds) > 1:
        ends = (min(estimate.seeds), max(estimate.seeds))
        bar = {"linewidth": _BAR_POINTS, "solid_capstyle": "butt"}
        _draw_range(panel, ends, place, horizontal, color=style.colour, **bar)
    point = (estimate.mean, place) if horizontal else (place, estimate.mean)
    panel.plot(*([value] for value in point), **style.point, linestyle="none", zorder=3)


def _draw_range(panel: Axes, ends: tuple[float, float], place: float, horizontal: bool, **line: Any) -> None:
    """A line between two scores at a place."""
    places = (place, place)
    panel.plot(*((ends, places) if horizontal else (places, ends)), **line, zorder=2)


def seeds_note(estimates: Iterable[Estimate], *, intervals: Intervals | None, also: str = "") -> str:
    """What marker, bar and whiskers are, of how many seeds.

    Args:
        estimates: all of a figure.
        intervals: where the estimates have theirs from, if they have any.
        also: where else the range of the seeds stands, for example ", and in brackets".
    """
    estimates = list(estimates)
    fewest, most = (end(len(estimate.seeds) for estimate in estimates) for end in (min, max))
    note = "One seed."
    if most > 1:
        count = f"{most}" if fewest == most else f"{fewest} to {most}"
        note = f"Markers: mean of {count} seeds; thick bars{also}: lowest to highest seed."
    if intervals is None or all(estimate.interval is None for estimate in estimates):
        return note
    return f"{note} Thin whiskers: {intervals.confidence_percent:g} % interval over test subjects."
