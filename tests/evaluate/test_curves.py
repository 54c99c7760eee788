import json

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, f1_score
from sklearn.metrics import precision_recall_curve as sklearn_curve

from spatial_erasing.evaluate.counts import ScoreCounts, count_scores
from spatial_erasing.evaluate.curves import (
    average_precision,
    average_precision_of_groups,
    best_dice,
    dice_at,
    dice_curve,
    dice_curve_points,
    precision_recall_curve,
    predicted_voxels,
    trapezoid_area,
)


@pytest.fixture(
    params=["continuous", "tied", "mostly zero", "two values", "one value", "all lesion", "perfect"]
)
def score_and_lesion(request):
    rng = np.random.default_rng(7)
    lesion = rng.random((16, 16, 16)) < 0.05
    score = np.abs(lesion + rng.normal(scale=0.7, size=lesion.shape))
    score, lesion = {
        "continuous": (score, lesion),
        "tied": (score.round(1), lesion),
        "mostly zero": (score * (rng.random(lesion.shape) < 0.2), lesion),
        "two values": (score > 0.8, lesion),
        "one value": (0 * score + 0.25, lesion),
        "all lesion": (score, lesion | True),
        "perfect": (lesion * (1 + score), lesion),
    }[request.param]
    return score.astype(np.float16), lesion


@pytest.fixture
def no_lesion():
    return count_scores(np.array([0, 0.5, 0.5, 1], np.float16), np.zeros(4, bool))


def flat(score_and_lesion):
    score, lesion = score_and_lesion
    return lesion.ravel(), score.ravel().astype(np.float64)


def test_precision_recall_curve_is_that_of_sklearn(score_and_lesion):
    ours = precision_recall_curve(count_scores(*score_and_lesion))
    for found, expected in zip(ours, sklearn_curve(*flat(score_and_lesion)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_average_precision_is_that_of_sklearn(score_and_lesion):
    expected = average_precision_score(*flat(score_and_lesion))
    assert average_precision(count_scores(*score_and_lesion)) == pytest.approx(expected, abs=1e-9)


def test_trapezoid_area_is_auc_of_sklearn(score_and_lesion):
    precision, recall, _ = sklearn_curve(*flat(score_and_lesion))
    assert trapezoid_area(count_scores(*score_and_lesion)) == pytest.approx(auc(recall, precision), abs=1e-9)


def test_average_precision_of_a_ranking_by_hand():
    # descending: lesion, normal, (lesion + normal tied), lesion -> 1/3 * (1/1 + 2/4 + 3/5)
    score = np.array([0.9, 0.8, 0.5, 0.5, 0.1], np.float16)
    lesion = np.array([1, 0, 1, 0, 1], bool)
    assert average_precision(count_scores(score, lesion)) == pytest.approx((1 + 1 / 2 + 3 / 5) / 3, abs=1e-15)


@pytest.mark.parametrize("rescale", [np.sqrt, np.square, lambda score: 3 * score])
def test_areas_and_best_dice_ignore_monotone_rescaling(rescale):
    rng = np.random.default_rng(1)
    score, lesion = np.abs(rng.normal(size=4000)).round(1).astype(np.float16), rng.random(4000) < 0.1
    rescaled = rescale(score)
    assert len(np.unique(score)) == len(np.unique(rescaled))
    before, after = count_scores(score, lesion), count_scores(rescaled, lesion)
    assert average_precision(after) == average_precision(before)
    assert trapezoid_area(after) == trapezoid_area(before)
    assert best_dice(after)[0] == best_dice(before)[0]


def test_average_precision_of_groups_skips_empty_groups():
    full = average_precision_of_groups(np.array([1, 2]), np.array([5, 3]))
    assert average_precision_of_groups(np.array([0, 1, 0, 2, 0]), np.array([0, 5, 0, 3, 0])) == full


def test_dice_curve_is_the_f1_score_of_sklearn(score_and_lesion):
    lesion, score = flat(score_and_lesion)
    thresholds, dice = dice_curve(count_scores(*score_and_lesion))
    np.testing.assert_array_equal(thresholds, np.unique(score))
    for place in np.linspace(0, len(thresholds) - 1, 9).astype(int):
        expected = f1_score(lesion, score >= thresholds[place])
        assert dice[place] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 1e-9, 0.1, 0.25, 0.7003, 1 / 3, 2.0, 65504.0, 1e9, np.inf])
