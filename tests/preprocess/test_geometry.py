"""The way back: whatever lies on the networks' grid returns to where it lay in the scan."""

import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from analytic_head import SETTINGS, VARIANTS, intensities_at, sample, variant, write_subject

from spatial_erasing.preprocess.geometry import (
    chain_of_grids,
    downsample,
    extract_window,
    read_chains,
    return_to_scan,
    write_chains,
)
from spatial_erasing.preprocess.stack import StackSettings, shrink_subject
from spatial_erasing.preprocess.standardise.ways import Standard
from spatial_erasing.preprocess.subject import prepare_subject

SETTINGS_OF_GRIDS = StackSettings(Standard({"t1": "range"}, {}), (100, 116, 104), (64, 64, 64), "nearest")


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    """The chain of grids of each variant of the head."""
    found = {}
    for name in VARIANTS:
        folder = tmp_path_factory.mktemp("subject")
        row = prepare_subject(
            [write_subject(folder / "raw", variant(name))], folder=folder / "done", settings=SETTINGS, code=""
        )
        assert row["status"] == "done", row["reason"]
        _, found[name], *_ = shrink_subject(folder / "done", sequences=("t1",), settings=SETTINGS_OF_GRIDS)
    return found


def smooth_at(points_mm):
    """Waves of 60 mm and more: what 64³ can hold."""
    right, front, up = np.moveaxis(points_mm, -1, 0)
    return 1 + 0.3 * np.sin(right / 10 + 1) + 0.3 * np.cos(front / 12) + 0.3 * np.sin(up / 11 - 0.5)


def brought_down(grids, image):
    """An image on the cropped grid, padded and downsampled by the arrays alone."""
    start = grids["padded"].corners_in(grids["brain"])[0].round().astype(int)
    window = extract_window(image, tuple(start), window_voxels=grids["padded"].shape)
    return downsample(window, grid_voxels=grids["network"].shape)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_chain_begins_at_the_scan_and_ends_at_the_networks_grid(chains, name):
    grids, scan = chains[name], variant(name)
    assert list(grids) == ["scan", "resampled", "brain", "padded", "network"]
    assert grids["scan"].shape == scan.intensities.shape
    np.testing.assert_allclose(grids["scan"].affine, scan.affine, atol=1e-4)  # the file stores float32
    assert grids["padded"].shape == (100, 116, 104) and grids["network"].shape == (64, 64, 64)
    assert grids["network"].voxel_ml * 64**3 == pytest.approx(grids["padded"].voxel_ml * 100 * 116 * 104)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_point_in_the_world_lands_within_half_a_voxel_of_the_networks_grid(chains, name):
    """A single bright millimetre, brought down step by step with the arrays alone, is where the grids say."""
    grids = chains[name]
    half_mm = grids["network"].voxel_sizes_mm / 2
    places = np.argwhere(np.ones(grids["brain"].shape))
    for index in places[np.random.default_rng(0).choice(len(places), 20)]:
        point_mm = nib.affines.apply_affine(grids["brain"].affine, index)
        image = np.zeros(grids["brain"].shape, dtype=np.float32)
        image[tuple(index)] = 1
        small = brought_down(grids, image)
        brightest = np.unravel_index(small.argmax(), small.shape)
        found_mm = nib.affines.apply_affine(grids["network"].affine, brightest)
        assert (np.abs(found_mm - point_mm) <= half_mm + 1e-6).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_smooth_map_returns_to_the_scan_within_interpolation_error(chains, name):
    grids = chains[name]
    small = sample(smooth_at, grids["network"].shape, grids["network"].affine).astype(np.float32)
    expected = sample(smooth_at, grids["scan"].shape, grids["scan"].affine)
    found = return_to_scan(small, grids)
    assert found.shape == grids["scan"].shape
    covered = _inside(grids["network"], grids["scan"])
    assert covered.mean() > 0.5
    # linear interpolation errs by h²/8 times the sum of the curvatures: 0.3/100 + 0.3/144 + 0.3/121
    bound = (grids["network"].voxel_sizes_mm ** 2 / 8 * 0.3 / np.array([100, 144, 121])).sum()
    assert np.abs(found - expected)[covered].max() <= 1.05 * bound
    inner = _inside(_without_rim(grids["network"], 6), grids["scan"])  # a spline mirrors at the border
    assert np.abs(return_to_scan(small, grids, interpolation="cubic") - expected)[inner].max() < bound / 10


