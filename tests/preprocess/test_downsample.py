from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from skimage.transform import resize_local_mean

from spatial_erasing.preprocess.geometry import (
    area_weights,
    bounding_box,
    centred_window,
    downsample,
    downsample_label,
    extract_window,
    slices_with_label,
)

GRIDS = [((158, 191, 163), (64, 64, 64)), ((30, 41, 23), (10, 7, 23)), ((12, 9, 10), (4, 3, 5))]
MASKS = arrays_of.arrays(bool, st.tuples(*[st.integers(1, 9)] * 3))
SHAPES = st.tuples(*[st.integers(1, 12)] * 3)


def noise(shape, seed=5):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize(("shape", "grid"), GRIDS)
def test_downsampling_equals_the_local_mean_of_scikit_image(shape, grid):
    volume = noise(shape)
    expected = resize_local_mean(volume.astype(np.float64), grid)
    assert np.abs(downsample(volume, grid_voxels=grid) - expected).max() < 2e-6


@pytest.mark.parametrize(("shape", "grid"), GRIDS)
def test_downsampling_keeps_the_mass(shape, grid):
    volume = noise(shape)
    assert downsample(volume, grid_voxels=grid).mean(dtype=np.float64) == pytest.approx(
        volume.mean(), rel=1e-5
    )


@settings(deadline=None)  # a busy machine is no failure
@given(source=st.integers(1, 300), target=st.integers(1, 130))
@example(source=224, target=96)  # edges from np.linspace leave a sliver of 1e-15 here
def test_each_new_voxel_takes_exactly_the_stretch_that_it_covers(source, target):
    weights = area_weights(source, target)
    for i in range(target):
        low, high = Fraction(i * source, target), Fraction((i + 1) * source, target)
        expected = [max(0, min(high, j + 1) - max(low, j)) * Fraction(target, source) for j in range(source)]
        assert np.allclose(weights[i], np.array(expected, dtype=float), atol=1e-12)
        assert np.array_equal(weights[i] > 0, [share > 0 for share in expected]), "no sliver of a neighbour"


@pytest.mark.parametrize("grid", [(4, 4, 4), (5, 7, 3)])
def test_a_downsampled_mask_is_the_occupied_share(grid):
    mask = np.zeros((20, 21, 12), dtype=bool)
    mask[3:11, 5:, 2:7] = True
    fine = np.repeat(np.repeat(np.repeat(mask, grid[0], 0), grid[1], 1), grid[2], 2)
    blocks = fine.reshape(grid[0], 20, grid[1], 21, grid[2], 12)
    assert np.abs(downsample(mask, grid_voxels=grid) - blocks.mean(axis=(1, 3, 5))).max() < 1e-6


def test_a_label_by_occupancy_needs_half_of_the_new_voxel():
    label = np.zeros((4, 2, 2), dtype=bool)
    label[0], label[2, 0, 0] = True, True
    small = downsample_label(label, grid_voxels=(2, 1, 1), method="occupancy")
    assert small.tolist() == [[[True]], [[False]]]


@pytest.mark.parametrize(("shape", "grid"), GRIDS)
def test_the_nearest_label_is_the_voxel_in_which_the_new_centre_lies(shape, grid):
    label = noise(shape) > 0.7
    small = downsample_label(label, grid_voxels=grid, method="nearest")
    for place in np.random.default_rng(1).integers(0, grid, (300, 3)):
        centre = [Fraction(2 * i + 1, 2) * s / g for i, s, g in zip(place.tolist(), shape, grid, strict=True)]
        assert small[tuple(place)] == label[tuple(int(c) for c in centre)]
    assert small.dtype == bool


def test_the_two_ways_of_a_label_differ_for_a_thin_lesion():
    label = np.zeros((64, 64, 64), dtype=bool)
    label[:, 33, :] = True  # a sheet of one voxel
    nearest = downsample_label(label, grid_voxels=(32, 32, 32), method="nearest")
    assert nearest[:, 16].all() and nearest.sum() == 32 * 32
    assert downsample_label(label, grid_voxels=(32, 32, 32), method="occupancy")[:, 16].all()
    assert not downsample_label(label, grid_voxels=(16, 16, 16), method="occupancy").any()


