"""Every metric of the study on every resample of its test subjects, and the intervals."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spatial_erasing.evaluate.bootstrap import (
    IntervalRule,
    Sizes,
    draw_weights,
    lesion_groups,
    resampled_average_precision,
    resampled_dice,
    resampled_mean,
)
from spatial_erasing.evaluate.counts import SubjectCounts, load_counts
from spatial_erasing.evaluate.metrics import TABLE_METRICS, size_groups
from spatial_erasing.jobs.parallel import map_in_processes
from spatial_erasing.jobs.results import open_arrays
from spatial_erasing.seeds import hash_seed

ALL_COHORTS = "all"  # the cohort of a number over all test sets


class Quantity(NamedTuple):
    """What a number is of: a model on a share of the training data, a test set ("all": all), a metric."""

    model: str
    fraction_percent: int
    cohort: str
    sequence: str
    metric: str


INTERVAL_COLUMNS = (
    *Quantity._fields,
    *("value", "lower", "upper", "subjects", "seeds", "lowest_seed", "highest_seed"),
)


@dataclass(frozen=True, eq=False)
class Resampled:
    """A number of the test set and of every resample of it."""

    samples: np.ndarray  # of the test set, then of every resample; mean over seeds; shape (1 + samples,)
    sizes: Sizes  # numbers of test subjects
    by_seed: tuple[float, ...]  # the test set's number for each seed


def resample_dataset(
    counts: SubjectCounts, weights: np.ndarray, *, threshold: float, size_percentiles: tuple[float, float]
) -> dict[str, tuple[np.ndarray, int]]:
    """Each metric of one test set on every resample, shape (samples,), and how many subjects it is of.

    Weights have the shape (samples, subjects); the threshold is that of the validation split. Small lesions
    end and large ones begin at the size percentiles.
    """
    hits, predicted, lesion = counts.at_threshold(threshold)
    # a subject without a lesion voxel has no Dice
    dice = 2 * hits / np.where(lesion > 0, predicted + lesion, np.nan)
    positives, totals = lesion_groups(
        counts.owner,
        counts.pattern,
        positives=counts.lesion,
        # a sum of two uint32 may overflow
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
    """Resample `metrics.slice_average_precision`, each cohort's subjects within the cohort.

    The lists have an array per cohort: scores and labels (subjects, Z), and weights (samples, subjects).
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
        lower, upper = rule.interval(result.samples, sizes=result.sizes)
        rows.append(
            quantity._asdict()
            | {"value": float(result.samples[0]), "lower": lower, "upper": upper}
            | {"subjects": sum(result.sizes), "seeds": len(result.by_seed)}
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
        # as text, since quantities may have different numbers of test sets and seeds
        sizes=[" ".join(map(str, result.sizes)) for result in found.values()],
        by_seed=[" ".join(map(repr, result.by_seed)) for result in found.values()],
        **columns,
    )


def load_resamples(path: str | Path) -> dict[Quantity, Resampled]:
    """Read what `save_resamples` wrote."""
    with open_arrays(path) as arrays:
        quantities = zip(*(arrays[name].tolist() for name in Quantity._fields), strict=True)
        by_seed = [tuple(map(float, text.split())) for text in arrays["by_seed"].tolist()]
        sizes = [Sizes(map(int, text.split())) for text in arrays["sizes"].tolist()]
        values = zip(arrays["samples"], sizes, by_seed, strict=True)
        return {Quantity(*names): Resampled(*value) for names, value in zip(quantities, values, strict=True)}


@dataclass(frozen=True)
class Resampling:
    """How test subjects are resampled and divided: the values of the config's section evaluate."""

    samples: int
    seed: int
    size_percentiles: tuple[float, float]

    def weights_of(self, cohort: str, subjects: Sequence[str]) -> np.ndarray:
        """Weights of a cohort's resamples: the same for every model, sequence and order of the subjects."""
        seed = hash_seed("bootstrap", self.seed, cohort)
        weights = draw_weights(len(subjects), samples=self.samples, seed=seed)
        # by the rank of the names, so that the order of a file does not matter
        return weights[:, np.argsort(np.argsort(subjects))]


