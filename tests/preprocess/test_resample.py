import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from analytic_head import VARIANTS, intensities_at, rotation, sample, variant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.resample import isotropic_grid, require_same_grid, resample_to_grid

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SHEARED = np.array([[1.0, 0.2, 0.0, -8.0], [0.1, 0.9, 0.3, 3.0], [0.0, -0.2, 1.3, 5.0], [0, 0, 0, 1]])


def small_noise(affine, *, shape=(23, 19, 17), seed=3):
    """Noise, smoothed: rich enough to see any misplacement, smooth enough to interpolate."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return Volume(
        ndimage.gaussian_filter(noise, 1.2).astype(np.float32), np.asarray(affine, float), "noise.nii"
    )


def affine_of(name):
    return variant(name, lambda points_mm: points_mm[..., 0]).affine


def voxel_positions(volume, grid):
    """Where the grid's voxel centres lie in the volume, in its voxels, shape (3, *grid)."""
    to_voxel = np.linalg.inv(volume.affine) @ grid.affine
    return np.moveaxis(nib.affines.apply_affine(to_voxel, np.moveaxis(np.indices(grid.shape), 0, -1)), -1, 0)


def inside(volume, positions, margin=0.0):
    last = np.array(volume.intensities.shape)[:, None, None, None] - 1
    return ((positions >= margin) & (positions <= last - margin)).all(axis=0)


@pytest.mark.parametrize("name", [*VARIANTS, "sheared"])
@pytest.mark.parametrize(("interpolation", "order"), [("cubic", 3), ("nearest", 0)])
def test_resampling_equals_scipy(name, interpolation, order):
    volume = small_noise(SHEARED if name == "sheared" else affine_of(name))
    grid = isotropic_grid(volume, spacing_mm=0.93)
    positions = voxel_positions(volume, grid)
    expected = ndimage.map_coordinates(volume.intensities, positions, order=order, mode="mirror")
    # where a position lies halfway between two voxels, either is the nearest
    compared = inside(volume, positions) & (np.abs(positions % 1 - 0.5) > 1e-3).all(axis=0)
    assert compared.sum() > 1000
    found = resample_to_grid(volume, grid, interpolation=interpolation)
    assert found.dtype == np.float32
    assert np.abs(found - expected)[compared].max() < 2e-5


@pytest.mark.parametrize("name", ["LAS", "PIR", "oblique, mirrored and fine", "thick oblique slices"])
@pytest.mark.parametrize(
    ("interpolation", "interpolator"), [("cubic", sitk.sitkBSpline), ("nearest", sitk.sitkNearestNeighbor)]
)
def test_resampling_equals_simpleitk_led_by_the_header(tmp_path, name, interpolation, interpolator):
    volume = small_noise(affine_of(name))
    nib.save(nib.Nifti1Image(volume.intensities, volume.affine), tmp_path / "scan.nii.gz")
    grid = isotropic_grid(volume, spacing_mm=1.1)
    target = sitk.Image(grid.shape, sitk.sitkFloat32)
    target.SetOrigin((RAS_TO_LPS @ grid.affine[:, 3])[:3].tolist())
    target.SetDirection(RAS_TO_LPS[:3, :3].ravel().tolist())
    target.SetSpacing((1.1, 1.1, 1.1))
    expected = sitk.GetArrayFromImage(
        sitk.Resample(sitk.ReadImage(tmp_path / "scan.nii.gz"), target, sitk.Transform(), interpolator, 0.0)
    ).T
    found = resample_to_grid(volume, grid, interpolation=interpolation)
    # the file's affine is float32: a position on the very edge, or halfway, may fall to either side
    differs = np.abs(found - expected) > 1e-4
    assert differs.mean() < (0.002 if interpolation == "cubic" else 0.01)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.995


def test_labels_equal_those_of_ants_led_by_the_header(tmp_path):
    volume = small_noise(affine_of("thick oblique slices"))
    label = Volume((volume.intensities > 0.1).astype(np.float32), volume.affine, volume.path)
    nib.save(nib.Nifti1Image(label.intensities, label.affine), tmp_path / "label.nii.gz")
    grid = isotropic_grid(label, spacing_mm=1.0)
    nib.save(nib.Nifti1Image(np.zeros(grid.shape, np.float32), grid.affine), tmp_path / "grid.nii.gz")
    code = (
        "import ants\n"
        "label, grid = ants.image_read('label.nii.gz'), ants.image_read('grid.nii.gz')\n"
        "found = ants.resample_image_to_target(label, grid, interp_type='nearestNeighbor')\n"
        "ants.image_write(found, 'found.nii.gz')\n"
    )
    # in a process of its own: ants that has once started its threads cannot be made deterministic any more
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    expected = np.asarray(nib.load(tmp_path / "found.nii.gz").dataobj)
    found = resample_to_grid(label, grid, interpolation="nearest")
    assert set(np.unique(found)) == {0, 1}
    assert (found != expected).mean() < 0.005


@pytest.mark.parametrize("spacing_mm", [1.0, 0.7, 2.5])
@pytest.mark.parametrize("interpolation", ["cubic", "nearest"])
def test_a_scan_on_its_target_grid_is_returned_as_it_is(spacing_mm, interpolation):
    affine = np.diag([spacing_mm] * 3 + [1])
    affine[:3, 3] = [-20.3, 5.7, 1 / 3]
    volume = small_noise(affine)
    grid = isotropic_grid(volume, spacing_mm=spacing_mm)
    assert grid.shape == volume.intensities.shape and np.array_equal(grid.affine, affine)
    found = resample_to_grid(volume, grid, interpolation=interpolation)
    assert np.abs(found - volume.intensities).max() <= (1e-6 if interpolation == "cubic" else 0)


