"""How much a difference between models may be that of these very trainings: intervals over seeds."""

from collections.abc import Mapping, Sequence

import numpy as np

from spatial_erasing.evaluate.bootstrap import SMALLEST_SPREAD
from spatial_erasing.evaluate.resamples import Quantity


def interval_over_trainings(
    weights: Mapping[Quantity, float],
    by_seed: Mapping[Quantity, Sequence[float]],
    *,
    confidence_percent: float,
) -> tuple[float, float]:
    """Interval of a weighted sum of numbers as it is on average over all seeds: Student's t.

    Test subjects and training subjects stay fixed. Models of one seed may share initial weights and the
    order of batches, so the sum is taken seed by seed and may correlate in any way. The interval is centred
    on the mean of all seeds; its width is from the first seeds, which all numbers have.

    Args:
        weights: of each number in the sum; in a difference of two models, 1 and -1.
        by_seed: of each number, its values in the order of the seeds.
        confidence_percent: of the interval, in percent.

    Returns:
        Lower and upper end in units of the numbers; NaN if a number has one seed, or if all seeds are equal.
    """
    seeds = min(len(by_seed[quantity]) for quantity in weights)
    sums = np.sum([weight * np.array(by_seed[q][:seeds]) for q, weight in weights.items()], axis=0)
    if seeds < 2 or not (spread := sums.std(ddof=1) / np.sqrt(seeds)) > SMALLEST_SPREAD:
        return float("nan"), float("nan")
    middle = float(sum(weight * np.mean(by_seed[quantity]) for quantity, weight in weights.items()))
    around = float(spread) * student_quantile(confidence_percent / 100, seeds - 1)
    return middle - around, middle + around


def student_quantile(probability: float, freedom: float) -> float:
    """The t that |T| of Student's distribution stays below with a probability; `freedom` is at least 1.

    T is sqrt(freedom) times the tangent of an angle whose density is its cosine to the power freedom - 1.
    """
    angles = np.linspace(0, np.pi / 2, 100_001)
    density = np.cos(angles) ** (freedom - 1)
    below = np.concatenate([[0], np.cumsum(density[1:] + density[:-1])])
    return float(np.sqrt(freedom) * np.tan(np.interp(probability, below / below[-1], angles)))
