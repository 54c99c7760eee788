"""Whether a claim holds: for this run by the intervals of its differences, for the paper's tables by signs.

The paper prints no intervals, so its own numbers cannot be judged as ours are.
"""

from collections.abc import Sequence

import numpy as np

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
UNDECIDED = "undecided"
NOT_RUN = "not run"


def verdict_of_intervals(lower: Sequence[float], upper: Sequence[float], *, parts: int) -> str:
    """Judge a claim by the intervals of its parts.

    It holds if every part is above 0 with its whole interval, it does not hold if some part is below 0 with
    its whole interval, and it is undecided else. A claim of which some part was not run cannot hold.

    Args:
        lower: lower end of each part that was run, shape (parts that were run,).
        upper: upper end, same shape.
        parts: how many parts the claim has.
    """
    if not len(lower):
        return NOT_RUN
    if (np.asarray(upper, float) < 0).any():
        return DOES_NOT_HOLD
    return HOLDS if len(lower) == parts and (np.asarray(lower, float) > 0).all() else UNDECIDED


def verdict_of_points(differences: Sequence[float]) -> str:
    """Judge a claim by numbers alone: are "all", "some" or "none" of its differences above 0?

    Args:
        differences: one for each part that has a number.
    """
    if not len(differences):
        return NOT_RUN
    is_above = np.asarray(differences, float) > 0
    if is_above.all():
        return "all"
    return "some" if is_above.any() else "none"
