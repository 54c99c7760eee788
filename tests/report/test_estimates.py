import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from paper_study import METHODS

from spatial_erasing.report.estimates import (
    Estimate,
    Intervals,
    draw_estimate,
    limits_around,
    seeds_note,
)

WANTED = {"model": "3d-none", "metric": "average_precision", "fraction_percent": 20}
NONE = (np.nan, np.nan)


@pytest.fixture
def intervals():
    """The wanted row among rows that differ from it in one column each."""
    right = WANTED | {"cohort": "all", "lower": 0.2, "upper": 0.3, "seeds": 3}
    right |= {"value": 0.25, "lowest_seed": 0.22, "highest_seed": 0.27}
    others = [
        {"model": "2d-none"},
        {"metric": "dice_dataset"},
        {"fraction_percent": 100},
        {"cohort": "brats"},
    ]
    rows = pd.DataFrame([*({**right, **other, "value": 0.9} for other in others), right])
    return Intervals(rows, confidence_percent=90)


def test_estimate_is_that_of_model_metric_share_and_all_cohorts_in_percent(intervals):
    found = intervals.estimate(**WANTED)
    assert (found.mean, found.lowest, found.highest) == pytest.approx((25, 22, 27)) and found.seeds == 3
    assert found.interval == pytest.approx((20, 30))


@pytest.mark.parametrize("times", [0, 2])
def test_a_number_that_is_not_there_once_is_refused(intervals, times):
    rows = pd.concat([intervals.rows.iloc[:-1], *[intervals.rows.tail(1)] * times])
    with pytest.raises(ValueError, match=rf"average_precision of 3d-none \(20 % .* {times} times; .* once"):
        Intervals(rows, confidence_percent=90).estimate(**WANTED)


@pytest.mark.parametrize("horizontal", [False, True])
def test_marker_is_the_mean_bar_the_seeds_and_whiskers_the_interval(horizontal):
    panel = Figure().add_subplot()
    estimate = Estimate(24, 21, 26, 3, (18, 30))
    draw_estimate(panel, estimate, 7, method=METHODS["3d-none"], horizontal=horizontal)
    scores, places = (0, 1) if horizontal else (1, 0)
    lines = [line.get_data() for line in panel.lines]
    assert [list(line[scores]) for line in lines] == [[18, 30], [21, 26], [pytest.approx(24)]]
    assert [list(line[places]) for line in lines] == [[7, 7], [7, 7], [7]]


def test_one_seed_without_interval_is_a_marker_alone():
    panel = Figure().add_subplot()
    draw_estimate(panel, Estimate(21, 21, 21, 1, NONE), 7, method=METHODS["3d-none"])
    assert [list(line.get_ydata()) for line in panel.lines] == [[21]]


def test_what_is_no_number_has_no_mark():
    assert Estimate(np.nan, 21, np.nan, 2, (20, 25)).drawn == [21, 20, 25]
    assert Estimate(np.nan, np.nan, np.nan, 1, NONE).drawn == []


@pytest.mark.parametrize("values", [[3, 8, 5], [4], []])
def test_limits_hold_all_values(values):
    low, high = limits_around(values)
    assert all(low < value < high for value in values) and low < high


@pytest.mark.parametrize(
    "seeds, interval, note",
    [
        ((1, 1), NONE, "One seed."),
        ((2, 2), NONE, "Markers: mean of 2 seeds; thick bars: lowest to highest seed."),
        ((1, 2), NONE, "Markers: mean of 1 to 2 seeds; thick bars: lowest to highest"),
        ((1, 1), (0, 2), "One seed. Thin whiskers: 90 % interval over test subjects."),
    ],
)
def test_note_says_what_is_drawn(seeds, interval, note):
    estimates = [Estimate(1, 1, 2, seeds[0], NONE), Estimate(1, 1, 2, seeds[1], interval)]
    found = seeds_note(iter(estimates), confidence_percent=90)
    assert found.startswith(note) and ("90 % interval" in found) == (interval != NONE)


@pytest.mark.parametrize("confidence_percent, printed", [(95, "95 %"), (99.5, "99.5 %"), (50, "50 %")])
def test_note_prints_the_confidence_that_was_evaluated(confidence_percent, printed):
    note = seeds_note([Estimate(1, 1, 1, 1, (0, 2))], confidence_percent=confidence_percent)
    assert note.endswith(f"Thin whiskers: {printed} interval over test subjects.")
