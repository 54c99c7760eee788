import json
from dataclasses import asdict

import numpy as np
import pytest

from spatial_erasing.evaluate.counts import count_scores
from spatial_erasing.evaluate.curves import best_dice, dice_at
from spatial_erasing.threshold.search import greedy_threshold


def search_by_masks(score, lesion, lower, upper, iterations):
    """The paper's search written apart: recursion, masks instead of counts. Returns all points in order."""
    if iterations == 0:
        return []
    middle = (lower + upper) / 2
    points = [(lower + middle) / 2, (middle + upper) / 2]
    masks = [score.astype(np.float64) >= point for point in points]
    low, high = (2 * (mask & lesion).sum() / (mask.sum() + lesion.sum()) for mask in masks)
    half = (middle, upper) if high > low else (lower, middle)
    return [
        (points[0], low),
        (points[1], high),
        *search_by_masks(score, lesion, *half, iterations - 1),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_search_equals_one_with_masks(seed):
    rng = np.random.default_rng(seed)
    lesion = rng.random(3000) < 0.1
    score = np.abs(rng.normal(scale=0.05 + 0.1 * seed, size=3000) + 0.3 * lesion).astype(np.float16)
    counts = count_scores(score, lesion)

    search = greedy_threshold(lambda threshold: dice_at(counts, threshold))

    points = search_by_masks(score, lesion, 0.0, 1.0, 10)
    visited = [(s.lower_quartile, s.lower_dice, s.upper_quartile, s.upper_dice) for s in search.path]
    np.testing.assert_allclose(np.ravel(visited), np.ravel(points), rtol=0, atol=1e-12)
    assert search.dice == pytest.approx(max(dice for _, dice in points), abs=1e-12)
    assert search.dice == dice_at(counts, search.threshold) <= best_dice(counts)[0]


def test_ties_go_down_where_all_residuals_lie_low():
    # All residuals are at most 0.24: at first both quartiles predict nothing and both Dice are 0.
    score = np.array([0.24, 0.20, 0.10, 0.05, 0.12, 0.08, 0, 0, 0, 0], np.float16)
    counts = count_scores(score, np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool))

    search = greedy_threshold(lambda threshold: dice_at(counts, threshold), iterations=4)

    by_hand = [  # interval, Dice at its lower and upper quartile
        (0, 1, 0, 0),
        (0, 0.5, 2 * 2 / (2 + 4), 0),
        (0, 0.25, 2 * 3 / (5 + 4), 2 * 2 / (2 + 4)),  # equal: down again
        (0, 0.125, 2 * 4 / (6 + 4), 2 * 3 / (4 + 4)),
    ]
    found = [(step.lower, step.upper, step.lower_dice, step.upper_dice) for step in search.path]
    assert found == [pytest.approx(step) for step in by_hand]
    assert {step.kept for step in search.path} == {"lower"}
    assert (search.threshold, search.dice) == (0.03125, 0.8)


def test_greedy_misses_the_higher_of_two_peaks():
    # A narrow, higher peak at 0.95 that neither first quartile sees, a broad one at 0.2 that they do.
    def two_peaks(threshold):
        return max(0.937 - abs(threshold - 0.2), 0.998 if 0.94 < threshold < 0.96 else 0)

    search = greedy_threshold(two_peaks)

    assert search.dice == pytest.approx(0.937, abs=1e-3)
    assert search.dice < max(two_peaks(threshold) for threshold in np.linspace(0, 1, 1001)) == 0.998


def test_best_point_is_returned_even_if_the_search_walks_away_from_it():
    dice = {0.25: 0.9, 0.75: 0.1}  # all later points are worse
    search = greedy_threshold(lambda threshold: dice.get(threshold, 0.3))
    assert (search.threshold, search.dice) == (0.25, 0.9)


def test_first_of_equal_points_is_returned():
    assert greedy_threshold(lambda threshold: 0.5).threshold == 0.25
    assert greedy_threshold(lambda threshold: min(threshold, 0.7)).threshold == 0.75


@pytest.mark.parametrize("peak", [0.0371, 0.2501, 0.5, 0.613, 0.999])
def test_single_peak_is_found_within_the_last_interval(peak):
    search = greedy_threshold(lambda threshold: 1 - abs(threshold - peak))
    assert abs(search.threshold - peak) <= 2**-11
    assert (search.path[-1].upper - search.path[-1].lower) == 2**-9


def test_path_halves_the_interval_ten_times_and_looks_at_twenty_points():
    asked = []
    search = greedy_threshold(lambda threshold: asked.append(threshold) or 1 - abs(threshold - 0.6))
    assert len(search.path) == 10 and len(asked) == 20
    assert asked == [point for step in search.path for point in (step.lower_quartile, step.upper_quartile)]
    for step, following in zip(search.path, search.path[1:], strict=False):
        middle = (step.lower + step.upper) / 2
        half = (step.lower, middle) if step.kept == "lower" else (middle, step.upper)
        assert (following.lower, following.upper) == half


def test_search_scales_with_its_interval():
    small = greedy_threshold(lambda threshold: 1 - abs(threshold - 0.3))
    large = greedy_threshold(lambda threshold: 1 - abs(threshold / 8 - 0.3), upper=8.0)
    assert large.threshold == 8 * small.threshold and large.dice == small.dice


def test_search_fits_into_json():
    search = greedy_threshold(lambda threshold: np.float64(1 - threshold), iterations=3)
    stored = json.loads(json.dumps(asdict(search)))
    assert stored["threshold"] == search.threshold and len(stored["path"]) == 3
    assert stored["path"][0]["kept"] == "lower"


def test_a_split_without_lesion_is_an_error():
    counts = count_scores(np.zeros(4, np.float16), np.zeros(4, bool))
    with pytest.raises(ValueError, match="no lesion voxel"):
        greedy_threshold(lambda threshold: dice_at(counts, threshold))


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"lower": 1.0}, {"upper": -1.0}, {"upper": np.nan}])
def test_an_impossible_search_is_an_error(wrong):
    with pytest.raises(ValueError, match="cannot search"):
        greedy_threshold(lambda threshold: 0.5, **wrong)
