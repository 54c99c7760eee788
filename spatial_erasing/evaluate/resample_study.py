"""Every number of the study on every resample of its test subjects, from the files of its evaluations."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.evaluate.bootstrap import draw_weights
from spatial_erasing.evaluate.resamples import Quantity, Resampled, resample_dataset, resample_slices
from spatial_erasing.evaluate.subject_counts import load_counts
from spatial_erasing.jobs.parallel import map_in_processes
from spatial_erasing.seeds import hash_seed

ALL_COHORTS = "all"  # the cohort of a number over all test sets
AVERAGED = ("dice_dataset", "dice_subject_mean", "average_precision")


@dataclass(frozen=True)
class Resampling:
    """How test subjects are resampled and divided: the values of the config's section evaluate."""

    samples: int
    seed: int
    size_percentiles: tuple[float, float]

    def weights_of(self, cohort: str, subjects: Sequence[str]) -> np.ndarray:
        """Weights of a cohort's resamples: the same for every model, sequence and order of the subjects."""
        weights = draw_weights(
            len(subjects), samples=self.samples, seed=hash_seed("bootstrap", self.seed, cohort)
        )
        return weights[:, np.argsort(np.argsort(subjects))]


def resample_study(
    folders: Iterable[str | Path], *, sequence: str, resampling: Resampling, workers: int
) -> dict[Quantity, Resampled]:
    """Resample every evaluation and what is over all test sets of one sequence, averaging the seeds.

    Over all test sets ("all") slices are ranked together, and other metrics are the mean of the cohorts'.

    Args:
        folders: .../{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}, with counts and slices.
        sequence: of the numbers over all test sets: the one that the networks are trained on.
        resampling: how.
        workers: processes.
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
    found = resample_dataset(
        counts,
        resampling.weights_of(cohort, counts.subjects),
        threshold=threshold,
        size_percentiles=resampling.size_percentiles,
    )
    return {
        (Quantity(model, percent, cohort, sequence, metric), seed): result for metric, result in found.items()
    }


def _resample_union(folders: tuple[Path, ...], resampling: Resampling) -> dict:
    scores, abnormal, weights = [], [], []
    for folder in folders:
        with np.load(folder / "slices.npz") as arrays, np.load(folder / "counts.npz") as counts:
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
        if quantity.metric in AVERAGED and quantity.sequence == sequence:
            parts[quantity._replace(cohort=ALL_COHORTS)].append(result)
    return {
        quantity: Resampled(
            np.mean([result.samples for result in results], axis=0),
            sum(result.subjects for result in results),
            tuple(np.mean([result.by_seed for result in results], axis=0).tolist()),
        )
        for quantity, results in parts.items()
    }


def _mean_of_seeds(results: Mapping[int, tuple[np.ndarray, int]]) -> Resampled:
    """Trainings are averaged in each resample: the interval is that of the mean of these very trainings."""
    samples = np.stack([results[seed][0] for seed in sorted(results)])
    (subjects,) = {subjects for _, subjects in results.values()}
    return Resampled(samples.mean(axis=0), subjects, tuple(samples[:, 0].tolist()))