def test_dice_at_any_threshold_is_the_f1_score_of_sklearn(score_and_lesion, threshold):
    lesion, score = flat(score_and_lesion)
    counts = count_scores(*score_and_lesion)
    expected = f1_score(lesion, score >= threshold)
    assert dice_at(counts, threshold) == pytest.approx(expected, abs=1e-12)
    assert predicted_voxels(counts, threshold) == (score >= threshold).sum()


def test_dice_at_does_not_round_the_threshold_to_float16():
    score = np.array([0.1], np.float16)  # the float16 next to 0.1 is 0.0999756
    counts = count_scores(score, np.array([True]))
    assert dice_at(counts, 0.1) == 0 and dice_at(counts, float(score[0])) == 1


def test_best_dice_is_the_best_f1_of_sklearn(score_and_lesion):
    precision, recall, thresholds = sklearn_curve(*flat(score_and_lesion))
    f1 = (2 * precision * recall / (precision + recall + 1e-300))[:-1]
    dice, threshold = best_dice(count_scores(*score_and_lesion))
    assert dice == pytest.approx(f1.max(), abs=1e-12)
    assert f1[thresholds == threshold] == pytest.approx(f1.max(), abs=1e-12)


def test_best_dice_takes_the_lowest_of_equal_thresholds():
    score = np.array([0.75, 0.5, 0.25, 0.125], np.float16)
    counts = count_scores(score, np.array([1, 0, 0, 1], bool))  # Dice 2/3 at 0.75 and at 0.125
    assert best_dice(counts) == (pytest.approx(2 / 3), 0.125)


@pytest.mark.parametrize("points", [2, 16, 512])
def test_thinned_curve_keeps_ends_and_optimum_and_stays_exact(score_and_lesion, points):
    counts = count_scores(*score_and_lesion)
    thresholds, dice = dice_curve(counts)
    curve = json.loads(json.dumps(dice_curve_points(counts, points=points)))
    exact = dict(zip(thresholds, dice, strict=True))
    assert len(curve["threshold"]) <= points + 1
    assert [exact[threshold] for threshold in curve["threshold"]] == curve["dice"]
    assert curve["threshold"] == sorted(set(curve["threshold"]))
    assert {thresholds[0], thresholds[-1], best_dice(counts)[1]} <= set(curve["threshold"])


def test_short_curve_is_stored_whole():
    counts = count_scores(np.array([0.5, 0.25, 0], np.float16), np.array([1, 0, 0], bool))
    assert dice_curve_points(counts) == {"threshold": [0, 0.25, 0.5], "dice": [0.5, pytest.approx(2 / 3), 1]}


@pytest.mark.filterwarnings("error")
def test_without_lesion_every_number_is_nan(no_lesion):
    assert np.isnan(average_precision(no_lesion)) and np.isnan(trapezoid_area(no_lesion))
    assert np.isnan(dice_at(no_lesion, 0.5)) and np.isnan(dice_at(no_lesion, 9.0))
    assert np.isnan(best_dice(no_lesion)).all()
    assert np.isnan(dice_curve(no_lesion)[1]).all()
    assert dice_curve_points(no_lesion) == {"threshold": [], "dice": []}


@pytest.mark.filterwarnings("error")
def test_without_any_voxel_every_number_is_nan():
    empty = ScoreCounts.empty()
    assert np.isnan([average_precision(empty), trapezoid_area(empty), *best_dice(empty)]).all()
    assert dice_curve_points(empty) == {"threshold": [], "dice": []}


def test_a_threshold_that_is_no_number_is_an_error(no_lesion):
    with pytest.raises(ValueError, match="threshold is NaN"):
        dice_at(no_lesion, float("nan"))
