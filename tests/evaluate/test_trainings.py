from functools import partial

import numpy as np
import pytest
from scipy import stats

from spatial_erasing.evaluate.resamples import Quantity
from spatial_erasing.evaluate.trainings import interval_over_trainings, student_quantile

interval = partial(interval_over_trainings, confidence_percent=95)
ERASED, PLAIN = (
    Quantity(name, 100, "brats", "t1", "average_precision") for name in ("3d-cube-noise", "3d-none")
)
SEEDS = {ERASED: (0.64, 0.66, 0.63), PLAIN: (0.60, 0.61)}
DIFFERENCE = {ERASED: 1.0, PLAIN: -1.0}


def test_two_models_have_the_interval_of_welch():
    expected = stats.ttest_ind(*SEEDS.values(), equal_var=False).confidence_interval(0.95)
    assert interval(DIFFERENCE, SEEDS) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("freedom", [1, 1.7, 4, 30.5, 1000])
def test_quantiles_are_those_of_student(freedom):
    for probability in (0.5, 0.95, 0.999):
        expected = stats.t.ppf((1 + probability) / 2, freedom)
        assert student_quantile(probability, freedom) == pytest.approx(expected, rel=1e-4)


def test_numbers_of_one_training_are_summed_seed_by_seed():
    """Two test sets and a second score of the same networks are no further trainings."""
    for other in ({"cohort": "atlas"}, {"model": "3d-cube-noise@dark"}, {"metric": "dice_dataset"}):
        again = ERASED._replace(**other)
        halves = {ERASED: 0.5, again: 0.5, PLAIN: -1.0}
        assert interval(halves, SEEDS | {again: SEEDS[ERASED]}) == pytest.approx(interval(DIFFERENCE, SEEDS))
        opposite = {again: tuple(0.5 - value for value in SEEDS[ERASED])}
        of_plain_alone = stats.t.interval(0.95, 1, 0.25 - np.mean(SEEDS[PLAIN]), stats.sem(SEEDS[PLAIN]))
        assert interval(halves, SEEDS | opposite) == pytest.approx(of_plain_alone)


def test_a_share_of_the_training_subjects_is_another_training():
    few = PLAIN._replace(fraction_percent=20)
    lower, upper = interval({PLAIN: 1.0, few: -1.0}, SEEDS | {few: SEEDS[PLAIN]})
    assert lower == -upper < 0


def test_one_seed_or_equal_seeds_have_no_interval():
    assert np.isnan(interval(DIFFERENCE, SEEDS | {PLAIN: (0.6,)})).all()
    assert np.isnan(interval(DIFFERENCE, {ERASED: (0.6, 0.6), PLAIN: (0.5, 0.5)})).all()


def test_the_interval_contains_the_true_difference_in_about_95_percent_of_studies():
    rng = np.random.default_rng(1)
    weights, spreads, seeds = (1.0, -1.0, -1.0, 1.0), (0.01, 0.02, 0.01, 0.03), (5, 5, 3, 3)
    numbers = [PLAIN._replace(model=name) for name in "abcd"]
    held = 0
    for _ in range(2000):
        values = [rng.normal(0.5, spread, count) for spread, count in zip(spreads, seeds, strict=True)]
        lower, upper = interval(
            dict(zip(numbers, weights, strict=True)), dict(zip(numbers, values, strict=True))
        )
        held += lower < 0 < upper
    assert 0.94 < held / 2000 < 0.985
