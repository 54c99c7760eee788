"""The Dice of every test subject with every model, for tests that compare two models on the same subjects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from spatial_erasing.evaluate.lesion_sizes import SIZES, size_groups
from spatial_erasing.evaluate.parts import Part

METRIC = "dice_subject_mean"


@dataclass(frozen=True)
class SubjectDice:
    """Dice of each subject, seeds averaged, and the lesions' sizes.

    Args:
        dice: (model, fraction_percent, cohort, sequence) to subject to Dice; NaN without a lesion.
        sizes: (cohort, "small" | "middle" | "large") to the subjects with such a lesion.
    """

    dice: Mapping[tuple[str, int, str, str], Mapping[str, float]]
    sizes: Mapping[tuple[str, str], frozenset[str]]

    def paired_differences(self, part: Part) -> np.ndarray | None:
        """The difference of each subject, shape (subjects,); None if the part is no such pair."""
        is_pair = sorted(weight for weight, _ in part.terms) == [-1, 1]
        metrics = {(quantity.cohort, quantity.metric) for _, quantity in part.terms}
        if not is_pair or len(metrics) != 1 or part.metric != METRIC:
            return None
        ((cohort, metric),) = metrics
        better, worse = (
            self.dice[quantity[:4]] for _, quantity in sorted(part.terms, key=lambda term: -term[0])
        )
        if better.keys() != worse.keys():
            alone = better.keys() ^ worse.keys()
            raise ValueError(
                f"{part.title} on {cohort}: subjects.csv has {len(alone)} subjects for one of the two only; "
                "expected the same test subjects. Score and evaluate this cohort again."
            )
        size = metric.removeprefix(METRIC).removeprefix("_")
        chosen = self.sizes[cohort, size] if size else better.keys()
        return np.array([better[subject] - worse[subject] for subject in sorted(chosen)])


def read_subject_dice(
    rows: Iterable[Mapping[str, str]], *, size_percentiles: tuple[float, float]
) -> SubjectDice:
    """Gather the rows of subjects.csv.

    Args:
        rows: of all runs.
        size_percentiles: where small lesions end and large ones begin.
    """
    by_seed: dict[tuple[str, int, str, str], dict[str, list[float]]] = {}
    voxels: dict[str, dict[str, int]] = {}
    for row in rows:
        key = (row["model"], int(row["fraction_percent"]), row["cohort"], row["sequence"])
        by_seed.setdefault(key, {}).setdefault(row["subject"], []).append(float(row["dice"]))
        voxels.setdefault(row["cohort"], {})[row["subject"]] = int(row["lesion_voxels"])
    dice = {
        key: {subject: float(np.mean(values)) for subject, values in subjects.items()}
        for key, subjects in by_seed.items()
    }
    sizes: dict[tuple[str, str], frozenset[str]] = {}
    for cohort, of_subject in voxels.items():
        names = np.array(list(of_subject))
        groups = size_groups(np.array(list(of_subject.values())), percentiles=size_percentiles)
        sizes |= {(cohort, size): frozenset(names[groups[size]].tolist()) for size in SIZES}
    return SubjectDice(dice, sizes)
