from dataclasses import replace

import numpy as np
import pytest
from analytic_head import SETTINGS, brain_at, intensities_at, lesion_at, variant

from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.chain import measure_brain, prepare_brain, unite_lesions
from spatial_erasing.preprocess.resample import isotropic_grid


def given_head(name="RAS", **kept):
    arguments = {
        "lesions": [],
        "brain_mask": variant(name, brain_at),
        "skull_strip": "given",
        "settings": SETTINGS,
    }
    return prepare_brain({"t1": variant(name)}, **(arguments | kept))


def with_values(volume, function):
    return Volume(function(volume.intensities).astype(np.float32), volume.affine, volume.path)


def test_a_given_mask_is_the_brain_to_the_voxel():
    prepared = given_head()
    mask = variant("RAS", brain_at).intensities > 0
    occupied = np.argwhere(mask)
    box = tuple(slice(a, b + 1) for a, b in zip(occupied.min(axis=0), occupied.max(axis=0), strict=True))
    assert np.array_equal(prepared.brain, mask[box])
    assert np.allclose(
        prepared.grids["brain"].affine[:3, 3], variant("RAS").affine[:3, 3] + occupied.min(axis=0)
    )
    assert prepared.measures["brain_ml"] == pytest.approx(mask.sum() / 1000)
    assert tuple(prepared.measures[f"box_{axis}_voxels"] for axis in "xyz") == prepared.brain.shape


def test_the_prepared_brain_is_0_to_1_and_black_outside():
    prepared = given_head(lesions=[variant("RAS", lesion_at)])
    scan = prepared.sequences["t1"]
    assert scan.min() == 0 and scan.max() == 1 and (scan[~prepared.brain] == 0).all()
    assert 0.3 < scan[prepared.brain].mean() < 0.7


def test_what_lies_outside_the_brain_has_no_influence():
    """Skull and scalp, however bright, are gone before denoising and percentiles."""
    scan, mask = variant("RAS"), variant("RAS", brain_at)
    loud = Volume(
        np.where(mask.intensities > 0, scan.intensities, 5000).astype(np.float32), scan.affine, "loud.nii"
    )
    quiet = prepare_brain({"t1": scan}, lesions=[], brain_mask=mask, skull_strip="given", settings=SETTINGS)
    heard = prepare_brain({"t1": loud}, lesions=[], brain_mask=mask, skull_strip="given", settings=SETTINGS)
    assert np.abs(quiet.sequences["t1"] - heard.sequences["t1"]).max() < 1e-5


@pytest.mark.parametrize("skull_strip", ["none", "given"])
def test_the_brain_is_that_of_the_first_sequence_whatever_it_is_called(skull_strip):
    """The second sequence shows a smaller brain; neither its name nor its place in the alphabet counts."""
    scan, mask = variant("RAS"), variant("RAS", brain_at)
    whole = with_values(scan, lambda values: np.where(mask.intensities > 0, values, 0))
    small = with_values(whole, lambda values: np.where(values > 500, values, 0))
    kept = {"lesions": [], "skull_strip": skull_strip, "settings": SETTINGS}
    alone = prepare_brain({"t1": whole}, brain_mask=mask, **kept)
    both = prepare_brain({"flair": whole, "adc": small}, brain_mask=mask, **kept)
    np.testing.assert_array_equal(both.brain, alone.brain)
    np.testing.assert_array_equal(both.sequences["flair"], alone.sequences["t1"])
    assert both.measures == alone.measures and list(both.sequences) == ["flair", "adc"]


def test_the_scanner_s_scale_does_not_matter():
    first = given_head()
    scaled = prepare_brain(
        {"t1": with_values(variant("RAS"), lambda values: 0.01 * values)},
        lesions=[],
        brain_mask=variant("RAS", brain_at),
        skull_strip="given",
        settings=replace(SETTINGS, denoise_iterations=0),
    )
    plain = given_head(settings=replace(SETTINGS, denoise_iterations=0))
    assert np.abs(plain.sequences["t1"] - scaled.sequences["t1"]).max() < 1e-4
    assert np.abs(plain.sequences["t1"] - first.sequences["t1"]).max() > 1e-4, "denoising does something"


