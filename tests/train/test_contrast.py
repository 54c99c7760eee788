import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, loguniform
from skimage.exposure import adjust_gamma

from spatial_erasing.train.contrast import apply_contrast, draw_contrast
from spatial_erasing.train.settings import AugmentationSettings


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def test_exponents_are_log_uniform_between_the_limits():
    drawn = draw_contrast(20_000, 0.35, generator=generator())
    law = loguniform(math.exp(-0.35), math.exp(0.35))
    assert kstest(drawn.numpy(), law.cdf).pvalue > 0.01
    assert not torch.equal(drawn, draw_contrast(20_000, 0.35, generator=generator(2)))


def test_each_sample_has_its_own_gamma_and_its_own_type():
    scans = torch.rand(3, 1, 4, 5, 6, generator=generator()).half()
    exponents = torch.tensor([0.5, 1.0, 2.2])
    changed = apply_contrast(scans, exponents)
    assert changed.dtype == torch.float16 and changed.shape == scans.shape
    for sample, found, exponent in zip(scans, changed, exponents, strict=True):
        expected = adjust_gamma(sample.float().numpy(), float(exponent))
        assert np.abs(found.float().numpy() - expected).max() < 1e-3


@settings(deadline=None)
@given(exponent=st.floats(0.2, 5))
def test_contrast_is_monotone_and_keeps_both_ends(exponent):
    ramp = torch.linspace(0, 1, 200).view(1, 1, -1)
    changed = apply_contrast(ramp, torch.tensor([exponent])).flatten()
    assert changed[0] == 0 and changed[-1] == 1 and (changed.diff() >= 0).all()


@pytest.mark.parametrize("contrast", [-0.1, 2.5])
def test_a_range_that_cannot_be_meant_is_refused(contrast):
    with pytest.raises(ValueError, match=f"contrast is {contrast}; expected 0"):
        AugmentationSettings(contrast)
