"""The record of a threshold search: its result, its path and the Dice curve."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.evaluate.counts import count_dataset
from spatial_erasing.evaluate.curves import best_dice, dice_at, dice_curve_points
from spatial_erasing.score.maps import Scoring, score_maps
from spatial_erasing.threshold.search import greedy_threshold


def find_threshold(
    validation: Split, stored: np.ndarray, *, scoring: Scoring, search: Mapping[str, Any]
) -> dict[str, object]:
    """The greedy search over pooled validation voxels, with the exhaustive optimum and the Dice curve.

    Args:
        validation: the validation subjects of a lesion cohort.
        stored: their reconstructions or raw maps, as the score stage stores them.
        scoring: score and post-processing.
        search: `iterations`, `lower` and `upper` of `greedy_threshold`.
    """
    counts = count_dataset(score_maps(validation, stored, scoring), validation.lesion)
    found = greedy_threshold(partial(dice_at, counts), **search)
    exhaustive_dice, exhaustive_threshold = best_dice(counts)
    return asdict(found) | {
        "exhaustive_dice": exhaustive_dice,
        "exhaustive_threshold": exhaustive_threshold,
        "curve": dice_curve_points(counts),
    }
