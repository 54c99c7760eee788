"""Masks from scores, and how far two masks agree."""

import numpy as np


def anomaly_mask(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return where the score reaches the threshold (>=), compared without rounding the threshold.

    numpy would round a Python float to the float16 of the scores and shift the mask by up to one score.
    """
    return scores >= np.float64(threshold)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return 2 |X and Y| / (|X| + |Y|) of two masks (Bengs et al. 2021, section 2.3).

    One empty mask gives 0, two empty masks NaN: no agreement can be measured, and neither 0 nor 1 is
    invented for it.

    Args:
        first: mask X, any shape.
        second: mask Y, same shape.
    """
    if first.shape != second.shape:
        raise ValueError(f"masks of shape {first.shape} and {second.shape} cannot overlap; use one grid.")
    first, second = first.astype(bool), second.astype(bool)
    size = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / size if size else float("nan")
