"""The numbers of the paper's tables, from the score maps of a test split."""

from collections.abc import Iterable

import numpy as np

from spatial_erasing.evaluate.counts import ScoreCounts, count_scores
from spatial_erasing.evaluate.curves import (
    average_precision,
    best_dice,
    dice_at,
    predicted_voxels,
    trapezoid_area,
)

Row = dict[str, float | int]


def dataset_metrics(
    scores: Iterable[np.ndarray], lesions: Iterable[np.ndarray], *, threshold: float
) -> tuple[Row, list[Row]]:
    """Return the metrics of a data set and of each of its subjects (Bengs et al. 2021, section 2.3).

    Every voxel of the grid counts, background included; a lesion voxel outside the eroded brain mask has
    score 0 and is a miss. A subject whose lesion vanished on the grid has no Dice of its own: it is left
    out of `dice_subject_*` and counted in `subjects_without_lesion`, while its voxels stay in all pooled
    metrics. One subject is in memory at a time.

    Args:
        scores: one score map a subject, float16, shape (X, Y, Z).
        lesions: one lesion mask a subject, in the same order.
        threshold: from the validation split; predicted is score >= threshold.

    Returns:
        The pooled metrics by name, as fractions, and one row a subject: dice, lesion_voxels,
        predicted_voxels, average_precision (NaN where there is no lesion), in the order of the input.
    """
    pairs = zip(scores, lesions, strict=True)
    return metrics_of_counts((count_scores(score, lesion) for score, lesion in pairs), threshold=threshold)


def metrics_of_counts(counts: Iterable[ScoreCounts], *, threshold: float) -> tuple[Row, list[Row]]:
    """Return what `dataset_metrics` does, from the counts of each subject."""
    pooled, rows = ScoreCounts.empty(), []
    for of_subject in counts:
        rows.append(subject_metrics(of_subject, threshold=threshold))
        pooled = pooled + of_subject
    if not rows:
        raise ValueError("no subject to evaluate; give the test split of this cohort at least one.")
    return _pooled_metrics(pooled, threshold) | _mean_over_subjects(rows), rows


def subject_metrics(counts: ScoreCounts, *, threshold: float) -> Row:
    """Return one subject's overlap at the threshold and its own average precision."""
    return {
        "dice": dice_at(counts, threshold),
        "lesion_voxels": counts.lesion_voxels,
        "predicted_voxels": predicted_voxels(counts, threshold),
        "average_precision": average_precision(counts),
    }


def _pooled_metrics(counts: ScoreCounts, threshold: float) -> Row:
    """Metrics that treat the data set as one large volume."""
    return {
        "dice_dataset": dice_at(counts, threshold),
        "dice_dataset_best_possible": best_dice(counts)[0],
        "average_precision": average_precision(counts),
        "auprc_trapezoid": trapezoid_area(counts),
        "prevalence": counts.prevalence,
    }


def _mean_over_subjects(rows: list[Row]) -> Row:
    """Mean and spread (ddof 0) of the Dice of all subjects that have a lesion."""
    dice = np.array([row["dice"] for row in rows if row["lesion_voxels"] > 0])
    return {
        "dice_subject_mean": float(dice.mean()) if dice.size else float("nan"),
        "dice_subject_std": float(dice.std(ddof=0)) if dice.size else float("nan"),
        "subjects": len(rows),
        "subjects_without_lesion": len(rows) - len(dice),
    }
