"""The binarisation threshold, searched on the validation split, and the record of the search."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.evaluate.counts import count_dataset
from spatial_erasing.evaluate.curves import best_dice, dice_at, dice_curve_points
from spatial_erasing.score.maps import Scoring, score_maps


@dataclass(frozen=True)
class SearchStep:
    """One halving: the interval, its two quartile points with their Dice, and the half that was kept."""

    lower: float
    upper: float
    lower_quartile: float
    lower_dice: float
    upper_quartile: float
    upper_dice: float
    kept: str


@dataclass(frozen=True)
class Search:
    """The threshold found, its Dice on the validation split, and the steps that led there."""

    threshold: float
    dice: float
    path: tuple[SearchStep, ...]


def find_threshold(
    validation: Split, stored: np.ndarray, *, scoring: Scoring, search: Mapping[str, Any]
) -> dict[str, object]:
    """The greedy search over pooled validation voxels, with the exhaustive optimum and the Dice curve.

    `stored` has the reconstructions or raw maps of the split, `search` the keywords of `greedy_threshold`.
    """
    counts = count_dataset(score_maps(validation, stored, scoring), validation.lesion)
    found = greedy_threshold(partial(dice_at, counts), **search)
    exhaustive_dice, exhaustive_threshold = best_dice(counts)
    return asdict(found) | {
        "exhaustive_dice": exhaustive_dice,
        "exhaustive_threshold": exhaustive_threshold,
        "curve": dice_curve_points(counts),
    }


def greedy_threshold(
    dice_of: Callable[[float], float], *, lower: float = 0.0, upper: float = 1.0, iterations: int = 10
) -> Search:
    """Return the best threshold that the paper's bisection evaluates (Bengs et al. 2021, section 2.3).

    Each iteration compares the Dice at the interval's lower and upper quartile and keeps the half around
    the better one. Ties keep the *lower* half: if both quartiles are above all residuals, both Dice are 0,
    and a search that goes up on ties stays there. The result is the best of all points evaluated (the first
    of equals, the lower quartile before the upper), not the last midpoint. The search can miss the global
    optimum of a curve with two peaks, so the exhaustive optimum is stored too.

    Args:
        lower, upper: ends of the interval; intensities, hence residuals, are in [0, 1].
        iterations: number of halvings, two evaluations each.

    Raises:
        ValueError: the interval is empty, there is no iteration, or a Dice is NaN (no lesion voxel).
    """
    if not lower < upper or iterations < 1:
        raise ValueError(
            f"cannot search {iterations} times between {lower} and {upper}; "
            "give lower < upper and at least one iteration."
        )
    path = []
    for _ in range(iterations):
        step = _compare_quartiles(dice_of, lower, upper)
        path.append(step)
        middle = (lower + upper) / 2
        lower, upper = (lower, middle) if step.kept == "lower" else (middle, upper)
    evaluated = [
        point
        for step in path
        for point in ((step.lower_quartile, step.lower_dice), (step.upper_quartile, step.upper_dice))
    ]
    threshold, dice = max(evaluated, key=lambda point: point[1])  # max keeps the first of equals
    return Search(threshold, dice, tuple(path))


def _compare_quartiles(dice_of: Callable[[float], float], lower: float, upper: float) -> SearchStep:
    """Evaluate both quartile points; the upper half is kept only if its Dice is strictly higher."""
    quarter = (upper - lower) / 4
    lower_dice, upper_dice = float(dice_of(lower + quarter)), float(dice_of(upper - quarter))
    if np.isnan([lower_dice, upper_dice]).any():
        raise ValueError(
            f"the Dice between {lower} and {upper} is NaN, because the validation split has no lesion voxel. "
            "Add subjects to the split or use a finer grid."
        )
    kept = "upper" if upper_dice > lower_dice else "lower"
    return SearchStep(lower, upper, lower + quarter, lower_dice, upper - quarter, upper_dice, kept)
