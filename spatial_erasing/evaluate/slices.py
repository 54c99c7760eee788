"""Which axial slices hold a lesion: detection slice by slice."""

from collections.abc import Sequence

import numpy as np

from spatial_erasing.evaluate.curves import average_precision_of_groups


def slice_scores(score_volume: np.ndarray) -> np.ndarray:
    """Return one score a slice: the sum of the post-processed score over each axial slice.

    The paper takes "the l1-distance [...] calculated for each slice" (Bengs et al. 2021, section 2.3); here
    it is masked and filtered as for the segmentation. Summed in float64, as float16 would stop at 2048 ones.

    Args:
        score_volume: shape (..., X, Y, Z); axial slices run along the last axis.

    Returns:
        float32, shape (..., Z).
    """
    return score_volume.sum(axis=(-3, -2), dtype=np.float64).astype(np.float32)


def slice_average_precision(scores: Sequence[np.ndarray], abnormal: Sequence[np.ndarray]) -> float:
    """Return the area under the precision-recall curve of all slices together, empty slices included.

    Cohorts are pooled into one curve, as in Figure 6 of Bengs et al. 2021. Equal to scikit-learn's
    average_precision_score, ties included; NaN if no slice is abnormal.

    Args:
        scores: an array for each cohort, shape (subjects, Z); one such array alone will do.
        abnormal: True where the slice holds a lesion, in the same form.

    Raises:
        ValueError: the shapes differ or a score is not finite.
    """
    found, expected = [np.shape(part) for part in scores], [np.shape(part) for part in abnormal]
    if found != expected:
        raise ValueError(
            f"slice scores {found} and labels {expected} differ in shape; take both from one run."
        )
    pooled_scores = np.concatenate([np.ravel(part) for part in scores])
    pooled_abnormal = np.concatenate([np.ravel(part) for part in abnormal]).astype(bool)
    if not np.isfinite(pooled_scores).all():
        count = int((~np.isfinite(pooled_scores)).sum())
        raise ValueError(f"{count} slice scores are not finite; evaluate the model's score maps again.")
    distinct, group = np.unique(pooled_scores, return_inverse=True)
    positives = np.bincount(group[pooled_abnormal], minlength=len(distinct))
    return average_precision_of_groups(positives, np.bincount(group, minlength=len(distinct)))
