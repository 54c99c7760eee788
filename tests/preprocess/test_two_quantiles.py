import numpy as np
import pytest
from scipy.optimize import fsolve

from spatial_erasing.preprocess.standardise.median import to_median
from spatial_erasing.preprocess.standardise.two_quantiles import to_two_quantiles


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (5, 5)])
@pytest.mark.parametrize("target", [(0.5, 0.7), (0.4, 0.75)])
def test_both_exponents_are_those_that_a_solver_of_two_equations_finds(shape, target):
    values = np.random.default_rng(3).beta(*shape, 5001)
    quantiles = np.percentile(values, [50, 75])

    def equations(logs):
        a, b = np.exp(logs)
        return 1 - (1 - quantiles**a) ** b - target

    a, b = np.exp(fsolve(equations, [0.0, 0.0]))
    found = to_two_quantiles(values, target)
    assert (found.exponent, found.upper_exponent) == pytest.approx((a, b), rel=1e-5)
    assert np.percentile(found(values), [50, 75]) == pytest.approx(target, abs=1e-4)


def test_where_the_power_of_the_median_fits_both_the_curve_is_that_power():
    values = np.random.default_rng(4).beta(2, 3, 5001)
    power = to_median(values, 0.5)
    found = to_two_quantiles(values, (0.5, float(np.percentile(power(values), 75))))
    assert found.exponent == pytest.approx(power.exponent, rel=1e-3)
    assert found.upper_exponent == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("values", [np.full(99, 0.4), np.ones(99), np.r_[np.zeros(60), np.ones(39)]])
def test_quantiles_without_a_curve_are_refused(values):
    with pytest.raises(ValueError, match=r"no smooth curve brings them to 0\.5 and 0\.7"):
        to_two_quantiles(values, (0.5, 0.7))
