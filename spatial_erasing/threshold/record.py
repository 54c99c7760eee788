"""What is kept of a threshold search: the result, its path, and the curve that it walked on."""

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial

import numpy as np

from spatial_erasing.evaluate.counts import count_dataset
from spatial_erasing.evaluate.curves import best_dice, dice_at, dice_curve_points
from spatial_erasing.threshold.search import greedy_threshold


def threshold_record(
    maps: Iterable[np.ndarray],
    lesions: Iterable[np.ndarray],
    *,
    iterations: int,
    lower: float,
    upper: float,
) -> dict[str, object]:
    """The greedy search over pooled validation voxels, with the exhaustive optimum and the curve beside it.

    Args:
        maps: score maps of the validation split, one a subject.
        lesions: their lesion masks.
        iterations: halvings of the interval from `lower` to `upper`.
        lower: smallest score searched.
        upper: largest score searched.
    """
    counts = count_dataset(maps, lesions)
    search = greedy_threshold(partial(dice_at, counts), lower=lower, upper=upper, iterations=iterations)
    exhaustive_dice, exhaustive_threshold = best_dice(counts)
    return asdict(search) | {
        "exhaustive_dice": exhaustive_dice,
        "exhaustive_threshold": exhaustive_threshold,
        "curve": dice_curve_points(counts),
    }
