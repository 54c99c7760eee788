import numpy as np
import pytest
from scipy.optimize import brentq
from skimage.exposure import adjust_gamma

from spatial_erasing.preprocess.standardise.median import to_median


@pytest.mark.parametrize("target", [0.3, 0.5, 0.7])
def test_the_exponent_is_the_root_that_a_solver_finds(target):
    values = np.random.default_rng(2).beta(2, 3, 5001)
    expected = brentq(lambda exponent: np.median(values**exponent) - target, 0.01, 20)
    found = to_median(values, target)
    assert found.exponent == pytest.approx(expected, rel=1e-6)
    assert np.abs(found(values) - adjust_gamma(values, expected)).max() < 1e-5
    assert np.median(found(values)) == pytest.approx(target, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_median_at_an_end_is_refused(value):
    with pytest.raises(ValueError, match=f"median of the brain's intensities is {value:g}"):
        to_median(np.full(9, value), 0.5)
