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
SEEDS = {ERASED: (0.64, 0.66, 0.63), PLAIN: (0.60, 0.61, 0.62)}
DIFFERENCE = {ERASED: 1.0, PLAIN: -1.0}


def test_two_models_have_the_interval_of_the_paired_t_test():
    expected = stats.ttest_rel(*SEEDS.values()).confidence_interval(0.95)
    assert interval(DIFFERENCE, SEEDS) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("freedom", [1, 1.7, 4, 30.5, 1000])
def test_quantiles_are_those_of_student(freedom):
    for probability in (0.5, 0.95, 0.999):
        expected = stats.t.ppf((1 + probability) / 2, freedom)
        assert student_quantile(probability, freedom) == pytest.approx(expected, rel=1e-4)


def test_what_all_models_of_a_seed_share_does_not_widen_the_interval():
    shared = np.array([0.1, -0.2, 0.05])
    both = {quantity: tuple(np.add(values, shared)) for quantity, values in SEEDS.items()}
    assert interval(DIFFERENCE, both) == pytest.approx(interval(DIFFERENCE, SEEDS))


def test_further_seeds_of_one_model_move_the_middle_alone():
    more = SEEDS | {ERASED: (*SEEDS[ERASED], 0.7, 0.72)}
    (lower, upper), (low, high) = interval(DIFFERENCE, SEEDS), interval(DIFFERENCE, more)
    assert high - low == pytest.approx(upper - lower)
    shift = np.mean(more[ERASED]) - np.mean(SEEDS[ERASED])
    assert (low, high) == pytest.approx((lower + shift, upper + shift))


def test_one_seed_or_equal_seeds_have_no_interval():
    assert np.isnan(interval(DIFFERENCE, SEEDS | {PLAIN: (0.6,)})).all()
    assert np.isnan(interval(DIFFERENCE, {ERASED: (0.6, 0.6), PLAIN: (0.5, 0.5)})).all()
    assert np.isnan(interval(DIFFERENCE, SEEDS | {PLAIN: (0.6, float("nan"), 0.6)})).all()


@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.8])
def test_the_interval_contains_the_true_difference_in_95_percent_of_studies(correlation):
    rng = np.random.default_rng(1)
    covariance = [[1, 3 * correlation], [3 * correlation, 9]]
    studies = 0.5 + 0.01 * rng.multivariate_normal([0, 0], covariance, size=(2000, 5))
    held = 0
    for study in studies:
        lower, upper = interval(DIFFERENCE, dict(zip(DIFFERENCE, study.T.tolist(), strict=True)))
        held += lower < 0 < upper
    assert 0.935 < held / len(studies) < 0.965
