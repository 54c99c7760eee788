"""The metrics of one run as table rows: of the data set and of each subject."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.evaluate.counts import ScoreCounts, SubjectCounts, count_scores
from spatial_erasing.evaluate.metrics import metrics_of_counts, slice_average_precision, slice_scores
from spatial_erasing.score.maps import Scoring, score_maps

RUN_COLUMNS = ("model", "fraction_percent", "seed", "cohort", "sequence")
_NAMES = ("method", "percent", "seed", "cohort", "sequence")
METRIC_COLUMNS = (*RUN_COLUMNS, "metric", "value")
SUBJECT_COLUMNS = (
    *RUN_COLUMNS,
    *("subject", "dice", "lesion_voxels", "predicted_voxels", "average_precision"),
)


class DatasetResult(NamedTuple):
    """The evaluation of one run on one test split."""

    metrics: list[dict]  # of the data set, tidy rows
    subjects: list[dict]  # one row a subject
    slices: np.ndarray  # the score of every axial slice, float32, shape (subjects, Z)
    counts: SubjectCounts


def evaluate(
    test: Split,
    stored: np.ndarray,
    *,
    scoring: Scoring,
    names: Mapping[str, str],
    threshold: Mapping[str, Any],
) -> DatasetResult:
    """The numbers of a method on the test subjects of a lesion cohort, one score map in memory at a time.

    Args:
        stored: reconstructions or raw maps, as the score stage stores them.
        names: method, percent, seed, cohort and sequence, which stand in every row.
        threshold: record of `find_threshold`; its `threshold` and `dice` are read.
    """
    run: dict[str, Any] = dict(zip(RUN_COLUMNS, (names[name] for name in _NAMES), strict=True))
    counts, slices = _count_subjects(score_maps(test, stored, scoring), test)
    of_subjects = map(counts.of, range(len(counts)))
    metrics, subjects = metrics_of_counts(of_subjects, threshold=threshold["threshold"])
    metrics |= {
        "threshold": threshold["threshold"],
        "dice_validation": threshold["dice"],
        "slice_average_precision": slice_average_precision(slices, test.lesion_slices),
    }
    metric_rows = [run | {"metric": metric, "value": value} for metric, value in metrics.items()]
    subject_rows = [
        run | {"subject": name} | row for name, row in zip(counts.subjects, subjects, strict=True)
    ]
    return DatasetResult(metric_rows, subject_rows, slices, counts)


def _count_subjects(maps: Iterable[np.ndarray], scans: Split) -> tuple[SubjectCounts, np.ndarray]:
    """Counts and slice scores of every subject, in one pass over the maps."""
    slices = []

    def counted() -> Iterator[ScoreCounts]:
        for score, lesion in zip(maps, scans.lesion, strict=True):
            slices.append(slice_scores(score))
            yield count_scores(score, lesion)

    counts = SubjectCounts.collect([name for _, name in scans.subjects], counted())
    return counts, np.stack(slices)
