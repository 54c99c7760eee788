import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from paper_study import METHODS

from spatial_erasing.report.estimates import (
    Estimate,
    Intervals,
    draw_estimate,
    find_interval,
    limits_around,
    seeds_note,
)

WANTED = {"model": "3d-none", "metric": "average_precision", "fraction_percent": 20}


@pytest.fixture
def intervals():
    """The wanted row among rows that differ from it in one column each."""
    right = WANTED | {"cohort": "all", "lower": 0.2, "upper": 0.3}
    others = [
        {"model": "2d-none"},
        {"metric": "dice_dataset"},
        {"fraction_percent": 100},
        {"cohort": "brats"},
    ]
    rows = pd.DataFrame([*({**right, **other, "lower": 0.9} for other in others), right])
    return Intervals(rows, confidence_percent=90)


def test_interval_is_that_of_model_metric_share_and_all_cohorts_in_percent(intervals):
    assert find_interval(intervals, **WANTED) == pytest.approx((20, 30))


def test_interval_that_nobody_computed_is_none(intervals):
    assert find_interval(None, **WANTED) is None
    assert find_interval(intervals, **(WANTED | {"model": "3d-cube-zero"})) is None


def test_two_intervals_of_the_same_are_refused(intervals):
    twice = Intervals(pd.concat([intervals.rows, intervals.rows.tail(1)]), confidence_percent=90)
    with pytest.raises(ValueError, match=r"average_precision of 3d-none .* 2 times; expected it once"):
        find_interval(twice, **WANTED)


@pytest.mark.parametrize("horizontal", [False, True])
def test_marker_is_the_mean_bar_the_seeds_and_whiskers_the_interval(horizontal):
    panel = Figure().add_subplot()
    draw_estimate(
        panel, Estimate((21, 26, 25), (18, 30)), 7, method=METHODS["3d-none"], horizontal=horizontal
    )
    scores, places = (0, 1) if horizontal else (1, 0)
    lines = [line.get_data() for line in panel.lines]
    assert [list(line[scores]) for line in lines] == [[18, 30], [21, 26], [pytest.approx(24)]]
    assert [list(line[places]) for line in lines] == [[7, 7], [7, 7], [7]]


def test_one_seed_without_interval_is_a_marker_alone():
    panel = Figure().add_subplot()
    draw_estimate(panel, Estimate((21,)), 7, method=METHODS["3d-none"])
    assert [list(line.get_ydata()) for line in panel.lines] == [[21]]


def test_mean_of_a_seed_without_value_is_none():
    estimate = Estimate((21, np.nan), (20, 25))
    assert np.isnan(estimate.mean)
    assert estimate.drawn == (21, 20, 25)


@pytest.mark.parametrize("values", [[3, 8, 5], [4], []])
def test_limits_hold_all_values(values):
    low, high = limits_around(values)
    assert all(low < value < high for value in values) and low < high


@pytest.mark.parametrize(
    "estimates, note",
    [
        ([Estimate((1,)), Estimate((2,))], "One seed."),
        (
            [Estimate((1, 2)), Estimate((2, 3))],
            "Markers: mean of 2 seeds; thick bars: lowest to highest seed.",
        ),
        ([Estimate((1,)), Estimate((2, 3))], "Markers: mean of 1 to 2 seeds; thick bars: lowest to highest"),
        (
            [Estimate((1,), (0, 2)), Estimate((1,))],
            "One seed. Thin whiskers: 90 % interval over test subjects.",
        ),
    ],
)
def test_note_says_what_is_drawn(estimates, note, intervals):
    found = seeds_note(iter(estimates), intervals=intervals)
    assert found.startswith(note)
    assert ("90 % interval" in found) == any(estimate.interval for estimate in estimates)


@pytest.mark.parametrize("confidence_percent, printed", [(95, "95 %"), (99.5, "99.5 %"), (50, "50 %")])
def test_note_prints_the_confidence_that_was_evaluated(confidence_percent, printed):
    intervals = Intervals(pd.DataFrame(), confidence_percent)
    note = seeds_note([Estimate((1,), (0, 2))], intervals=intervals)
    assert note.endswith(f"Thin whiskers: {printed} interval over test subjects.")
