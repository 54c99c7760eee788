import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from spatial_erasing.evaluate.paired import holm, sign_flip_p


def scipy_p(differences):
    def mean_difference(first, second):
        return np.mean(first - second)

    pair = (differences, np.zeros_like(differences))
    return stats.permutation_test(
        pair, mean_difference, permutation_type="samples", n_resamples=np.inf
    ).pvalue


@pytest.mark.parametrize("seed", range(5))
def test_few_subjects_give_the_exact_p_of_scipy(seed):
    differences = np.random.default_rng(seed).normal(0.4, 1, size=9)
    assert sign_flip_p(differences, samples=512, seed=0) == pytest.approx(scipy_p(differences), abs=1e-12)


def test_many_subjects_give_the_exact_p_up_to_chance():
    differences = np.random.default_rng(4).normal(0.3, 1, size=15)
    found = sign_flip_p(differences, samples=20000, seed=0)
    exact = sign_flip_p(differences, samples=2**15, seed=0)
    assert found != exact and found == pytest.approx(exact, abs=0.01)


def test_large_samples_agree_with_the_t_test():
    differences = np.random.default_rng(9).normal(0.15, 1, size=200)
    expected = stats.ttest_1samp(differences, 0).pvalue
    assert sign_flip_p(differences, samples=20000, seed=1) == pytest.approx(expected, abs=0.01)


def test_which_model_comes_first_does_not_matter():
    differences = np.random.default_rng(2).normal(0.3, 1, size=40)
    assert sign_flip_p(differences, samples=999, seed=3) == sign_flip_p(-differences, samples=999, seed=3)


def test_equal_models_are_never_told_apart_and_p_is_never_0():
    assert sign_flip_p(np.zeros(30), samples=999, seed=0) == 1
    assert sign_flip_p(np.ones(30), samples=999, seed=0) == pytest.approx(1 / 1000)


def test_without_a_true_difference_p_is_uniform():
    rng = np.random.default_rng(7)
    found = [sign_flip_p(rng.normal(size=20), samples=199, seed=k) for k in range(300)]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_subjects_without_a_number_are_left_out():
    differences = np.array([0.3, np.nan, 0.5, -0.1, np.nan, 0.9])
    finite = differences[np.isfinite(differences)]
    assert sign_flip_p(differences, samples=100, seed=0) == sign_flip_p(finite, samples=100, seed=0)
    assert np.isnan(sign_flip_p(np.full(3, np.nan), samples=100, seed=0))


def test_holm_is_that_of_statsmodels_with_ties_and_ones():
    p = np.array([0.01, 0.04, 0.03, 0.005, 0.04, 0.9, 1.0])
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_holm_keeps_the_order_and_never_lowers_a_p():
    p = np.random.default_rng(0).random(50) ** 3
    corrected = holm(p)
    assert (corrected >= p).all() and (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()
    np.testing.assert_array_equal(holm(p[::-1]), corrected[::-1])


def test_tests_without_a_p_count_for_nothing():
    np.testing.assert_allclose(holm(np.array([0.02, np.nan, 0.01])), [0.02, np.nan, 0.02])
    assert holm(np.array([])).size == 0