def resample_study(
    folders: Iterable[str | Path], *, sequence: str, resampling: Resampling, workers: int
) -> dict[Quantity, Resampled]:
    """Resample every evaluation, and the means over all test sets of one sequence; seeds are averaged.

    Over all test sets ("all") slices are ranked together, and other metrics are the mean of the cohorts'.
    Folders are .../{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}, with counts and slices.
    """
    evaluated = sorted(map(Path, folders))
    trainings: dict[Path, list[Path]] = defaultdict(list)
    for folder in evaluated:
        if _names(folder)[-1] == sequence:
            trainings[folder.parent].append(folder)
    tasks = [*evaluated, *map(tuple, trainings.values())]
    found: dict[Quantity, dict[int, Any]] = defaultdict(dict)
    for part in map_in_processes(partial(_resample, resampling=resampling), tasks, workers=workers):
        for (quantity, seed), result in part.items():
            found[quantity][seed] = result
    of_cohorts = {quantity: _mean_of_seeds(found[quantity]) for quantity in found}
    return dict(sorted((of_cohorts | _means_of_cohorts(of_cohorts, sequence)).items()))


def _resample(task: Path | tuple[Path, ...], *, resampling: Resampling) -> dict:
    """What one process does: the metrics of a folder, or the slices of several together."""
    if isinstance(task, tuple):
        return _resample_union(task, resampling)
    model, percent, seed, cohort, sequence = _names(task)
    counts, threshold = load_counts(task / "counts.npz")
    weights, percentiles = resampling.weights_of(cohort, counts.subjects), resampling.size_percentiles
    found = resample_dataset(counts, weights, threshold=threshold, size_percentiles=percentiles)
    names = (model, percent, cohort, sequence)
    return {(Quantity(*names, metric), seed): result for metric, result in found.items()}


def _resample_union(folders: tuple[Path, ...], resampling: Resampling) -> dict:
    scores, abnormal, weights = [], [], []
    for folder in folders:
        with open_arrays(folder / "slices.npz") as arrays, open_arrays(folder / "counts.npz") as counts:
            scores.append(arrays["score"])
            abnormal.append(arrays["abnormal"])
            weights.append(resampling.weights_of(_names(folder)[3], counts["subject"].tolist()))
    model, percent, seed, _, sequence = _names(folders[0])
    quantity = Quantity(model, percent, ALL_COHORTS, sequence, "slice_average_precision")
    return {(quantity, seed): (resample_slices(scores, abnormal, weights), sum(map(len, scores)))}


def _names(folder: Path) -> tuple[str, int, int, str, str]:
    """Model, percent, seed, cohort and sequence of an evaluation's folder."""
    model, percent, seed, dataset = folder.parts[-4:]
    cohort, _, sequence = dataset.rpartition("-")
    return model, int(percent.removeprefix("fraction-")), int(seed.removeprefix("seed-")), cohort, sequence


def _means_of_cohorts(found: Mapping[Quantity, Resampled], sequence: str) -> dict[Quantity, Resampled]:
    """The mean of all test sets of a sequence, which are resampled each by itself."""
    parts = defaultdict(list)
    for quantity, result in found.items():
        if quantity.metric in TABLE_METRICS and quantity.sequence == sequence:
            parts[quantity._replace(cohort=ALL_COHORTS)].append(result)
    return {
        quantity: Resampled(
            np.mean([result.samples for result in results], axis=0),
            Sizes(size for result in results for size in result.sizes),
            tuple(np.mean([result.by_seed for result in results], axis=0).tolist()),
        )
        for quantity, results in parts.items()
    }


def _mean_of_seeds(results: Mapping[int, tuple[np.ndarray, int]]) -> Resampled:
    """Trainings are averaged in each resample: the interval is that of the mean of these very trainings."""
    samples = np.stack([results[seed][0] for seed in sorted(results)])
    (subjects,) = {subjects for _, subjects in results.values()}
    return Resampled(samples.mean(axis=0), Sizes([subjects]), tuple(samples[:, 0].tolist()))
