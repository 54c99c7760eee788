"""The rule that judges a claim: its errors, its power, and its cases."""

import numpy as np
import pytest
from scipy import stats

from spatial_erasing.evaluate.bootstrap import IntervalRule, Sizes, draw_weights, simultaneous_intervals
from spatial_erasing.evaluate.verdicts import (
    ClaimIntervals,
    claim_intervals,
    signs_of_points,
    verdict_of_intervals,
)

RULE = IntervalRule(confidence_percent=95, minimum_subjects=10)
PARTS = 72  # of the claim "erasing-helps"
NAN = float("nan")


def verdicts(*, subjects, correlation, effects=0.0, runs=200):
    """Share of each verdict over simulated studies of equally correlated, normal differences.

    Args:
        effects: true differences in standard errors, one number or one a part.
    """
    rng, found = np.random.default_rng(subjects), []
    weights = draw_weights(subjects, samples=400, seed=0) / subjects
    for run in range(runs):
        shared, own = rng.normal(size=(subjects, 1)), rng.normal(size=(subjects, PARTS))
        differences = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
        samples = weights @ (differences + np.asarray(effects) / np.sqrt(subjects))
        intervals = claim_intervals(list(samples.T), sizes=[Sizes([subjects])] * PARTS, rule=RULE, seed=run)
        found.append(verdict_of_intervals(intervals, parts=PARTS))
    return {verdict: found.count(verdict) / runs for verdict in ("holds", "does not hold", "undecided")}


def test_equal_models_are_told_apart_in_at_most_five_percent_of_studies():
    settings = [(subjects, correlation) for subjects in (10, 25, 100) for correlation in (0.5, 0.8)]
    found = [verdicts(subjects=subjects, correlation=correlation) for subjects, correlation in settings]
    wrong = [1 - shares["undecided"] for shares in found]
    assert np.mean(wrong) <= 0.05, found
    # the standard error of a share of 5 % in 200 studies is 1.5 %
    assert max(wrong) <= 0.08, found
    assert np.mean([shares["holds"] for shares in found]) <= 0.02
    assert np.mean([shares["does not hold"] for shares in found]) <= 0.0375


@pytest.mark.parametrize(
    "subjects, correlation, power", [(100, 0.5, 0.97), (100, 0.8, 0.86), (10, 0.8, 0.75)]
)
def test_true_effects_of_three_standard_errors_are_found(subjects, correlation, power):
    shares = verdicts(subjects=subjects, correlation=correlation, effects=3.0)
    assert shares["holds"] == pytest.approx(power, abs=0.07) and shares["does not hold"] == 0, shares


def test_one_part_that_is_truly_below_0_refutes_a_claim_that_is_true_on_the_average():
    effects = np.array([-6.0, *np.full(PARTS - 1, 3.0)])
    assert verdicts(subjects=100, correlation=0.5, effects=effects)["does not hold"] >= 0.95


def sizes_of(subjects):
    return [Sizes([of_part]) for of_part in subjects]


def intervals_of(samples, subjects, rule=RULE):
    return np.array(simultaneous_intervals(samples, sizes=sizes_of(subjects), rule=rule, seed=1))


def resampled_means(values, *, samples=4000):
    return draw_weights(len(values), samples=samples, seed=3) @ values / len(values)


@pytest.mark.parametrize("subjects", [10, 30, 200])
def test_a_single_normal_part_has_the_interval_of_student_s_t(subjects):
    values = np.random.default_rng(subjects).normal(0.3, 1, size=(subjects, 1))
    lower, upper = intervals_of(resampled_means(values), [subjects])
    expected = stats.ttest_1samp(values[:, 0], 0).confidence_interval(0.95)
    width = expected.high - expected.low
    np.testing.assert_allclose([lower[0], upper[0]], expected, atol=0.05 * width)


@pytest.mark.parametrize("parts", [1, 6, 72])
def test_independent_parts_have_the_quantile_of_sidak(parts):
    samples = np.vstack([np.zeros(parts), np.random.default_rng(0).normal(size=(20_000, parts))])
    lower, upper = intervals_of(samples, [10**6] * parts)
    quantile = stats.norm.ppf((1 + 0.95 ** (1 / parts)) / 2)
    np.testing.assert_allclose((upper - lower) / 2 / samples[1:].std(axis=0), quantile, rtol=0.03)


def test_equal_parts_need_no_correction_and_different_ones_do():
    own = np.random.default_rng(1).normal(size=(2001, 6))
    one = intervals_of(own[:, :1], [10**6])[1] - own[0, 0]
    same = intervals_of(own[:, [0] * 6], [10**6] * 6)[1] - own[0, 0]
    different = intervals_of(own, [10**6] * 6)[1] - own[0]
    np.testing.assert_allclose(same, one[0], rtol=0.01)
    assert (different > 1.2 * one[0]).all()


def test_intervals_follow_shift_and_scale_of_each_part():
    samples = np.random.default_rng(2).normal(size=(1001, 3))
    scale, shift = np.array([1, 0.01, 30]), np.array([0, 5, -2])
    plain, moved = intervals_of(samples, [40] * 3), intervals_of(samples * scale + shift, [40] * 3)
    np.testing.assert_allclose(moved, plain * scale + shift)


