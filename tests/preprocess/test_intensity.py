import numpy as np
import pytest
from analytic_head import SETTINGS, brain_at, intensities_at, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_erasing.images.grids import Grid
from spatial_erasing.preprocess.geometry import bounding_box
from spatial_erasing.preprocess.intensity import curvature_flow, intensity_range, rescale, scale_brain

PERCENTILES = {"lower_percentile": 1, "upper_percentile": 99}


def flowed(volume, **options):
    return curvature_flow(volume, voxel_sizes_mm=np.ones(3), **options)


def rescale_to_percentiles(scan, brain, **percentiles):
    low, high = intensity_range(scan[brain], **percentiles)
    return rescale(scan, brain, low=low, high=high)


def standardised(box, brain, settings=SETTINGS, volume_voxels=10**7):
    return scale_brain(box, brain, Grid(box.shape, np.eye(4)), volume_voxels=volume_voxels, settings=settings)


def noisy_head():
    affine = np.eye(4)
    affine[:3, 3] = [-36, -43, -38]
    shape = (72, 86, 76)
    noise = np.random.default_rng(2).normal(scale=40, size=shape)
    return (sample(intensities_at, shape, affine) + noise).astype(np.float32), sample(brain_at, shape, affine)


def flow_by_formula(volume, time_step):
    """A step of mean curvature flow by central differences, right for inner voxels.

    (Ix² (Iyy + Izz) + … - 2 Ix Iy Ixy - …) / |grad I|²
    """
    first = [(np.roll(volume, -1, a) - np.roll(volume, 1, a)) / 2 for a in range(3)]
    second = [np.roll(volume, -1, a) - 2 * volume + np.roll(volume, 1, a) for a in range(3)]
    mixed = {
        (a, b): (np.roll(first[a], -1, b) - np.roll(first[a], 1, b)) / 2
        for a in range(3)
        for b in range(a + 1, 3)
    }
    squared = sum(f**2 for f in first)
    bend = sum(first[a] ** 2 * (sum(second) - second[a]) for a in range(3))
    bend -= 2 * sum(first[a] * first[b] * cross for (a, b), cross in mixed.items())
    return volume + time_step * np.divide(bend, squared, out=np.zeros_like(bend), where=squared > 1e-9)


def test_curvature_flow_equals_its_equation_in_numpy():
    volume = noisy_head()[0][20:44, 20:44, 20:44].astype(np.float64)
    expected = flow_by_formula(flow_by_formula(volume, 0.1), 0.1)
    found = flowed(volume, time_step=0.1, iterations=2)
    inner = (slice(3, -3),) * 3
    assert np.abs(expected - volume)[inner].mean() > 1
    assert np.abs(found - expected)[inner].max() < 1e-2


def test_curvature_flow_smooths_noise_and_keeps_an_edge():
    edge = np.zeros((20, 20, 20), dtype=np.float32)
    edge[10:] = 100
    noisy = edge + np.random.default_rng(1).normal(scale=3, size=edge.shape).astype(np.float32)
    smooth = flowed(noisy, time_step=0.125, iterations=3)
    assert smooth[2:8, 3:-3, 3:-3].std() < 0.6 * noisy[2:8, 3:-3, 3:-3].std()
    assert np.abs(np.diff(smooth[:, 10, 10])).max() > 90
    inner = (slice(4, -4),) * 3  # around the volume is nothing, which is an edge with corners
    assert np.abs(flowed(edge, time_step=0.125, iterations=3) - edge)[inner].max() < 1e-4


def test_denoising_the_box_equals_denoising_the_whole_masked_head_of_the_paper():
    """The paper's order on the whole volume: strip, denoise, standardise; ours looks at the box alone."""
    head, brain = noisy_head()
    whole = flowed(np.where(brain, head.clip(0), 0), time_step=0.125, iterations=3)
    expected = rescale_to_percentiles(whole, brain, **PERCENTILES)

    box = tuple(slice(a, b) for a, b in zip(*bounding_box(brain), strict=True))
    found, percentiles = standardised(head[box], brain[box])
    assert np.abs(found[brain[box]] - expected[brain]).max() < 1e-5
    assert (found[~brain[box]] == 0).all()
    low, high = np.percentile(whole[brain], [1, 99])
    expected = {"lower_intensity": low, "median_intensity": np.median(whole[brain]), "upper_intensity": high}
    assert percentiles == pytest.approx(expected, rel=1e-5)


def test_denoising_the_box_is_the_same_for_a_brain_that_fills_its_box_to_the_corners():
    head, _ = noisy_head()
    brain = np.zeros(head.shape, dtype=bool)
    brain[25:45, 30:52, 28:46] = True
    whole = flowed(np.where(brain, head, 0), time_step=0.125, iterations=3)
    expected = rescale_to_percentiles(whole, brain, **PERCENTILES)[25:45, 30:52, 28:46]
    found, _ = standardised(head[25:45, 30:52, 28:46], np.ones((20, 22, 18), bool))
    assert np.abs(found - expected).max() < 1e-5


def test_the_percentiles_of_the_brain_become_0_and_1():
    head, brain = noisy_head()
    scaled = rescale_to_percentiles(head, brain, **PERCENTILES)
    low, high = np.percentile(head[brain], [1, 99])
    between = brain & (head > low) & (head < high)
    assert np.allclose(scaled[between], ((head - low) / (high - low))[between], atol=1e-6)
    assert (scaled[brain & (head <= low)] == 0).all() and (scaled[brain & (head >= high)] == 1).all()
    assert (scaled[brain] == 1).mean() == pytest.approx(0.01, abs=1e-3)
    assert (scaled[brain] == 0).mean() == pytest.approx(0.01, abs=1e-3)
    assert (scaled[~brain] == 0).all() and scaled.dtype == np.float32


@settings(deadline=None)  # a busy machine is no failure
@given(slope=st.floats(0.01, 1000), shift=st.floats(-5000, 5000), seed=st.integers(0, 99))
def test_the_scanner_s_own_scale_does_not_matter(slope, shift, seed):
    scan = np.random.default_rng(seed).random((9, 8, 7))
    brain = np.random.default_rng(seed + 1).random(scan.shape) < 0.7
    scaled = rescale_to_percentiles(scan, brain, **PERCENTILES)
    assert np.allclose(rescale_to_percentiles(slope * scan + shift, brain, **PERCENTILES), scaled, atol=1e-4)


def test_intensities_outside_the_brain_do_not_count():
    head, brain = noisy_head()
    bright_skull = np.where(brain, head, 1e6)
    assert np.array_equal(
        rescale_to_percentiles(head, brain, **PERCENTILES),
        rescale_to_percentiles(bright_skull, brain, **PERCENTILES),
    )


def test_a_brain_of_one_intensity_is_refused():
    brain = np.ones((5, 5, 5), dtype=bool)
    with pytest.raises(ValueError, match="percentiles 1 and 99 are both 7; a scan has a range"):
        rescale_to_percentiles(np.full((5, 5, 5), 7.0), brain, **PERCENTILES)
