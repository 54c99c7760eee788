import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score

from spatial_erasing.evaluate.bootstrap import (
    IntervalRule,
    Sizes,
    draw_weights,
    lesion_groups,
    resampled_average_precision,
    resampled_dice,
    resampled_mean,
    sign_flip_p,
    two_sided_p,
)
from spatial_erasing.evaluate.counts import SubjectCounts, count_scores
from spatial_erasing.evaluate.curves import average_precision

THRESHOLD = 0.3


@pytest.fixture(params=["many distinct scores", "ties"])
def voxels(request):
    """Six subjects of which one has no lesion and one only scores of 0."""
    rng = np.random.default_rng(3)
    lesions = rng.random((6, 5, 6, 7)) < rng.uniform(0.02, 0.3, (6, 1, 1, 1))
    lesions[2] = False
    scores = np.abs(0.2 * lesions + rng.normal(scale=0.25, size=lesions.shape))
    scores = scores.round(1) if request.param == "ties" else scores
    scores[4] = 0
    return scores.astype(np.float16), lesions


@pytest.fixture
def weights():
    return draw_weights(6, samples=150, seed=11)


def groups_of(voxels):
    counts = SubjectCounts.collect("abcdef", map(count_scores, *voxels))
    totals = counts.lesion + counts.normal
    return lesion_groups(counts.owner, counts.pattern, positives=counts.lesion, totals=totals, subjects=6)


def repeated(voxels, times):
    """The voxels of the subjects of a resample, each as often as it was drawn."""
    drawn = np.repeat(np.arange(len(times)), times.astype(int))
    return voxels[1][drawn].ravel(), voxels[0][drawn].ravel().astype(np.float64)