def test_parts_of_few_subjects_or_without_spread_have_no_interval_and_widen_no_other():
    samples = np.random.default_rng(3).normal(size=(1001, 4))
    samples[:, 1] = -0.2
    found = intervals_of(samples, [40, 40, 9, 10])
    assert np.isnan(found[:, [1, 2]]).all() and np.isfinite(found[:, [0, 3]]).all()
    np.testing.assert_allclose(found[:, [0, 3]], intervals_of(samples[:, [0, 3]], [40, 10]))


def test_resamples_without_a_number_are_left_out():
    samples = np.random.default_rng(4).normal(size=(1001, 2))
    samples[5::10, 0] = np.nan
    assert np.isfinite(intervals_of(samples, [40, 40])).all()


def test_a_resample_without_a_number_does_not_narrow_the_interval():
    samples = np.random.default_rng(4).normal(size=(4001, 2))
    samples[0], samples[5::5] = 0, np.nan
    left = samples[np.isfinite(samples[:, 0])]
    quantile = stats.norm.ppf((1 + np.sqrt(0.95)) / 2)
    for given in (samples, left):
        lower, upper = intervals_of(given, [10**6] * 2)
        np.testing.assert_allclose((upper - lower) / 2 / left[1:].std(axis=0), quantile, rtol=0.03)
    samples[3::7, 1] = np.nan  # the mean counts resamples in which both parts have a number
    both = samples[np.isfinite(samples).all(axis=1)]
    means = [
        claim_intervals(list(given.T), sizes=sizes_of([10**6] * 2), rule=RULE, seed=1).mean
        for given in (samples, both)
    ]
    np.testing.assert_allclose(*means, rtol=0.03)


def test_too_few_resamples_for_the_confidence_give_no_interval():
    samples = np.random.default_rng(5).normal(size=(101, 2))
    assert np.isnan(intervals_of(samples, [40, 40], IntervalRule(99.5, 10))).all()
    assert np.isfinite(intervals_of(samples, [40, 40], IntervalRule(99, 10))).all()


def test_the_mean_has_an_interval_only_if_all_its_parts_have_enough_subjects():
    samples = list(np.random.default_rng(6).normal(size=(2, 1001)))
    assert np.isnan(claim_intervals(samples, sizes=sizes_of([40, 9]), rule=RULE, seed=1).mean).all()
    intervals = claim_intervals(samples, sizes=sizes_of([40, 10]), rule=RULE, seed=1)
    assert intervals.mean[0] < np.mean([part[0] for part in samples]) < intervals.mean[1]
    assert claim_intervals([], sizes=[], rule=RULE, seed=1).lower.size == 0


def test_the_mean_of_one_part_is_less_certain_than_the_part_as_it_has_half_of_the_error():
    (samples,) = np.random.default_rng(7).normal(size=(1, 4001))
    intervals = claim_intervals([samples], sizes=sizes_of([10**6]), rule=RULE, seed=1)
    ratio = (intervals.mean[1] - samples[0]) / (intervals.upper[0] - samples[0])
    assert ratio == pytest.approx(stats.norm.ppf(0.9875) / stats.norm.ppf(0.975), rel=0.03)


@pytest.mark.parametrize(
    "mean, lower, upper, parts, expected",
    [
        ((0.1, 0.3), [0.1, 0.2], [0.3, 0.4], 2, "holds"),
        ((0.1, 0.3), [-0.1, -0.2], [0.3, 0.4], 2, "holds"),  # no single part is sure, the mean is
        ((-0.1, 0.3), [0.1, 0.2], [0.3, 0.4], 2, "undecided"),
        ((0.1, 0.3), [0.1, -0.4], [0.3, -0.1], 2, "does not hold"),  # by a part
        ((-0.3, -0.1), [-0.4, -0.4], [0.3, 0.1], 2, "does not hold"),  # by the mean
        ((0.1, 0.3), [0.1], [0.3], 2, "undecided"),  # the other part was not run
        ((-0.4, -0.3), [-0.5], [0.1], 2, "does not hold"),
        ((NAN, NAN), [0.1, NAN], [0.3, NAN], 2, "undecided"),  # too few subjects for an interval
        ((NAN, NAN), [-0.2, NAN], [-0.1, NAN], 2, "does not hold"),
        ((0.0, 0.3), [0.0], [0.3], 1, "undecided"),
        ((-0.3, 0.0), [-0.3], [0.0], 1, "undecided"),
        ((NAN, NAN), [], [], 2, "not run"),
    ],
)
def test_a_verdict_follows_from_the_mean_and_from_parts_below_0(mean, lower, upper, parts, expected):
    intervals = ClaimIntervals(np.array(lower), np.array(upper), mean)
    assert verdict_of_intervals(intervals, parts=parts) == expected


@pytest.mark.parametrize(
    "differences, expected",
    [([0.1, 2], "all"), ([0.1, -2], "some"), ([0.1, 0], "some"), ([-1, 0], "none"), ([], "not run")],
)
def test_numbers_alone_say_all_some_or_none(differences, expected):
    assert signs_of_points(differences) == expected
