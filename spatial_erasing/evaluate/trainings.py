"""How much a difference between models may be that of these very trainings: intervals over seeds."""

from collections.abc import Mapping, Sequence

import numpy as np

from spatial_erasing.evaluate.bootstrap import SMALLEST_SPREAD
from spatial_erasing.evaluate.resamples import Quantity
from spatial_erasing.models import model_and_score


def interval_over_trainings(
    weights: Mapping[Quantity, float],
    by_seed: Mapping[Quantity, Sequence[float]],
    *,
    confidence_percent: float,
) -> tuple[float, float]:
    """Interval of a weighted sum of numbers, were the models trained again with other seeds.

    Test subjects stay fixed. Numbers of one training (its test sets, metrics and scores) vary together and
    are summed seed by seed; different models are trained independently, so that variances add. The degrees
    of freedom are those of Welch (1947) and Satterthwaite (1946); for two models this is Welch's t.

    Args:
        weights: of each number in the sum; in a difference of two models, 1 and -1.
        by_seed: of each number, its values for the seeds, in an order that all numbers of a training share.
        confidence_percent: of the interval, in percent.

    Returns:
        Lower and upper end in units of the numbers; NaN if a model has one seed, or if all seeds are equal.
    """
    sums: dict[tuple[str, int], np.ndarray] = {}
    for quantity, weight in weights.items():
        training = model_and_score(quantity.model)[0], quantity.fraction_percent
        sums[training] = sums.get(training, 0) + weight * np.asarray(by_seed[quantity], float)
    if min(map(len, sums.values())) < 2:
        return float("nan"), float("nan")
    variances = np.array([values.var(ddof=1) / len(values) for values in sums.values()])
    spread = float(np.sqrt(variances.sum()))
    if spread <= SMALLEST_SPREAD:
        return float("nan"), float("nan")
    freedom = variances.sum() ** 2 / sum(variances**2 / (np.array([*map(len, sums.values())]) - 1))
    middle = float(sum(values.mean() for values in sums.values()))
    around = student_quantile(confidence_percent / 100, freedom) * spread
    return middle - around, middle + around


def student_quantile(probability: float, freedom: float) -> float:
    """The t that |T| of Student's distribution stays below with a probability; `freedom` is at least 1.

    T is sqrt(freedom) times the tangent of an angle whose density is its cosine to the power freedom - 1.
    """
    angles = np.linspace(0, np.pi / 2, 100_001)
    density = np.cos(angles) ** (freedom - 1)
    below = np.concatenate([[0], np.cumsum(density[1:] + density[:-1])])
    return float(np.sqrt(freedom) * np.tan(np.interp(probability, below / below[-1], angles)))
