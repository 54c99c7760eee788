import pytest

from spatial_erasing.evaluate.verdicts import verdict_of_intervals, verdict_of_points


@pytest.mark.parametrize(
    "lower, upper, parts, expected",
    [
        ([0.1, 0.2], [0.3, 0.4], 2, "holds"),
        ([0.1, -0.1], [0.3, 0.4], 2, "undecided"),
        ([0.1, -0.4], [0.3, -0.1], 2, "does not hold"),
        ([-0.1, -0.2], [0.3, 0.4], 2, "undecided"),
        ([0.1], [0.3], 2, "undecided"),  # the other part was not run
        ([-0.4], [-0.3], 2, "does not hold"),
        ([0.1, float("nan")], [0.3, float("nan")], 2, "undecided"),  # too few subjects for an interval
        ([0.0], [0.3], 1, "undecided"),
        ([-0.3], [0.0], 1, "undecided"),
        ([], [], 2, "not run"),
    ],
)
def test_a_claim_holds_with_all_its_intervals_and_falls_with_one(lower, upper, parts, expected):
    assert verdict_of_intervals(lower, upper, parts=parts) == expected


@pytest.mark.parametrize(
    "differences, expected",
    [([0.1, 2], "all"), ([0.1, -2], "some"), ([0.1, 0], "some"), ([-1, 0], "none"), ([], "not run")],
)
def test_numbers_alone_say_all_some_or_none(differences, expected):
    assert verdict_of_points(differences) == expected
