import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator, interp1d

from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap, through_knots

rising = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=8).map(lambda values: sorted(set(values)))


@settings(deadline=None)
@given(before=rising, seed=st.integers(0, 99), exponent=st.floats(0.2, 5))
def test_a_map_is_monotone_keeps_0_and_stays_in_the_unit_range(before, seed, exponent):
    after = np.sort(np.random.default_rng(seed).random(len(before)))
    mapped = IntensityMap(through_knots(before, after).knots, exponent)(np.linspace(0, 1, 500))
    assert mapped[0] == 0 and mapped.dtype == np.float32
    assert (np.diff(mapped) >= 0).all() and mapped.min() >= 0 and mapped.max() <= 1


def test_the_linear_pieces_are_those_of_scipy():
    before, after = [0.2, 0.5, 0.8], [0.1, 0.6, 0.7]
    places = np.linspace(0, 1, 301)
    expected = interp1d([0, *before, 1], [0, *after, 1])(places)
    assert np.abs(through_knots(before, after)(places) - expected).max() < 1e-6
    assert np.abs(PchipInterpolator([0, *before, 1], [0, *after, 1])(places) - expected).max() > 0.01


def test_equal_intensities_before_make_one_knot():
    found = through_knots([0.0, 0.3, 0.3, 0.6, 1.0], [0.1, 0.2, 0.4, 0.5, 0.9])
    assert found.knots == ((0.0, 0.0), (0.3, 0.2), (0.6, 0.5), (1.0, 1.0))


@pytest.mark.parametrize(
    ("knots", "exponent"),
    [
        (((0, 0), (0.5, 0.6), (0.4, 0.7)), 1),
        (((0, 0), (0.5, 0.6), (0.7, 0.5)), 1),
        (((0, 0.1), (1, 1)), 1),
        (((0, 0), (1, 1)), 0),
        (((0, 0), (1, 1)), -2),
    ],
    ids=["x falls", "y falls", "0 moves", "exponent 0", "exponent below 0"],
)
def test_a_map_that_is_not_monotone_from_0_is_refused(knots, exponent):
    with pytest.raises(ValueError, match="is not monotone"):
        IntensityMap(knots, exponent)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (IntensityMap(), "unchanged"),
        (IntensityMap(exponent=1.5234567), "power 1.523"),
        (IntensityMap(exponent=1.5234567, upper_exponent=0.9), "power 1.523, upper power 0.9"),
        (through_knots([0.25], [0.5]), "0.25>0.5 1>1"),
    ],
)
def test_a_map_reads_as_a_table_cell(found, words):
    assert str(found) == words