def test_weights_are_draws_with_replacement_below_the_test_set_itself():
    weights = draw_weights(20, samples=4000, seed=1)
    assert (weights[0] == 1).all() and (weights.sum(axis=1) == 20).all()
    # multinomial: mean 1, variance 1 - 1/n, covariance -1/n
    np.testing.assert_allclose(weights[1:].mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(weights[1:].var(axis=0), 0.95, atol=0.12)
    assert np.cov(weights[1:, 0], weights[1:, 1])[0, 1] == pytest.approx(-0.05, abs=0.05)
    np.testing.assert_array_equal(weights, draw_weights(20, samples=4000, seed=1))
    assert (weights != draw_weights(20, samples=4000, seed=2)).any()


def test_average_precision_of_every_resample_is_that_of_sklearn_on_its_voxels(voxels, weights):
    found = resampled_average_precision(*groups_of(voxels), weights)
    for times, value in zip(weights, found, strict=True):
        assert value == pytest.approx(average_precision_score(*repeated(voxels, times)), abs=1e-9)


def test_average_precision_of_every_resample_is_that_of_the_curve_of_its_pool(voxels, weights):
    counts = SubjectCounts.collect("abcdef", map(count_scores, *voxels))
    found = resampled_average_precision(*groups_of(voxels), weights)
    expected = [average_precision(counts.pooled(times)) for times in weights]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_groups_keep_every_lesion_voxel_and_every_score_that_has_one(voxels):
    positives, totals = groups_of(voxels)
    np.testing.assert_array_equal(positives.sum(axis=1), voxels[1].sum(axis=(1, 2, 3)))
    assert positives.shape[1] == len(np.unique(voxels[0][voxels[1]]))
    lowest = voxels[0][voxels[1]].min()
    np.testing.assert_array_equal(totals.sum(axis=1), (voxels[0] >= lowest).sum(axis=(1, 2, 3)))


def test_average_precision_knows_shares_alone_and_no_scale_of_scores(voxels, weights):
    positives, totals = groups_of(voxels)
    found = resampled_average_precision(positives, totals, weights)
    np.testing.assert_allclose(resampled_average_precision(positives, totals, 3 * weights), found)
    rescaled = np.sqrt(voxels[0].astype(np.float64)).astype(np.float16), voxels[1]
    if len(np.unique(rescaled[0])) == len(np.unique(voxels[0])):
        np.testing.assert_allclose(resampled_average_precision(*groups_of(rescaled), weights), found)


@pytest.mark.parametrize("rank", [1, 2, 7])
def test_a_single_lesion_voxel_has_the_inverse_of_its_rank(rank):
    scores = np.arange(10, 0, -1, dtype=np.float16).reshape(1, 10)
    lesion = np.arange(1, 11).reshape(1, 10) == rank
    counts = SubjectCounts.collect("a", map(count_scores, scores, lesion))
    totals = counts.lesion + counts.normal
    groups = lesion_groups(counts.owner, counts.pattern, positives=counts.lesion, totals=totals, subjects=1)
    assert resampled_average_precision(*groups, np.ones((1, 1))) == pytest.approx([1 / rank])


@pytest.mark.filterwarnings("error")
def test_a_resample_without_a_lesion_has_no_number(voxels):
    nobody_but_the_healthy = np.array([[0, 0, 6, 0, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=float)
    assert np.isnan(resampled_average_precision(*groups_of(voxels), nobody_but_the_healthy)).tolist() == [
        1,
        0,
    ]
    no_lesion = np.zeros(6, dtype=int)
    assert np.isnan(resampled_dice(no_lesion, no_lesion + 3, no_lesion, nobody_but_the_healthy)).all()
    values = np.array([0.1, 0.2, np.nan, 0.3, 0.4, 0.5])
    assert np.isnan(resampled_mean(values, nobody_but_the_healthy)).tolist() == [True, False]
    empty = np.zeros((6, 0))
    assert np.isnan(resampled_average_precision(empty, empty, nobody_but_the_healthy)).all()


def test_dice_of_every_resample_is_the_f1_of_sklearn_on_its_voxels(voxels, weights):
    counts = SubjectCounts.collect("abcdef", map(count_scores, *voxels))
    found = resampled_dice(*counts.at_threshold(THRESHOLD), weights)
    for times, value in zip(weights[:40], found, strict=False):
        truth, score = repeated(voxels, times)
        assert value == pytest.approx(f1_score(truth, score >= THRESHOLD), abs=1e-12)


def test_the_mean_of_a_resample_is_that_of_the_drawn_numbers(weights):
    values = np.array([0.1, 0.5, np.nan, 0.9, 0.2, np.nan])
    expected = [np.nanmean(np.repeat(values, times.astype(int))) for times in weights]
    np.testing.assert_allclose(resampled_mean(values, weights), expected)


def percentile_interval(samples, *, confidence_percent):
    rule = IntervalRule(confidence_percent, minimum_subjects=2)
    return rule.interval(np.concatenate([[np.nan], samples]), sizes=Sizes([2]))


def test_the_interval_is_the_percentile_bootstrap_of_scipy():
    values = np.random.default_rng(8).gamma(2, size=40)
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", confidence_level=0.9, rng=2
    ).confidence_interval
    means = resampled_mean(values, draw_weights(40, samples=20000, seed=4))[1:]
    found = percentile_interval(means, confidence_percent=90)
    np.testing.assert_allclose(found, reference, atol=0.01)
    assert percentile_interval(2 * means + 1, confidence_percent=90) == pytest.approx(2 * np.array(found) + 1)


def test_nine_of_ten_intervals_hold_the_true_mean_of_normal_subjects():
    """The mean of 60 normals lies within 1.645 standard errors of the truth in 90 % of all experiments."""
    rng = np.random.default_rng(12)
    covered, widths = 0, []
    for experiment in range(400):
        values = rng.normal(5, 2, size=60)
        means = resampled_mean(values, draw_weights(60, samples=500, seed=experiment))[1:]
        lower, upper = percentile_interval(means, confidence_percent=90)
        covered += lower <= 5 <= upper
        widths.append(upper - lower)
    assert 0.85 < covered / 400 < 0.93
    assert np.mean(widths) == pytest.approx(2 * 1.645 * 2 / np.sqrt(60), rel=0.04)


def test_nan_is_left_out_of_an_interval_and_nothing_but_nan_has_none():
    samples = np.array([np.nan, 1.0, 2.0, 3.0, np.nan])
    assert percentile_interval(samples, confidence_percent=50) == (1.5, 2.5)
    assert np.isnan(percentile_interval(np.full(3, np.nan), confidence_percent=95)).all()
    assert np.isnan(two_sided_p(np.full(3, np.nan)))


def test_p_is_twice_the_rarer_side_and_never_0():
    assert two_sided_p(np.array([-1.0, 2, 3, 4, 5, 6, 7, 8, 9])) == pytest.approx(2 * 2 / 10)
    assert two_sided_p(np.arange(1.0, 100)) == pytest.approx(0.02)
    assert two_sided_p(np.zeros(9)) == 1
    samples = np.random.default_rng(1).normal(0.7, 1, 999)
    assert two_sided_p(samples) == two_sided_p(-samples)


def test_p_and_interval_agree():
    rng = np.random.default_rng(6)
    for shift in np.linspace(-4, 4, 33):
        samples = rng.normal(shift, 1, 1999)
        lower, upper = percentile_interval(samples, confidence_percent=95)
        assert (two_sided_p(samples) <= 0.05) == (lower > 0 or upper < 0)


def test_few_subjects_have_no_interval():
    rule = IntervalRule(confidence_percent=95, minimum_subjects=10)
    samples = np.arange(101.0)
    samples = np.concatenate([[50.0], samples])
    assert np.isnan(rule.interval(samples, sizes=Sizes([9]))).all()
    assert rule.interval(samples, sizes=Sizes([10])) == (2.5, 97.5)
    assert np.isnan(rule.interval(samples, sizes=Sizes([11, 1]))).all()
    assert np.isfinite(rule.interval(samples, sizes=Sizes([8, 2]))).all()


def test_sizes_have_the_degrees_of_freedom_of_welch():
    """For two sets of equal variance, those of Welch's t-test; its variance is that of the sets' means."""
    assert (Sizes([12]).freedom, Sizes([12]).inflation) == pytest.approx((11, 12 / 11))
    first, second = np.array([-1.0, 1] * 3), np.array([-1.0, 1] * 7)
    first, second = first / first.std(ddof=1), second / second.std(ddof=1)
    sizes = Sizes([len(first), len(second)])
    assert sizes.freedom == pytest.approx(stats.ttest_ind(first, second, equal_var=False).df)
    biased, exact = (first.var() / 6 + second.var() / 14) / 4, (1 / 6 + 1 / 14) / 4
    assert sizes.inflation == pytest.approx(exact / biased)
    assert Sizes([4, 6, 2]).freedom == pytest.approx(3.04, abs=0.01) and Sizes([3, 1]).freedom == 0


@pytest.mark.parametrize("sizes", [(4, 6, 2), (10, 10), (5, 30)])
def test_the_mean_over_small_test_sets_is_within_its_interval_in_95_percent_of_studies(sizes):
    """Percentile intervals of sets of 4, 6 and 2 subjects hold it in some 82 % of studies."""
    rng, rule, missed, percentiles_missed = np.random.default_rng(7), IntervalRule(95, 10), 0, 0
    weights = [draw_weights(size, samples=400, seed=place) / size for place, size in enumerate(sizes)]
    for _ in range(400):
        resampled = [of_set @ rng.normal(size=size) for of_set, size in zip(weights, sizes, strict=True)]
        lower, upper = rule.interval(np.mean(resampled, axis=0), sizes=Sizes(sizes))
        missed += not lower <= 0 <= upper
        low, high = np.percentile(np.mean(resampled, axis=0)[1:], [2.5, 97.5])
        percentiles_missed += not low <= 0 <= high
    # the standard error of a share of 5 % in 400 studies is 1.1 %
    assert 0.015 <= missed / 400 <= 0.08
    assert percentiles_missed > missed
    if sizes == (4, 6, 2):
        assert percentiles_missed / 400 == pytest.approx(0.18, abs=0.05)


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