def test_a_second_sequence_shares_mask_and_box_and_has_percentiles_of_its_own():
    scan, mask = variant("oblique"), variant("oblique", brain_at)
    second = with_values(scan, lambda values: 3 * values)
    prepared = prepare_brain(
        {"t1": scan, "t1ce": second}, lesions=[], brain_mask=mask, skull_strip="given", settings=SETTINGS
    )
    difference = np.abs(prepared.sequences["t1"] - prepared.sequences["t1ce"])
    assert difference.max() < 1e-3
    alone = prepare_brain({"t1": scan}, lesions=[], brain_mask=mask, skull_strip="given", settings=SETTINGS)
    assert np.array_equal(alone.sequences["t1"], prepared.sequences["t1"])
    assert prepared.measures == alone.measures


def test_several_lesion_files_are_united_and_every_label_counts():
    whole = variant("RAS", lesion_at)
    half = np.arange(whole.intensities.shape[0])[:, None, None] < 24
    left, right = (with_values(whole, lambda values, part=part: values * part) for part in (half, ~half))
    right = with_values(right, lambda values: 4 * values)  # an enhancing tumour's label
    grid, everywhere = isotropic_grid(whole, spacing_mm=1.0), np.ones(whole.intensities.shape, dtype=bool)
    assert left.intensities.any() and right.intensities.any()
    united = unite_lesions([left, right], grid, brain=everywhere)
    assert np.array_equal(united, whole.intensities > 0)


def test_a_lesion_beyond_the_brain_is_kept_and_measured():
    beyond = variant("RAS", lambda points: np.linalg.norm(points - [-28, 0, 0], axis=-1) < 8)
    prepared = given_head(lesions=[beyond])
    outside = prepared.lesion & ~prepared.brain
    assert prepared.lesion.sum() == beyond.intensities.sum()
    assert 0 < outside.sum() < prepared.lesion.sum()
    percent = 100 * outside.sum() / prepared.lesion.sum()
    assert prepared.measures["lesion_outside_brain_percent"] == pytest.approx(percent)
    assert prepared.measures["box_x_voxels"] < prepared.lesion.shape[0], "the box measured is the brain's"


def test_measures_of_healthy_brains_have_no_lesion():
    brain = np.zeros((5, 6, 7), dtype=bool)
    brain[1:4, 2:4, 3:7] = True
    measures = measure_brain(brain, np.zeros_like(brain), centred=((1, 2, 3), (4, 4, 7)), voxel_ml=0.008)
    assert measures == {
        "brain_ml": pytest.approx(24 * 0.008),
        "lesion_ml": 0,
        "lesion_outside_brain_percent": 0,
        **{"box_x_voxels": 3, "box_y_voxels": 2, "box_z_voxels": 4},
    }


@pytest.mark.parametrize("spacing_mm", [1.5, 2.0])
def test_another_spacing_keeps_the_brain_s_millilitres(spacing_mm):
    prepared = given_head(settings=replace(SETTINGS, spacing_mm=spacing_mm))
    assert prepared.measures["brain_ml"] == pytest.approx(
        variant("RAS", brain_at).intensities.sum() / 1000, rel=0.02
    )
    assert prepared.grids["brain"].voxel_sizes_mm == pytest.approx([spacing_mm] * 3)


def test_preparing_is_deterministic():
    first, second = given_head("thick slices"), given_head("thick slices")
    assert np.array_equal(first.sequences["t1"], second.sequences["t1"])


def test_the_scan_itself_is_left_alone():
    scan = Volume(variant("RAS", intensities_at).intensities, variant("RAS").affine, "scan.nii")
    before = scan.intensities.copy()
    prepare_brain({"t1": scan}, lesions=[], brain_mask=None, skull_strip="none", settings=SETTINGS)
    assert np.array_equal(scan.intensities, before)
