"""One head, written in many ways, through reading, the whole chain and downsampling."""

import nibabel as nib
import numpy as np
import pytest
from analytic_head import LESION_CENTRE_MM, LESION_ML, SETTINGS, VARIANTS, lesion_at, variant, write_subject

from spatial_erasing.images.volumes import read_volume
from spatial_erasing.preprocess.stack import StackSettings, shrink_subject
from spatial_erasing.preprocess.standardise.ways import Standard
from spatial_erasing.preprocess.subject import prepare_subject

GRIDS = StackSettings(Standard({"t1": "range"}, {}), (100, 116, 104), (64, 64, 64), "nearest")


@pytest.fixture(scope="module")
def processed(tmp_path_factory):
    """Manifest row, folder and small arrays of each variant."""
    results = {}
    for name in VARIANTS:
        folder = tmp_path_factory.mktemp("subject")
        scan = write_subject(folder / "raw", variant(name), lesion=variant(name, lesion_at))
        row = prepare_subject([scan], folder=folder / "done", settings=SETTINGS, code="")
        assert row["status"] == "done", row["reason"]
        results[name] = (row, folder, shrink_subject(folder / "done", sequences=("t1",), settings=GRIDS)[0])
    return results


def test_the_variants_differ_as_their_names_say():
    for name in ("RAS", "LAS", "LPS", "PIR"):
        assert "".join(nib.aff2axcodes(variant(name).affine)) == name
    for name in VARIANTS:
        directions = VARIANTS[name][0]
        assert np.allclose(directions.T @ directions, np.eye(3)), "lengths and right angles are kept"


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_of_a_head_gives_the_same_small_volume(processed, name):
    _, _, reference = processed["RAS"]
    _, _, small = processed[name]
    scan, expected = small["t1"].astype(float), reference["t1"].astype(float)
    either = small["brain"] | reference["brain"]
    shared = (
        2 * (small["brain"] & reference["brain"]).sum() / (small["brain"].sum() + reference["brain"].sum())
    )
    assert scan.shape == (64, 64, 64) and np.abs(scan - expected).mean() < 0.006
    assert np.corrcoef(scan[either], expected[either])[0, 1] > 0.98
    assert np.abs(scan - expected)[either].mean() < 0.04
    assert shared > 0.97


@pytest.mark.parametrize("name", ["LAS", "LPS", "PIR"])
def test_a_mere_change_of_axes_changes_nothing(processed, name):
    for array, expected in processed["RAS"][2].items():
        assert np.abs(processed[name][2][array].astype(float) - expected.astype(float)).max() < 2e-3


def test_a_head_is_not_its_own_mirror_image(processed):
    """What makes the two tests above sharp: a flipped axis would be seen."""
    scan = processed["RAS"][2]["t1"].astype(float)
    for axis in range(3):
        assert np.abs(scan - np.flip(scan, axis)).mean() > 0.012


@pytest.mark.parametrize("name", VARIANTS)
def test_a_lesion_keeps_its_millilitres_and_its_place_in_the_body(processed, name):
    row, folder, small = processed[name]
    assert row["lesion_ml"] == pytest.approx(LESION_ML, rel=0.03)
    small_voxel_ml = np.prod(np.divide(GRIDS.padded_grid_voxels, GRIDS.grid_voxels)) / 1000
    assert small["lesion"].sum() * small_voxel_ml == pytest.approx(LESION_ML, rel=0.06)

    stored = read_volume(folder / "done" / "lesion.nii.gz")
    centre_mm = nib.affines.apply_affine(stored.affine, np.argwhere(stored.intensities > 0)).mean(axis=0)
    assert np.allclose(centre_mm, LESION_CENTRE_MM, atol=0.3)

    from_middle = (np.argwhere(small["lesion"]).mean(axis=0) + 0.5) / 64 - 0.5
    expected = LESION_CENTRE_MM / GRIDS.padded_grid_voxels
    assert from_middle[0] < 0, "left stays left"
    assert np.allclose(from_middle, expected, atol=0.02)


def test_the_stored_brain_lies_where_the_scan_lies(processed):
    """The geometry that leads back: the stored affine says where in the world a voxel is."""
    (_, folder, _), raw = processed["thick oblique slices"], variant("thick oblique slices")
    brain = read_volume(folder / "done" / "brain.nii.gz")
    weight = np.clip(raw.intensities, 0, None) > 100
    scan_mm = nib.affines.apply_affine(raw.affine, np.argwhere(weight)).mean(axis=0)
    brain_mm = nib.affines.apply_affine(brain.affine, np.argwhere(brain.intensities > 0)).mean(axis=0)
    assert np.allclose(scan_mm, brain_mm, atol=0.3)
