import numpy as np
import pytest
from scipy import stats

from spatial_erasing.ingest.moments import Moments

VALUES = np.random.default_rng(0).gamma(3.0, 100.0, 20_000)
BACKGROUND = np.full(5_000, 7.0)


def moments(values, *, background, pieces=1):
    gathered = Moments(background)
    for piece in np.array_split(values, pieces):
        gathered.add(piece, np.uint64(1))
    return str(gathered)


def test_the_moments_are_those_of_scipy_and_leave_out_the_background():
    count, *found = map(float, moments(np.concatenate([BACKGROUND, VALUES]), background=7.0).split())
    scaled = (VALUES - VALUES.mean()) / VALUES.std()
    assert count == len(VALUES)
    assert found == pytest.approx([stats.moment(scaled, order) for order in (3, 4, 5, 6)], rel=1e-5)


def test_a_factor_an_offset_pieces_and_counts_change_nothing():
    expected = moments(VALUES.round(), background=0.0)
    assert moments(VALUES.round(), background=0.0, pieces=7) == expected
    other = moments(0.25 * VALUES.round() - 3, background=-3.0)
    assert [*map(float, other.split())] == pytest.approx([*map(float, expected.split())], rel=1e-5)
    counted = Moments(0.0)
    counted.add(*np.unique(VALUES.round(), return_counts=True))
    assert str(counted) == expected


@pytest.mark.parametrize("values", [VALUES[:9_999], np.full(20_000, 1e300), np.full(20_000, np.nan)])
def test_few_voxels_and_no_numbers_have_no_moments(values):
    with np.errstate(all="ignore"):
        assert moments(values, background=0.0) == ""