@pytest.mark.parametrize("method", ["nearest", "occupancy"])
def test_a_lesion_that_vanishes_still_marks_its_slices(method):
    label = np.zeros((30, 30, 160), dtype=bool)
    label[11, 12, 79:81] = True
    assert not downsample_label(label, grid_voxels=(10, 10, 48), method=method).any()
    assert np.flatnonzero(slices_with_label(label, slices=48)).tolist() == [23, 24]


@settings(deadline=None)  # a busy machine is no failure
@given(
    slices=st.integers(1, 100),
    label=arrays_of.arrays(bool, st.tuples(st.just(2), st.just(1), st.integers(1, 230))),
)
def test_a_slice_is_touched_if_its_slab_holds_a_labelled_voxel(slices, label):
    depth = label.shape[2]
    labelled = np.flatnonzero(label.any(axis=(0, 1))).tolist()
    expected = [
        any(j * slices < (i + 1) * depth and (j + 1) * slices > i * depth for j in labelled)
        for i in range(slices)
    ]
    assert slices_with_label(label, slices=slices).tolist() == expected


@settings(deadline=None)  # a busy machine is no failure
@given(mask=MASKS.filter(np.any))
def test_the_bounding_box_is_the_smallest_that_holds_the_mask(mask):
    start, stop = bounding_box(mask)
    occupied = np.argwhere(mask)
    assert start == tuple(occupied.min(axis=0)) and stop == tuple(occupied.max(axis=0) + 1)


def test_an_empty_mask_has_no_box():
    with pytest.raises(ValueError, match="empty mask"):
        bounding_box(np.zeros((3, 3, 3), dtype=bool))


@settings(deadline=None)  # a busy machine is no failure
@given(shape=SHAPES, data=st.data())
def test_the_window_holds_the_box_in_its_middle_and_loses_nothing(shape, data):
    volume = np.arange(1, np.prod(shape) + 1).reshape(shape)
    start = tuple(data.draw(st.integers(0, length - 1)) for length in shape)
    stop = tuple(data.draw(st.integers(a + 1, length)) for a, length in zip(start, shape, strict=True))
    window = tuple(b - a + data.draw(st.integers(0, 9)) for a, b in zip(start, stop, strict=True))
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    first = centred_window(start, stop, window_voxels=window)
    for a, b, f, w in zip(start, stop, first, window, strict=True):
        assert 0 <= (f + w - b) - (a - f) <= 1, "margins are equal, or the upper one is a voxel wider"

    alone = np.zeros_like(volume)
    alone[box] = volume[box]
    extracted = extract_window(alone, first, window_voxels=window)
    assert extracted.shape == window and extracted.dtype == volume.dtype
    assert sorted(extracted[extracted > 0]) == sorted(volume[box].ravel())
    inner = tuple(slice(a - f, b - f) for a, b, f in zip(start, stop, first, strict=True))
    assert np.array_equal(extracted[inner], volume[box])


@settings(deadline=None)  # a busy machine is no failure
@given(shape=SHAPES, start=st.tuples(*[st.integers(-15, 15)] * 3), window=SHAPES)
def test_a_window_equals_the_same_cut_from_a_volume_padded_with_zeros(shape, start, window):
    volume = noise(shape)
    padded = np.pad(volume, 30)
    expected = padded[tuple(slice(30 + a, 30 + a + w) for a, w in zip(start, window, strict=True))]
    assert np.array_equal(extract_window(volume, start, window_voxels=window), expected)


def test_a_brain_that_does_not_fit_says_what_it_needs():
    with pytest.raises(
        ValueError, match=r"8 × 5 × 6 voxels and does not fit the padded grid of 8 × 4 × 9.*auto"
    ):
        centred_window((0, 0, 0), (8, 5, 6), window_voxels=(8, 4, 9))
