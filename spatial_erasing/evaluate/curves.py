"""Precision-recall and Dice curves over every threshold, exact, from counts.

A voxel is predicted where score >= threshold, scikit-learn's convention, and the thresholds of a curve are
the distinct scores, ascending. Without a single lesion voxel neither recall nor Dice has a meaning: every
number here is then NaN, which no average hides.
"""

from typing import Any

import numpy as np

from spatial_erasing.evaluate.counts import SCORE_VALUES, ScoreCounts, first_pattern


def precision_recall_curve(counts: ScoreCounts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall and thresholds, like scikit-learn's function of this name.

    The first two end with precision 1 at recall 0, a point that has no threshold.
    """
    thresholds, hits, predicted = _cumulative(counts)
    precision = np.append(hits / predicted, 1.0)
    # NaN without a lesion voxel, which no later mean can hide
    recall = np.append(hits, 0) / (counts.lesion_voxels or np.nan)
    return precision, recall, thresholds


def average_precision(counts: ScoreCounts) -> float:
    """Return the area under the precision-recall curve as a step function: the AUPRC of the tables.

    Equal to scikit-learn's average_precision_score (but NaN, not 0, without a lesion).
    """
    return average_precision_of_groups(counts.lesion, counts.voxels)


def average_precision_of_groups(positives: np.ndarray, totals: np.ndarray) -> float:
    """Return the step-wise area from counts in groups of equal score, so that ties are exact.

    AP = sum over groups of (recall gained by the group) * (precision once the group is predicted), in (0, 1];
    NaN without a positive sample.

    Args:
        positives: positive samples in each group, groups in ascending order of score, shape (groups,).
        totals: all samples in each group, same shape; groups may be empty.
    """
    # the precision of an empty group would be 0 / 0
    filled = totals > 0
    positives, totals = positives[filled], totals[filled]
    all_positives = positives.sum()
    if all_positives == 0:
        return float("nan")
    precision = _from_above(positives) / _from_above(totals)
    return float((positives * precision).sum() / all_positives)


def trapezoid_area(counts: ScoreCounts) -> float:
    """Return the area under the precision-recall curve with straight lines between its points.

    Equal to sklearn.metrics.auc on the curve. It promises points between two thresholds that no threshold
    reaches (Davis and Goadrich 2006), hence stored beside the average precision, not in its place.
    """
    if counts.lesion_voxels == 0:
        return float("nan")
    precision, recall, _ = precision_recall_curve(counts)
    return float(-np.trapezoid(precision, recall))


def dice_curve(counts: ScoreCounts) -> tuple[np.ndarray, np.ndarray]:
    """Return every distinct score as a threshold, ascending, and the pooled Dice of each."""
    thresholds, hits, predicted = _cumulative(counts)
    return thresholds, _dice(hits, predicted, counts.lesion_voxels)


def dice_at(counts: ScoreCounts, threshold: float) -> float:
    """Return the pooled Dice of predicting score >= threshold; 0 if nothing is predicted."""
    hits = int(counts.lesion[first_pattern(threshold) :].sum())
    return float(_dice(hits, predicted_voxels(counts, threshold), counts.lesion_voxels))


def predicted_voxels(counts: ScoreCounts, threshold: float) -> int:
    """Return how many voxels score at least the threshold."""
    return int(counts.voxels[first_pattern(threshold) :].sum())


def best_dice(counts: ScoreCounts) -> tuple[float, float]:
    """Return the best Dice of all thresholds and the lowest threshold that reaches it; NaN without lesion.

    On the split that is evaluated this is an upper bound, never a result: it has seen the labels.
    """
    if counts.lesion_voxels == 0:
        return float("nan"), float("nan")
    thresholds, dice = dice_curve(counts)
    # the first of equals is the lowest threshold
    best = dice.argmax()
    return float(dice[best]), float(thresholds[best])


def dice_curve_points(counts: ScoreCounts, *, points: int = 512) -> dict[str, list[float]]:
    """Return the Dice curve small enough for a JSON file, the optimum among its points.

    Every point is exact. A curve of more than `points` distinct scores is thinned to those nearest above
    `points` equal steps of the threshold (scores crowd towards 0, where equal steps in rank would be spent).
    Both lists, "threshold" and "dice", ascend in threshold; they are empty without lesion.
    """
    if counts.lesion_voxels == 0:
        return {"threshold": [], "dice": []}
    thresholds, dice = dice_curve(counts)
    kept = np.arange(len(thresholds))
    if len(kept) > points:
        kept = np.searchsorted(thresholds, np.linspace(thresholds[0], thresholds[-1], points))
        # the optimum is kept, however thin the curve becomes
        kept = np.union1d(kept, dice.argmax())
    return {"threshold": thresholds[kept].tolist(), "dice": dice[kept].tolist()}


def _cumulative(counts: ScoreCounts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct scores, ascending, with the lesion voxels and all voxels at or above each."""
    voxels = counts.voxels
    filled = np.flatnonzero(voxels)
    return SCORE_VALUES[filled], _from_above(counts.lesion[filled]), _from_above(voxels[filled])


def _from_above(counts: np.ndarray) -> np.ndarray:
    """Cumulative sum that starts at the highest score."""
    return counts[::-1].cumsum()[::-1]


def _dice(hits: Any, predicted: Any, lesion_voxels: int) -> Any:
    """2 |X and Y| / (|X| + |Y|); NaN without lesion."""
    return 2 * hits / (predicted + (lesion_voxels or np.nan))
