"""Diagnostics outside the paper's protocol: other thresholds and other post-processing.

Diagnostics stand beside the results and feed nothing. A threshold here comes from validation subjects, with
one exception that is named an upper bound wherever it is shown: the best one on the labels of the test split.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from spatial_erasing.evaluate.counts import SubjectCounts, count_scores
from spatial_erasing.evaluate.curves import best_dice, dice_at, precision_recall_curve
from spatial_erasing.evaluate.metrics import TABLE_METRICS, metrics_of_counts
from spatial_erasing.score.maps import Scoring, read_score_maps
from spatial_erasing.threshold.search import greedy_threshold

GREEDY, EXHAUSTIVE, UPPER_BOUND = "greedy", "exhaustive", "upper bound: test labels"
DIAGNOSTIC_COLUMNS = ("erosion_iterations", "median_size_voxels", "threshold_from", "metric", "value")

Row = dict[str, Any]
Variant = Mapping[str, int]


def variants_of(
    protocol: Variant, *, median_sizes_voxels: Sequence[int], erosion_iterations: Sequence[int]
) -> list[dict[str, int]]:
    """The protocol's post-processing first, then those that differ from it in one value."""
    wanted = [dict(protocol)]
    wanted += [{**protocol, "erosion_iterations": iterations} for iterations in erosion_iterations]
    wanted += [{**protocol, "median_size_voxels": size} for size in median_sizes_voxels]
    return [variant for place, variant in enumerate(wanted) if variant not in wanted[:place]]


def read_counts(files: tuple[str, str, str], *, split: str, sequence: str, scoring: Scoring) -> SubjectCounts:
    """The counts of every subject after one way of post-processing; files as for `read_score_maps`."""
    scans, maps = read_score_maps(files, split=split, sequence=sequence, scoring=scoring)
    counts = map(count_scores, maps, scans.lesion)
    return SubjectCounts.collect([name for _, name in scans.subjects], counts)


def diagnose_variant(
    validation: SubjectCounts, test: SubjectCounts, *, variant: Variant, search: Mapping[str, Any]
) -> list[Row]:
    """Test metrics after one way of post-processing, at the threshold of the same greedy search.

    A variant has the keywords of `post_process`, the search those of `greedy_threshold`.
    """
    found = greedy_threshold(partial(dice_at, validation.pooled()), **search)
    return list(_rows(test, found.threshold, found.dice, variant=variant, source=GREEDY))


def diagnose_thresholds(
    validation: SubjectCounts, test: SubjectCounts, *, variant: Variant, others: Mapping[str, float]
) -> list[Row]:
    """Test metrics at thresholds that the protocol does not use.

    `others` has the threshold that the validation split of another data set gave, by data set.
    """
    dice, threshold = best_dice(validation.pooled())
    rows = list(_rows(test, threshold, dice, variant=variant, source=EXHAUSTIVE))
    for dataset, other in others.items():
        there = dice_at(validation.pooled(), other)
        rows += _rows(test, other, there, variant=variant, source=dataset)
    bound, threshold = best_dice(test.pooled())
    for metric, value in {"threshold": threshold, "dice_dataset": bound}.items():
        rows.append({**variant, "threshold_from": UPPER_BOUND, "metric": metric, "value": value})
    return rows


def precision_recall_points(test: SubjectCounts, *, points: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Recall, ascending, and precision of the pooled test split; at most `points`, each of them exact."""
    precision, recall, _ = precision_recall_curve(test.pooled())
    precision, recall = precision[::-1], recall[::-1]
    if len(recall) > points:
        kept = np.unique(np.searchsorted(recall, np.linspace(0, recall[-1], points)))
        precision, recall = precision[kept], recall[kept]
    return recall, precision


def _rows(
    test: SubjectCounts, threshold: float, dice_validation: float, *, variant: Variant, source: str
) -> Iterator[Row]:
    """Rows of the test split at one threshold."""
    metrics, _ = metrics_of_counts(map(test.of, range(len(test))), threshold=threshold)
    shown = {"threshold": threshold, "dice_validation": dice_validation}
    for metric, value in (shown | {name: metrics[name] for name in TABLE_METRICS}).items():
        yield {**variant, "threshold_from": source, "metric": metric, "value": value}
