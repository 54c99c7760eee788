"""The verdict on a claim, from its differences on resamples of the test subjects.

The paper prints no intervals and no numbers of single subjects, so that this rule cannot be applied to its
tables: for them the signs of the differences are counted.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from spatial_erasing.evaluate.bootstrap import IntervalRule, simultaneous_intervals
from spatial_erasing.seeds import hash_seed

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
UNDECIDED = "undecided"
NOT_RUN = "not run"


class ClaimIntervals(NamedTuple):
    """Intervals of a claim's differences (its parts) and of their mean; NaN where a part has no interval.

    Args:
        lower: lower ends of the simultaneous intervals, in units of the metric, shape (parts,).
        upper: upper ends, same shape.
        mean: lower and upper end of the interval of the mean difference.
    """

    lower: np.ndarray
    upper: np.ndarray
    mean: tuple[float, float]


def claim_intervals(
    samples: Sequence[np.ndarray], *, subjects: Sequence[int], rule: IntervalRule, seed: int
) -> ClaimIntervals:
    """Return the intervals that judge a claim, with the confidence of `rule` for both kinds together.

    Half of the error belongs to the mean difference: with a rule of 95 %, its interval has a confidence of
    97.5 %. The other half belongs to the parts: of their simultaneous 95 % intervals, only the side below 0
    counts.

    Args:
        samples: one array for each part that was run: its difference on the test set, then on every
            resample, shape (1 + samples,).
        subjects: number of test subjects of each part, of its smallest group. If any part has too few, the
            mean has no interval.
        rule: confidence, and the smallest number of subjects.
        seed: of random draws.
    """
    if not len(samples):
        return ClaimIntervals(np.empty(0), np.empty(0), (float("nan"), float("nan")))
    columns, draws = np.stack(samples, axis=1), hash_seed("simultaneous intervals", seed)
    lower, upper = simultaneous_intervals(columns, subjects=np.array(subjects), rule=rule, seed=draws)
    of_mean = simultaneous_intervals(
        columns.mean(axis=1, keepdims=True),
        subjects=np.array([min(subjects)]),
        rule=replace(rule, confidence_percent=(100 + rule.confidence_percent) / 2),
        seed=draws,
    )
    return ClaimIntervals(lower, upper, (float(of_mean[0][0]), float(of_mean[1][0])))


def verdict_of_intervals(intervals: ClaimIntervals, *, parts: int) -> str:
    """Judge a claim by the interval of its mean difference and the simultaneous intervals of its parts.

    A claim does not hold if the interval of its mean or of some part lies below 0. Otherwise it holds if
    every part was run and the interval of the mean lies above 0; else it is undecided.

    With intervals of 95 %, many subjects and models that are all equal, a claim stays undecided in at least
    95 % of studies (at most 1.25 % "holds", 3.75 % "does not hold"). If each of 72 parts has a true effect of
    three standard errors, the verdict is "holds" in 97 % of studies of 100 subjects if the parts correlate by
    0.5 and in 86 % if by 0.8; with ten subjects in 91 % and 75 % (tests/evaluate/test_verdicts.py simulates).

    Args:
        intervals: of the parts that were run.
        parts: number of parts of the claim, run or not.
    """
    if not len(intervals.lower):
        return NOT_RUN
    if intervals.mean[1] < 0 or (intervals.upper < 0).any():
        return DOES_NOT_HOLD
    return HOLDS if len(intervals.lower) == parts and intervals.mean[0] > 0 else UNDECIDED


def signs_of_points(differences: Sequence[float]) -> str:
    """Return whether "all", "some" or "none" of the differences are above 0, for numbers without intervals.

    Args:
        differences: one for each part whose numbers are known; an empty list gives "not run".
    """
    if not len(differences):
        return NOT_RUN
    is_above = np.asarray(differences, float) > 0
    if is_above.all():
        return "all"
    return "some" if is_above.any() else "none"
