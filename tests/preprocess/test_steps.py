"""Every switch of the chain: what it does, and that it does nothing else."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from analytic_head import SETTINGS, brain_at, lesion_at, sample, variant
from nilearn.datasets import load_mni152_brain_mask, load_mni152_template
from scipy import ndimage

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.chain import prepare_brain
from spatial_erasing.preprocess.intensity import (
    ants_on_one_thread,
    bias_field,
    curvature_flow,
    non_local_means,
    scale_brain,
)
from spatial_erasing.preprocess.register import register_to_template
from spatial_erasing.preprocess.resample import isotropic_grid, resample_to_grid, turned_grid

N4 = {"shrink_factor": 4, "iterations": (50, 50, 50, 50)}


def prepared(name="RAS", *, lesion=False, **changes):
    return prepare_brain(
        {"t1": variant(name)},
        lesions=[variant(name, lesion_at)] if lesion else [],
        brain_mask=variant(name, brain_at),
        skull_strip="given",
        settings=replace(SETTINGS, **changes),
    )


@pytest.mark.parametrize("name", ["LAS", "PIR", "oblique, mirrored and fine", "thick slices"])
def test_without_resampling_the_scan_s_own_values_are_kept_in_the_order_of_nibabel(name):
    scan = variant(name)
    turned = nib.as_closest_canonical(nib.Nifti1Image(scan.intensities, scan.affine))
    grid = turned_grid(scan)
    np.testing.assert_allclose(grid.affine, turned.affine, atol=1e-12)
    assert grid.shape == turned.shape
    found = prepared(name, resample="none", crop=False, denoise="none", percentiles_of="brain")
    values = np.asarray(turned.dataobj)
    low, high = (found.measures[f"{end}_intensity"] for end in ("lower", "upper"))
    expected = ((values - low) / (high - low)).clip(0, 1) * found.brain
    assert np.abs(found.sequences["t1"] - expected).max() < 1e-5


def test_linear_resampling_equals_scipy():
    scan = variant("thick oblique slices")
    grid = isotropic_grid(scan, spacing_mm=1.3)
    to_voxel = np.linalg.inv(scan.affine) @ grid.affine
    positions = nib.affines.apply_affine(to_voxel, np.moveaxis(np.indices(grid.shape), 0, -1))
    expected = ndimage.map_coordinates(scan.intensities, np.moveaxis(positions, -1, 0), order=1)
    inside = ((positions >= 0) & (positions <= np.array(scan.intensities.shape) - 1)).all(axis=-1)
    found = resample_to_grid(scan, grid, interpolation="linear")
    assert np.abs(found - expected)[inside].max() < 1e-2 and scan.intensities.max() > 500


@pytest.mark.parametrize("interpolation", ["cubic", "linear", "nearest"])
@pytest.mark.parametrize("name", ["RAS", "oblique, mirrored and fine", "thick oblique slices"])
def test_a_part_of_a_grid_is_computed_as_the_whole_is(name, interpolation):
    """Only the voxels around the part are looked at; inside, the result is that of the whole head."""
    scan = variant(name)
    noise = np.random.default_rng(0).normal(scale=90, size=scan.intensities.shape)
    scan = Volume((scan.intensities + noise).astype(np.float32), scan.affine)
    grid = isotropic_grid(scan, spacing_mm=1.0)
    box = (slice(20, 41), slice(30, 47), slice(25, 45))
    whole = resample_to_grid(scan, grid, interpolation=interpolation)[box]
    part = resample_to_grid(scan, grid.block(box), interpolation=interpolation)
    # nearest: a position halfway between two voxels may fall to either side
    assert (np.abs(part - whole) > 2e-3).mean() <= (0.01 if interpolation == "nearest" else 0)


def test_a_grid_beside_the_scan_is_empty():
    scan = variant("RAS")
    beside = Grid((5, 6, 7), scan.affine).window((500, 0, 0), (5, 6, 7))
    assert not resample_to_grid(scan, beside, interpolation="cubic").any()


def test_without_cropping_the_whole_grid_is_kept_and_centred():
    found = prepared(crop=False, lesion=True)
    assert found.brain.shape == variant("RAS").intensities.shape == found.grids["brain"].shape
    assert found.centred == ((0, 0, 0), found.brain.shape)
    assert [found.measures[f"box_{axis}_voxels"] for axis in "xyz"] == list(found.brain.shape)
    cropped = prepared(lesion=True)
    start = cropped.grids["brain"].corners_in(found.grids["brain"])[0].round().astype(int)
    box = tuple(slice(a, a + n) for a, n in zip(start, cropped.brain.shape, strict=True))
    assert np.array_equal(found.brain[box], cropped.brain)
    assert np.array_equal(found.lesion[box], cropped.lesion)
    assert np.abs(found.sequences["t1"][box] - cropped.sequences["t1"]).max() < 1e-6


@pytest.mark.parametrize(
    ("place", "advice"),
    [(-26, "look at the skull strip"), (-31, "compare the lesion with its scan in a viewer")],
)
def test_a_lesion_that_reaches_beyond_the_brain_is_a_warning_with_its_share(place, advice):
    assert prepared(lesion=True).warnings == ()
    beyond = variant("RAS", lambda points: np.linalg.norm(points - [place, 0, 0], axis=-1) < 8)
    found = prepare_brain(
        {"t1": variant("RAS")},
        lesions=[beyond],
        brain_mask=variant("RAS", brain_at),
        skull_strip="given",
        settings=SETTINGS,
    )
    share = found.measures["lesion_outside_brain_percent"]
    assert share > 5
    (warning,) = found.warnings
    assert warning.startswith(f"{share:.0f} % of the lesion lie outside the brain mask: {advice}")


def brain_box():
    head = prepared(denoise="none")
    grid = head.grids["brain"]
    cubic = resample_to_grid(variant("RAS"), grid, interpolation="cubic")
    return cubic.clip(0) * head.brain, head.brain, grid


def scaled(values, brain, grid, *, volume_voxels=0, **changes):
    settings = replace(SETTINGS, **({"denoise": "none"} | changes))
    return scale_brain(values, brain, grid, volume_voxels=volume_voxels, settings=settings)


def test_percentiles_of_the_volume_are_those_of_numpy_with_all_its_background():
    values, brain, grid = brain_box()
    whole = np.zeros(500_000, dtype=np.float32)
    whole[: brain.sum()] = values[brain]
    low, high = np.percentile(whole, [40, 99.8])
    changes = {"percentiles_of": "volume", "lower_percentile": 40, "upper_percentile": 99.8}
    found, measures = scaled(values, brain, grid, volume_voxels=whole.size, **changes)
    assert (measures["lower_intensity"], measures["upper_intensity"]) == pytest.approx((low, high))
    assert low == 0 and high > 500
    assert np.abs(found - (values / high).clip(0, 1) * brain).max() < 1e-6


def test_intensities_that_are_scaled_already_are_left_alone():
    values, brain, grid = brain_box()
    unit = values / values.max()
    found, measures = scaled(unit, brain, grid, percentiles_of="none")
    assert np.abs(found - unit).max() < 1e-6
    assert (measures["lower_intensity"], measures["upper_intensity"]) == (0, 1)
    assert measures["median_intensity"] == pytest.approx(np.median(unit[brain]))


@pytest.mark.parametrize("factor", [700.0, 0.1])
def test_intensities_that_were_said_to_be_scaled_and_are_not_are_refused(factor):
    values, brain, grid = brain_box()
    with pytest.raises(ValueError, match=r"reach from .* preprocess\.percentiles_of is none.*from 0 to 1"):
        scaled(factor * values / values.max(), brain, grid, percentiles_of="none")


def test_each_denoising_leaves_a_scan_without_noise_nearly_as_it_is_and_none_leaves_it_alone():
    none, flow, means = (
        prepared(denoise=name).sequences["t1"] for name in ("none", "curvature_flow", "non_local_means")
    )
    assert 0 < np.abs(flow - none).mean() < 0.02 and 0 < np.abs(means - none).mean() < 0.02
    assert np.array_equal(prepared(denoise_iterations=0).sequences["t1"], none)


def noisy_cube(sigma=30.0):
    truth = np.full((24, 24, 24), 300.0, dtype=np.float32)
    truth[12:] = 700
    noise = np.random.default_rng(1).normal(scale=sigma, size=truth.shape)
    return truth, (truth + noise).astype(np.float32), np.ones(truth.shape, dtype=bool)


def test_non_local_means_removes_most_of_the_noise_and_keeps_the_edge():
    truth, noisy, brain = noisy_cube()
    brain[:, :4] = False
    found = non_local_means(noisy, brain, patch_radius_voxels=1, search_radius_voxels=2)
    inner = (slice(2, -2), slice(6, -2), slice(2, -2))
    assert (found - truth)[inner].std() < 0.5 * 30
    assert np.abs(np.diff(found[:, 12, 12])).max() > 350
    assert found.dtype == np.float32 and not found[~brain].any()


def test_curvature_flow_acts_over_millimetres_whatever_the_voxels():
    """Scaling space by s and time by s² changes nothing: the closed form of every curvature flow."""
    _, noisy, _ = noisy_cube()

    def flow(volume, sizes_mm, time_step=0.0625, iterations=3):
        sizes_mm = np.asarray(sizes_mm, dtype=float)
        return curvature_flow(volume, voxel_sizes_mm=sizes_mm, time_step=time_step, iterations=iterations)

    at_1_mm = flow(noisy, [1, 1, 1])
    assert np.abs(at_1_mm - flow(noisy, [2, 2, 2], time_step=0.25)).max() < 1e-2
    assert np.abs(at_1_mm - flow(noisy, [2, 2, 2])).max() > 1
    turned = flow(noisy.transpose(2, 0, 1), [3, 1, 2]).transpose(1, 2, 0)
    assert np.abs(turned - flow(noisy, [1, 2, 3])).max() < 1e-2


def coil_at(points_mm):
    """Brightness of a coil in front on the right: from 0.7 to 1.5."""
    return 1.05 + 0.4 * np.tanh((points_mm @ np.array([0.5, 0.8, 0.2])) / 40)


@pytest.fixture(scope="module")
def shaded():
    """A brain of two tissues under a known field."""
    shape, affine = (72, 86, 76), np.eye(4)
    affine[:3, 3] = [-36, -43, -38]
    brain = sample(brain_at, shape, affine)
    folds = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), 3) > 0
    field = sample(coil_at, shape, affine)
    noise = np.random.default_rng(1).normal(scale=10, size=shape)
    scan = np.where(brain, np.where(folds, 600, 400) * field + noise, 0).astype(np.float32)
    return scan, brain, field, Grid(shape, affine)


def test_the_bias_field_that_was_laid_over_a_brain_is_found_again(shaded):
    scan, brain, field, grid = shaded
    found = bias_field(scan, brain, voxel_sizes_mm=grid.voxel_sizes_mm, **N4)
    assert found.shape == scan.shape and found.dtype == np.float32
    assert np.corrcoef(found[brain], field[brain])[0, 1] > 0.97
    left = (field / found)[brain]
    assert left.std() / left.mean() < 0.35 * field[brain].std() / field[brain].mean()


def test_n4_is_that_of_ants(shaded):
    scan, brain, _, _ = shaded
    ants = ants_on_one_thread()
    expected = ants.n4_bias_field_correction(
        ants.from_numpy(scan),
        mask=ants.from_numpy(brain.astype(np.float32)),
        shrink_factor=4,
        convergence={"iters": [50, 50, 50, 50], "tol": 1e-3},
        return_bias_field=True,
    ).numpy()
    found = bias_field(scan, brain, voxel_sizes_mm=np.ones(3), **N4)
    ratio = (found / expected)[brain]
    assert np.corrcoef(found[brain], expected[brain])[0, 1] > 0.98
    assert ratio.std() / ratio.mean() < 0.04


def test_n4_in_the_chain_leaves_little_of_the_field(shaded):
    scan, brain, field, grid = shaded
    ideal, _ = scaled((scan / field).astype(np.float32), brain, grid)
    plain, _ = scaled(scan, brain, grid)
    even, _ = scaled(scan, brain, grid, bias_field="n4", n4_iterations=N4["iterations"])
    assert np.abs(even - ideal)[brain].mean() < 0.45 * np.abs(plain - ideal)[brain].mean()


@pytest.fixture(scope="module")
def two_poses():
    """One brain, as two scanners stored it: turned, shifted and with its first axis the other way round."""
    image = load_mni152_template(resolution=2)
    brain = load_mni152_brain_mask(resolution=2).get_fdata() > 0
    values = np.where(brain, np.asarray(image.dataobj, dtype=np.float32), 0)
    turn = nib.eulerangles.euler2mat(z=0.1, y=-0.06, x=0.12)
    moved = nib.affines.from_matvec(turn, [8.0, -6.0, 10.0])
    mirror = nib.affines.from_matvec(np.diag([-1.0, 1, 1]), [values.shape[0] - 1, 0, 0])
    straight = Volume(values, np.asarray(image.affine, float), "straight.nii")
    return straight, Volume(values[::-1], moved @ image.affine @ mirror, "turned.nii"), moved


def test_registered_brains_lie_on_one_grid_and_keep_their_millilitres(two_poses):
    straight, turned, moved = two_poses
    found = []
    for scan in (straight, turned):
        mask = Volume(scan.intensities > 0, scan.affine)
        grid, brain = register_to_template(scan, mask, spacing_mm=2.0)
        own_ml = mask.intensities.sum() * Grid(mask.intensities.shape, scan.affine).voxel_ml
        assert brain.sum() * grid.voxel_ml == pytest.approx(own_ml, rel=0.02)
        found.append((grid, brain, resample_to_grid(scan, grid, interpolation="linear")))
    (grid, brain, head), (other_grid, other_brain, other_head) = found
    assert grid.shape == other_grid.shape
    assert 2 * (brain & other_brain).sum() / (brain.sum() + other_brain.sum()) > 0.98
    assert np.corrcoef(head[brain], other_head[brain])[0, 1] > 0.97
    # a voxel of both grids is the same place of the same person
    places = np.argwhere(brain)[::997]
    here_mm = nib.affines.apply_affine(moved @ grid.affine, places)
    there_mm = nib.affines.apply_affine(other_grid.affine, places)
    assert np.linalg.norm(here_mm - there_mm, axis=1).max() < 1.5


def test_registration_in_the_chain_leads_back_to_the_scan(two_poses):
    _, turned, _ = two_poses
    found = prepare_brain(
        {"t1": turned},
        lesions=[],
        brain_mask=None,
        skull_strip="none",
        settings=replace(SETTINGS, register="affine", spacing_mm=2.0, denoise="none"),
    )
    mask = Volume(found.brain.astype(np.float32), found.grids["brain"].affine)
    back = resample_to_grid(mask, found.grids["scan"], interpolation="nearest") > 0
    own = turned.intensities > 0
    assert 2 * (back & own).sum() / (back.sum() + own.sum()) > 0.97