def test_a_scan_with_turned_axes_is_only_reordered():
    """LPS at 1 mm: the same numbers in another order, checked with nibabel's own reorientation."""
    volume = small_noise([[-1, 0, 0, 9.5], [0, -1, 0, 4.25], [0, 0, 1, -3], [0, 0, 0, 1]])
    expected = nib.as_closest_canonical(nib.Nifti1Image(volume.intensities, volume.affine))
    grid = isotropic_grid(volume, spacing_mm=1.0)
    assert np.allclose(grid.affine, expected.affine)
    found = resample_to_grid(volume, grid, interpolation="cubic")
    assert np.abs(found - np.asarray(expected.dataobj)).max() < 1e-6


@pytest.mark.parametrize("name", ["oblique", "thick slices", "thick oblique slices"])
def test_cubic_resampling_of_a_smooth_head_comes_close_to_its_formula(name):
    volume = variant(name)
    grid = isotropic_grid(volume, spacing_mm=1.0)
    truth = sample(intensities_at, grid.shape, grid.affine)
    covered = inside(volume, voxel_positions(volume, grid), margin=2)
    found = resample_to_grid(volume, grid, interpolation="cubic")
    assert np.abs(found - truth)[covered].mean() < 0.002 * truth.max()


def test_nothing_is_invented_beyond_the_scan():
    volume = small_noise(affine_of("oblique"))
    volume = Volume(volume.intensities + 10, volume.affine, volume.path)
    grid = isotropic_grid(volume, spacing_mm=1.0)
    positions = voxel_positions(volume, grid)
    beyond = ~inside(volume, positions, margin=-0.51)
    found = resample_to_grid(volume, grid, interpolation="cubic")
    assert beyond.any() and (found[beyond] == 0).all()
    assert (found[inside(volume, positions)] > 5).all()


@settings(deadline=None)  # a busy machine is no failure
@given(
    axes=st.permutations([0, 1, 2]),
    signs=st.tuples(*[st.sampled_from([-1, 1])] * 3),
    spacing_mm=st.tuples(*[st.floats(0.4, 6)] * 3),
    shape=st.tuples(*[st.integers(2, 30)] * 3),
    shift_mm=st.tuples(*[st.floats(-200, 200)] * 3),
)
def test_the_isotropic_grid_spans_the_voxel_centres_of_every_straight_scan(
    axes, signs, spacing_mm, shape, shift_mm
):
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, axes] * np.multiply(signs, spacing_mm)
    affine[:3, 3] = shift_mm
    grid = isotropic_grid(Volume(np.empty(shape, np.float32), affine), spacing_mm=1.0)
    centres_mm = nib.affines.apply_affine(affine, np.stack([np.zeros(3), np.array(shape) - 1]))
    low_mm, high_mm = centres_mm.min(axis=0), centres_mm.max(axis=0)
    last_mm = grid.affine[:3, 3] + np.array(grid.shape) - 1
    assert np.allclose(grid.affine[:3, 3], low_mm, atol=1e-9)
    assert (last_mm <= high_mm + 2e-3).all() and (last_mm > high_mm - 1).all()


def test_rounding_in_a_header_adds_and_loses_no_plane():
    affine = np.diag([0.1 + 0.2, 0.3, np.float32(0.3), 1.0])
    grid = isotropic_grid(Volume(np.empty((101, 101, 101), np.float32), affine), spacing_mm=0.3)
    assert grid.shape == (101, 101, 101)


@pytest.mark.parametrize(
    ("shape", "shift_mm", "finding"),
    [
        ((23, 19, 18), 0.0, r"it has shape \(23, 19, 18\), the scan has \(23, 19, 17\)"),
        ((23, 19, 17), 0.5, r"it has corners that lie up to 0\.5 mm off, expected at most 0\.1 mm"),
    ],
)
def test_a_mask_on_another_grid_is_refused_by_name(shape, shift_mm, finding):
    scan = small_noise(np.eye(4))
    affine = np.eye(4)
    affine[0, 3] = shift_mm
    with pytest.raises(
        ValueError, match=rf"lesion\.nii does not lie on the voxel grid of noise\.nii: {finding}.*Resample"
    ):
        require_same_grid(scan, Volume(np.zeros(shape, np.float32), affine, "lesion.nii"))


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        (rotation((0.6, 0, 0)), True),
        (rotation((0, 0, -0.6)), True),
        (1.009 * np.eye(3), True),
        (rotation((0.02, 0, 0)), False),
        (1.0002 * np.eye(3), False),
        (np.eye(3), False),
    ],
)
@pytest.mark.parametrize("spacing_mm", [0.7, 1.0, 2.2])
def test_grids_are_one_where_their_corners_land_within_a_tenth_of_a_voxel(change, is_refused, spacing_mm):
    size = round(150 / spacing_mm)
    affine = np.diag([spacing_mm, spacing_mm, 3.0, 1.0])
    affine[:3, 3] = -70
    moved = affine.copy()
    moved[:3, :3] = change @ affine[:3, :3]
    moved[:3, 3] = change @ affine[:3, 3] + 0.02  # mm
    scan, mask = (
        Volume(np.broadcast_to(np.float32(0), (size, size, 50)), where, name)
        for where, name in ((affine, "scan.nii"), (moved, "mask.nii"))
    )
    if is_refused:
        with pytest.raises(ValueError, match=r"mask\.nii .* corners that lie up to [01]\.\d+ mm off"):
            require_same_grid(scan, mask)
    else:
        require_same_grid(scan, mask)


def test_a_mask_whose_header_was_rounded_is_accepted():
    scan = small_noise(np.eye(4))
    require_same_grid(scan, Volume(scan.intensities, np.eye(4) + 1e-3, "lesion.nii"))
