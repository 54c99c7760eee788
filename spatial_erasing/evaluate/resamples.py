"""The numbers of a test set on every resample of its subjects, and the intervals that they give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spatial_erasing.evaluate.bootstrap import (
    IntervalRule,
    lesion_groups,
    resampled_average_precision,
    resampled_dice,
    resampled_mean,
)
from spatial_erasing.evaluate.lesion_sizes import size_groups
from spatial_erasing.evaluate.subject_counts import SubjectCounts
from spatial_erasing.jobs.results import open_arrays

INTERVAL_COLUMNS = (
    *("model", "fraction_percent", "cohort", "sequence", "metric"),
    *("value", "lower", "upper", "subjects", "seeds", "lowest_seed", "highest_seed"),
)


class Quantity(NamedTuple):
    """What a number is of: a model on a share of the training data, a test set ("all": all), a metric."""

    model: str
    fraction_percent: int
    cohort: str
    sequence: str
    metric: str


@dataclass(frozen=True, eq=False)
class Resampled:
    """A number of the test set and of every resample of it.

    Args:
        samples: the test set's own number, then one a resample; the mean over seeds; shape (1 + samples,).
        subjects: how many test subjects it is of.
        by_seed: the test set's number for each seed.
    """

    samples: np.ndarray
    subjects: int
    by_seed: tuple[float, ...]


def resample_dataset(
    counts: SubjectCounts, weights: np.ndarray, *, threshold: float, size_percentiles: tuple[float, float]
) -> dict[str, tuple[np.ndarray, int]]:
    """Resample the metrics of one test set.

    Args:
        counts: of the test set.
        weights: of its resamples, shape (samples, subjects).
        threshold: from the validation split.
        size_percentiles: where small lesions end and large ones begin.

    Returns:
        Metric to the number of every resample, shape (samples,), and to how many subjects it is of.
    """
    hits, predicted, lesion = counts.at_threshold(threshold)
    dice = 2 * hits / np.where(lesion > 0, predicted + lesion, np.nan)
    positives, totals = lesion_groups(
        counts.owner,
        counts.pattern,
        positives=counts.lesion,
        totals=counts.lesion.astype(np.int64) + counts.normal,
        subjects=len(counts),
    )
    found = {
        "dice_dataset": (resampled_dice(hits, predicted, lesion, weights), len(counts)),
        "dice_subject_mean": (resampled_mean(dice, weights), int((lesion > 0).sum())),
        "average_precision": (resampled_average_precision(positives, totals, weights), len(counts)),
    }
    for size, is_in in size_groups(lesion, percentiles=size_percentiles).items():
        of_size = resampled_mean(np.where(is_in, dice, np.nan), weights)
        found[f"dice_subject_mean_{size}"] = of_size, int(is_in.sum())
    return found


def resample_slices(
    scores: Sequence[np.ndarray], abnormal: Sequence[np.ndarray], weights: Sequence[np.ndarray]
) -> np.ndarray:
    """Resample `slices.slice_average_precision`, each cohort's subjects within the cohort.

    Args:
        scores: slice scores of each cohort, shape (subjects, Z).
        abnormal: True where the slice holds a lesion, in the same form.
        weights: of each cohort, shape (samples, subjects).
    """
    score, is_abnormal = (np.concatenate([part.ravel() for part in parts]) for parts in (scores, abnormal))
    slices_of_subject = np.concatenate([np.full(len(part), part.shape[1]) for part in scores])
    positives, totals = lesion_groups(
        np.repeat(np.arange(len(slices_of_subject)), slices_of_subject),
        score,
        positives=is_abnormal.astype(np.int64),
        totals=np.ones(score.size, np.int64),
        subjects=len(slices_of_subject),
    )
    return resampled_average_precision(positives, totals, np.hstack(weights))


def interval_rows(found: Mapping[Quantity, Resampled], rule: IntervalRule) -> list[dict]:
    """Rows of intervals.csv: each number with its interval, and its lowest and highest seed."""
    rows = []
    for quantity, result in found.items():
        lower, upper = rule.interval(result.samples[1:], subjects=result.subjects)
        rows.append(
            quantity._asdict()
            | {"value": float(result.samples[0]), "lower": lower, "upper": upper}
            | {"subjects": result.subjects, "seeds": len(result.by_seed)}
            | {"lowest_seed": min(result.by_seed), "highest_seed": max(result.by_seed)}
        )
    return rows


def save_resamples(path: str | Path, found: Mapping[Quantity, Resampled]) -> None:
    """Write all resamples into one npz file: a column for each field, a row for each quantity."""
    columns: dict[str, Any] = dict(
        zip(Quantity._fields, map(np.array, zip(*found, strict=True)), strict=True)
    )
    np.savez(
        path,
        samples=np.stack([result.samples for result in found.values()]),
        subjects=[result.subjects for result in found.values()],
        by_seed=[" ".join(map(repr, result.by_seed)) for result in found.values()],
        **columns,
    )


def load_resamples(path: str | Path) -> dict[Quantity, Resampled]:
    """Read what `save_resamples` wrote."""
    with open_arrays(path) as arrays:
        quantities = zip(*(arrays[name].tolist() for name in Quantity._fields), strict=True)
        by_seed = [tuple(map(float, text.split())) for text in arrays["by_seed"].tolist()]
        values = zip(arrays["samples"], arrays["subjects"].tolist(), by_seed, strict=True)
        return {Quantity(*names): Resampled(*value) for names, value in zip(quantities, values, strict=True)}
