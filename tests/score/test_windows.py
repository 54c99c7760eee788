import numpy as np
import pytest
from scipy import ndimage

from spatial_erasing.score.windows import gaussian_weights, smooth

VOLUME = np.random.default_rng(2).random((2, 9, 8, 7))


@pytest.mark.parametrize("size", [1, 3, 5])
def test_equal_weights_are_the_uniform_filter_of_scipy(size):
    expected = [ndimage.uniform_filter(volume, size, mode="nearest") for volume in VOLUME]
    np.testing.assert_allclose(smooth(VOLUME, np.full(size, 1 / size)), expected, atol=1e-12)


@pytest.mark.parametrize("deviation", [0.7, 1, 1.5])
def test_gaussian_weights_are_the_gaussian_filter_of_scipy(deviation):
    expected = [ndimage.gaussian_filter(volume, deviation, mode="nearest") for volume in VOLUME]
    np.testing.assert_allclose(smooth(VOLUME, gaussian_weights(deviation)), expected, atol=1e-12)


def test_a_constant_stays_and_no_deviation_changes_nothing():
    np.testing.assert_allclose(smooth(np.full((4, 5, 6), 3.0), gaussian_weights(2)), 3.0)
    np.testing.assert_array_equal(smooth(VOLUME, gaussian_weights(0)), VOLUME)
