import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import affine_transform
from scipy.stats import kstest, loguniform
from skimage.exposure import adjust_gamma

from spatial_erasing.train.augmentation import (
    apply_affine_maps,
    apply_contrast,
    augment,
    draw_affine_maps,
    draw_contrast,
)
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


ALL = {"mirror": True, "rotation_degrees": 10.0, "scale": 0.1, "shift_percent": 5.0}


def by_scipy(scan, affine_map):
    """The same in voxels: -1 and 1 are the outer faces of the grid's first and last voxel."""
    sizes, matrix, shift = np.array(scan.shape), affine_map[:, :-1], affine_map[:, -1]
    to_voxels = np.diag(sizes / 2) @ matrix @ np.diag(2 / sizes)
    middle = (sizes - 1) / 2
    offset = middle + shift * sizes / 2 - to_voxels @ middle
    return affine_transform(scan, to_voxels, offset=offset, order=1, mode="grid-constant")


@pytest.mark.parametrize("grid", [(9, 12), (8, 11, 7)])
def test_moved_samples_are_those_of_scipy(grid):
    scans = torch.rand(6, 1, *grid, generator=generator(), dtype=torch.float64).float()
    maps = draw_affine_maps(6, len(grid), AugmentationSettings(**ALL), generator=generator(2))
    moved = apply_affine_maps(scans, maps)
    for scan, affine_map, found in zip(scans, maps, moved, strict=True):
        expected = by_scipy(scan[0].double().numpy(), affine_map.double().numpy())
        assert np.abs(found[0].numpy() - expected).max() < 1e-5
        assert np.abs(found[0].numpy() - scan[0].numpy()).max() > 0.1


@pytest.mark.parametrize("grid", [(9, 12), (8, 11, 7)])
def test_a_mirrored_sample_has_left_and_right_exchanged_and_nothing_else(grid):
    scans = torch.rand(40, 1, *grid, generator=generator()).half()
    moved = augment(scans, AugmentationSettings(mirror=True), generator=generator())
    mirrored = [
        torch.allclose(found, scan.flip(1), atol=1e-3) for scan, found in zip(scans, moved, strict=True)
    ]
    kept = [torch.allclose(found, scan, atol=1e-3) for scan, found in zip(scans, moved, strict=True)]
    assert all(first != second for first, second in zip(mirrored, kept, strict=True))
    assert 10 < sum(mirrored) < 30 and moved.dtype == torch.float16


@pytest.mark.parametrize("dims", [2, 3])
def test_each_kind_of_change_stays_within_its_limit(dims):
    def drawn(**values):
        maps = draw_affine_maps(2000, dims, AugmentationSettings(**values), generator=generator())
        return maps[:, :, :-1], maps[:, :, -1]

    unit = torch.eye(dims).expand(2000, dims, dims)
    matrices, shifts = drawn(shift_percent=5)
    assert torch.equal(matrices, unit) and 0.099 < shifts.abs().max() <= 0.1
    matrices, shifts = drawn(scale=0.1)
    factors = torch.diagonal(matrices, dim1=1, dim2=2).log()
    assert torch.equal(matrices * unit, matrices) and 0.099 < factors.abs().max() <= 0.1001
    assert not shifts.any()
    matrices, _ = drawn(rotation_degrees=10)
    assert torch.allclose(matrices @ matrices.transpose(1, 2), unit, atol=1e-5)
    assert torch.allclose(torch.linalg.det(matrices), torch.ones(2000), atol=1e-5)
    if dims == 2:
        angles = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]).rad2deg()
        assert 9.9 < angles.max() <= 10.001 and -10.001 <= angles.min() < -9.9


@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (3, 1, 8, 8, 8)])
def test_what_is_off_changes_nothing_and_draws_nothing(shape):
    scans, used = torch.rand(shape), generator()
    assert augment(scans, AugmentationSettings(), generator=used) is scans
    assert torch.equal(used.get_state(), generator().get_state())


@given(
    values=st.tuples(st.floats(0, 2), st.booleans(), st.floats(0, 45), st.floats(0, 0.5), st.floats(0, 25))
)
@settings(deadline=None, max_examples=30)
def test_intensities_stay_between_0_and_1(values):
    scans = torch.rand(2, 1, 6, 7, 8, generator=generator())
    changed = augment(scans, AugmentationSettings(*values), generator=generator())
    assert changed.shape == scans.shape and changed.min() >= 0 and changed.max() <= 1 + 1e-5


@pytest.mark.parametrize(
    "name, value",
    [("contrast", -0.1), ("contrast", 2.5), ("rotation_degrees", 90), ("scale", 6), ("shift_percent", -1)],
)
def test_a_range_that_cannot_be_meant_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}; expected 0"):
        AugmentationSettings(**{name: value})