@pytest.mark.parametrize("name", VARIANTS)
def test_down_and_back_gives_the_head_again_but_for_what_64_voxels_cannot_hold(chains, name):
    grids = chains[name]
    brain = sample(smooth_at, grids["brain"].shape, grids["brain"].affine).astype(np.float32)
    back = return_to_scan(brought_down(grids, brain), grids)
    expected = sample(smooth_at, grids["scan"].shape, grids["scan"].affine)
    # away from the rim of the cropped box, where zeros begin
    inner = _inside(_without_rim(grids["brain"], 4), grids["scan"])
    assert np.abs(back - expected)[inner].max() < 0.01


@pytest.mark.parametrize("name", ["LAS", "PIR", "thick slices"])
def test_the_way_back_equals_simpleitk_led_by_headers(chains, name, tmp_path):
    grids = chains[name]
    small = sample(intensities_at, (64, 64, 64), grids["network"].affine).astype(np.float32)
    nib.save(nib.Nifti1Image(small, grids["network"].affine), tmp_path / "small.nii.gz")
    empty = np.zeros(grids["scan"].shape, np.int16)
    nib.save(nib.Nifti1Image(empty, grids["scan"].affine), tmp_path / "scan.nii")
    expected = sitk.GetArrayFromImage(
        sitk.Resample(
            sitk.ReadImage(tmp_path / "small.nii.gz"),
            sitk.ReadImage(tmp_path / "scan.nii"),
            sitk.Transform(),
            sitk.sitkLinear,
            0.0,
            sitk.sitkFloat32,
        )
    ).T
    covered = _inside(grids["network"], grids["scan"])
    assert np.abs(return_to_scan(small, grids) - expected)[covered].max() < 1e-2  # of 900


def test_a_mask_returns_as_a_mask(chains):
    grids = chains["oblique, mirrored and fine"]
    centre_mm, radius_mm = [5, -8, 3], 12

    def ball_at(points_mm):
        return np.linalg.norm(points_mm - centre_mm, axis=-1) < radius_mm

    mask = sample(ball_at, (64,) * 3, grids["network"].affine)
    back = return_to_scan(mask, grids, interpolation="nearest")
    assert set(np.unique(back)) == {0, 1}
    found_mm = nib.affines.apply_affine(grids["scan"].affine, np.argwhere(back > 0)).mean(axis=0)
    np.testing.assert_allclose(found_mm, centre_mm, atol=0.6)
    expected_ml = 4 / 3 * np.pi * radius_mm**3 / 1000
    assert back.sum() * grids["scan"].voxel_ml == pytest.approx(expected_ml, rel=0.06)


def test_a_map_of_another_shape_is_refused(chains):
    with pytest.raises(ValueError, match=r"\(32, 64, 64\) is not on the networks' grid of \(64, 64, 64\)"):
        return_to_scan(np.zeros((32, 64, 64)), chains["RAS"])


def test_chains_are_read_as_they_were_written(chains, tmp_path):
    named = {f"Zoë {name}": grids for name, grids in chains.items()}
    write_chains(tmp_path / "geometry.json", named)
    found = read_chains(tmp_path / "geometry.json")
    assert list(found) == list(named)
    for subject, grids in named.items():
        for name, grid in grids.items():
            assert found[subject][name].shape == grid.shape
            np.testing.assert_array_equal(found[subject][name].affine, grid.affine)


def test_a_record_alone_leads_to_the_chain(chains):
    grids = chains["LPS"]
    record = {
        "grids": {name: grids[name].as_json() for name in ("scan", "resampled", "brain")},
        "centred": [[0, 0, 0], list(grids["brain"].shape)],
    }
    found = chain_of_grids(
        json.loads(json.dumps(record)), padded_grid_voxels=(100, 116, 104), grid_voxels=(64, 64, 64)
    )
    for name, grid in grids.items():
        np.testing.assert_allclose(found[name].affine, grid.affine, atol=1e-9)


def _without_rim(grid, voxels):
    return grid.window((voxels,) * 3, tuple(size - 2 * voxels for size in grid.shape))


def _inside(grid, target):
    """Which voxels of `target` lie between voxel centres of `grid`."""
    to_grid = np.linalg.inv(grid.affine) @ target.affine
    positions = nib.affines.apply_affine(to_grid, np.moveaxis(np.indices(target.shape), 0, -1))
    return ((positions >= 0) & (positions <= np.array(grid.shape) - 1)).all(axis=-1)
