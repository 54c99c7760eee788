"""The numbers of the paper's tables and figures, from score maps: voxels, slices, sizes of lesions."""

from collections.abc import Iterable

import numpy as np

from spatial_erasing.evaluate.counts import ScoreCounts
from spatial_erasing.evaluate.curves import (
    average_precision,
    average_precision_of_groups,
    best_dice,
    dice_at,
    predicted_voxels,
    trapezoid_area,
)

Row = dict[str, float | int]
SIZES = ("small", "middle", "large")  # of lesions
TABLE_METRICS = ("dice_dataset", "dice_subject_mean", "average_precision")  # of the paper


def metrics_of_counts(counts: Iterable[ScoreCounts], *, threshold: float) -> tuple[Row, list[Row]]:
    """Return the metrics of a data set and of each of its subjects (Bengs et al. 2021, section 2.3).

    Every voxel of the grid counts, background included; a lesion voxel outside the eroded brain mask has
    score 0 and is a miss. A subject whose lesion vanished on the grid has no Dice of its own: it is left
    out of `dice_subject_*` and counted in `subjects_without_lesion`, while its voxels stay in all pooled
    metrics. One subject is in memory at a time. Predicted is score >= threshold.

    Returns:
        The pooled metrics by name, as fractions, and one row a subject: dice, lesion_voxels,
        predicted_voxels, average_precision (NaN where there is no lesion), in the order of the input.
    """
    pooled, rows = ScoreCounts.empty(), []
    for of_subject in counts:
        rows.append(_subject_metrics(of_subject, threshold))
        pooled = pooled + of_subject
    if not rows:
        raise ValueError("no subject to evaluate; give the test split of this cohort at least one.")
    return _pooled_metrics(pooled, threshold) | _mean_over_subjects(rows), rows


def _subject_metrics(counts: ScoreCounts, threshold: float) -> Row:
    """One subject's overlap at the threshold and its own average precision."""
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


def slice_scores(score_volume: np.ndarray) -> np.ndarray:
    """Return one score a slice: the sum of the post-processed score over each axial slice.

    The paper takes "the l1-distance [...] calculated for each slice" (Bengs et al. 2021, section 2.3); here
    it is masked and filtered as for the segmentation. Summed in float64, as float16 would stop at 2048 ones.
    Volumes (..., X, Y, Z), with axial slices along the last axis, give float32 (..., Z).
    """
    return score_volume.sum(axis=(-3, -2), dtype=np.float64).astype(np.float32)


def slice_average_precision(scores: np.ndarray, abnormal: np.ndarray) -> float:
    """Return the area under the precision-recall curve of all slices together, empty slices included.

    Equal to scikit-learn's average_precision_score, ties included; NaN if no slice is abnormal. Scores and
    labels, True where the slice holds a lesion, have one shape, in a cohort (subjects, Z).

    Raises:
        ValueError: the shapes differ or a score is not finite.
    """
    if scores.shape != abnormal.shape:
        raise ValueError(
            f"slice scores {scores.shape} and labels {abnormal.shape} differ in shape; take both of one run."
        )
    if count := int((~np.isfinite(scores)).sum()):
        raise ValueError(f"{count} slice scores are not finite; evaluate the model's score maps again.")
    distinct, group = np.unique(scores.ravel(), return_inverse=True)
    positives = np.bincount(group[abnormal.ravel().astype(bool)], minlength=len(distinct))
    return average_precision_of_groups(positives, np.bincount(group, minlength=len(distinct)))


def size_groups(lesion_voxels: np.ndarray, *, percentiles: tuple[float, float]) -> dict[str, np.ndarray]:
    """Divide the subjects of a test set by the size of their lesion; a bool array (subjects,) for each size.

    The two borders are percentiles of the sizes in this test set; they stay when its subjects are resampled.
    A subject whose lesion vanished on the grid is in no group. Small is at most the first border, large is
    above the second.
    """
    has_lesion = lesion_voxels > 0
    if not has_lesion.any():
        return dict.fromkeys(SIZES, has_lesion)
    lower, upper = np.percentile(lesion_voxels[has_lesion], percentiles)
    is_small, is_large = has_lesion & (lesion_voxels <= lower), lesion_voxels > upper
    return {"small": is_small, "middle": has_lesion & ~is_small & ~is_large, "large": is_large}
