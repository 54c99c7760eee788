from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.stats import kstest, rice

from spatial_erasing.images.volumes import write_volume
from spatial_erasing_phantoms.anatomy import rotation
from spatial_erasing_phantoms.fields import Field, Grid
from spatial_erasing_phantoms.head import Head, render_head
from spatial_erasing_phantoms.scanner import (
    GEOMETRIES,
    T1_SIGNAL,
    apply_acquisition,
    draw_acquisition,
    draw_grid,
    draw_scanner,
    oriented_grid,
)


@pytest.fixture(scope="module")
def acquisition():
    scanner = draw_scanner(np.random.default_rng(1), "scanner-1", geometry=0)
    return draw_acquisition(np.random.default_rng(2), scanner)


@pytest.fixture
def flat(acquisition):
    """The same scan without bias field and texture."""
    bias, texture = (
        Field(torch.zeros_like(field.values), field.affine)
        for field in (acquisition.bias, acquisition.texture)
    )
    return replace(acquisition, bias=bias, texture=texture)


def _one_tissue(name: str, shape: tuple = (40, 40, 40)) -> Head:
    share = torch.ones(shape)
    return Head(Grid(shape, np.eye(4)), {name: share}, {}, share)


@pytest.mark.parametrize("orientation", ["RAS", "LAS", "LPS", "PIR", "SAR", "AIL"])
def test_grids_have_the_orientation_voxels_and_centre_asked_for(orientation):
    grid = oriented_grid(
        orientation, np.array([1.0, 1.2, 1.5]), np.array([3.0, -18.0, 5.0]), turn=rotation(0.1, 0.05, -0.08)
    )
    assert "".join(nib.aff2axcodes(grid.affine)) == orientation
    by_world_axis = dict(
        zip(orientation.translate(str.maketrans("LPI", "RAS")), grid.voxel_sizes_mm, strict=True)
    )
    assert by_world_axis == pytest.approx({"R": 1.0, "A": 1.2, "S": 1.5})
    middle = grid.affine @ [*((np.array(grid.shape) - 1) / 2), 1]
    np.testing.assert_allclose(middle[:3], [3, -18, 5], atol=1e-9)


def test_scanners_cover_the_orientations_of_public_data_and_differ():
    scanners = [
        draw_scanner(np.random.default_rng(index), f"scanner-{index}", geometry=index) for index in range(5)
    ]
    grids = [draw_grid(np.random.default_rng(0), scanner, 2.0) for scanner in scanners]
    codes = ["".join(nib.aff2axcodes(grid.affine)) for grid in grids]
    assert codes == ["LAS", "LPS", "PIR", "RAS", "LAS"]
    assert len(GEOMETRIES) == 4
    oblique = [not np.allclose(np.sort(np.abs(grid.affine[:3, :3]), axis=0)[:2], 0) for grid in grids]
    assert oblique == [False, True, True, False, False]
    assert len({scanner.signal["grey"] for scanner in scanners}) == 5
    for scanner in scanners:
        assert all(low <= scanner.signal[name] <= high for name, (low, high) in T1_SIGNAL.items())
        assert scanner.signal["white"] > scanner.signal["grey"] > scanner.signal["csf"]


def test_coarser_voxels_keep_the_field_of_view():
    scanner = draw_scanner(np.random.default_rng(1), "scanner-1", geometry=1)
    fine, coarse = (draw_grid(np.random.default_rng(0), scanner, spacing_mm) for spacing_mm in (1.0, 2.0))
    np.testing.assert_allclose(
        np.array(fine.shape) * fine.voxel_sizes_mm, np.array(coarse.shape) * coarse.voxel_sizes_mm, atol=2.0
    )


@pytest.mark.parametrize("name", ["white", "csf"])
def test_noise_is_rician(flat, name):
    noisy = replace(flat, white_level=20000.0, noise=0.05)
    scan = apply_acquisition(noisy, _one_tissue(name)).ravel() / 20000
    assert kstest(scan, rice(flat.signal[name] / 0.05, scale=0.05).cdf).pvalue > 0.001


def test_two_scans_have_different_noise_and_one_scan_always_the_same(flat):
    head = _one_tissue("grey")
    flat = replace(flat, white_level=10000.0)
    first, again = (apply_acquisition(flat, head).ravel() for _ in range(2))
    other = apply_acquisition(replace(flat, noise_seed=flat.noise_seed + 1), head).ravel()
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.02


def test_air_holds_rayleigh_noise_and_nothing_when_stripped(flat):
    empty = _one_tissue("white")
    empty = replace(empty, tissues={"white": torch.zeros(40, 40, 40)}, brain=torch.zeros(40, 40, 40))
    flat = replace(flat, white_level=10000.0)
    assert apply_acquisition(flat, empty).mean() / 10000 == pytest.approx(
        flat.noise * np.sqrt(np.pi / 2), rel=0.02
    )
    assert not apply_acquisition(flat, empty, skull_stripped=True).any()


def test_the_bias_field_multiplies(flat):
    doubled = replace(
        flat, noise=1e-6, bias=Field(torch.full_like(flat.bias.values, np.log(2)), flat.bias.affine)
    )
    plain = replace(flat, noise=1e-6)
    head = _one_tissue("grey")
    np.testing.assert_allclose(
        apply_acquisition(doubled, head), 2 * apply_acquisition(plain, head), atol=1.01
    )


def test_mixed_voxels_hold_the_mean_of_their_tissues(flat):
    half = torch.full((20, 20, 20), 0.5)
    head = Head(Grid((20, 20, 20), np.eye(4)), {"white": half}, {"fat": torch.ones(20, 20, 20)}, half)
    expected = (0.5 * flat.signal["white"] + 0.5 * flat.signal["fat"]) * flat.white_level
    assert apply_acquisition(replace(flat, noise=1e-6), head).mean() == pytest.approx(expected, abs=1)


def test_a_scan_in_every_orientation_is_the_same_world_image(person, template, acquisition, tmp_path):
    """SimpleITK resamples each written scan to one grid; only interpolation may differ."""
    quiet = replace(acquisition, noise=1e-6, white_level=1000.0)
    turned = rotation(0.1, 0.05, -0.06)
    centre_mm = np.array([0.0, -18.0, 0.0])
    grids = [
        oriented_grid(orientation, np.full(3, 2.0), centre_mm, turn=turn)
        for orientation, turn in (("RAS", np.eye(3)), ("LAS", np.eye(3)), ("LPS", turned), ("PIR", turned))
    ]
    images = []
    for index, grid in enumerate(grids):
        path = tmp_path / f"{index}.nii.gz"
        write_volume(path, apply_acquisition(quiet, render_head(template, *person, grid)), grid.affine)
        images.append(sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkFloat32))
    reference, *others = (sitk.GetArrayFromImage(sitk.Resample(image, images[0])) for image in images)
    # the smallest field of view shared by all
    inner = (slice(15, -15), slice(15, -15), slice(10, -10))
    reference = reference[inner]
    for other in others:
        assert np.corrcoef(reference.ravel(), other[inner].ravel())[0, 1] > 0.985
        assert np.abs(reference - other[inner]).mean() < 30
    assert np.abs(reference - others[0][inner]).mean() < 12
    assert np.abs(reference - reference[:, :, ::-1]).mean() > 60  # the body's side matters
