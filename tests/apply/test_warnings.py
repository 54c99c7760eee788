"""Scans that are unlike those of the training are named, each with its number and the healthy range."""

from dataclasses import replace

import numpy as np
import pytest

from spatial_erasing.apply.bundle import open_bundle
from spatial_erasing.apply.one_scan import Asked, Model, examine
from spatial_erasing.apply.warnings import healthy_volumes, warnings_of
from tests.apply.small_study import head

STRIPPED = Asked(skull_strip="none")


@pytest.fixture(scope="module")
def model(bundle):
    return Model(open_bundle(bundle))


def warned(scan, model, asked=STRIPPED, *, was_stripped=True):
    found = examine(replace(scan, path="t1.nii.gz"), model, asked)
    return {warning["name"]: warning for warning in warnings_of(found, model, was_stripped=was_stripped)}


def values(function):
    scan, rng = head(12), np.random.default_rng(0)
    inside = scan.intensities > 0
    return replace(scan, intensities=np.where(inside, function(scan.intensities, rng), 0).astype(np.float32))


def depth_of(scan):
    place = (
        np.moveaxis(np.indices(scan.intensities.shape), 0, -1) - (np.array(scan.intensities.shape) - 1) / 2
    )
    return 1 - np.linalg.norm(place * 2 / [28.0, 35.0, 30.0], axis=-1)


def bright_inside(scan, sign):
    """A brain that is brighter inside than at its rim, as on a T1, or darker."""
    inside = scan.intensities > 0
    shaded = np.where(inside, 400 + sign * 300 * depth_of(scan) + 0.05 * scan.intensities, 0)
    return replace(scan, intensities=shaded.astype(np.float32))


def test_noise_is_no_head_and_stops(model):
    found = warned(values(lambda given, rng: rng.uniform(1, 1000, given.shape)), model)
    warning = found["not a head"]
    assert warning["stop"] and warning["value"] < warning["low"] == 0.25
    assert next(iter(found)) == "not a head"  # those that stop come first


def test_a_brain_that_is_dark_inside_is_another_sequence(model):
    inverted = warned(bright_inside(head(12), -1), model)["another sequence"]
    assert inverted["stop"] and inverted["value"] < 0 and "Give the T1" in inverted["text"]
    assert "another sequence" not in warned(bright_inside(head(12), 1), model)


def test_a_contrast_that_no_training_brain_has_is_named(model):
    usual = warned(head(12), model)
    assert "intensity curve" not in usual and "residual" not in usual
    two_tones = warned(
        values(lambda given, _: np.where(given > np.median(given[given > 0]), 900, 100)), model
    )
    warning = two_tones["intensity curve"]
    assert warning["high"] == -warning["low"] == 0.1 and abs(warning["value"]) > 0.1


@pytest.mark.parametrize("score", ["residual", "dark", "structural"])
def test_a_brain_that_is_reconstructed_badly_everywhere_is_named_with_every_score(model, score):
    """The dark score is 0 in half of every brain: its own median would stop a usual scan with a lesion."""
    asked, scan = replace(STRIPPED, score=score), head(12)
    assert "residual" not in warned(scan, model, asked)
    assert "residual" not in warned(head(12, with_lesion=True), model, asked)
    x, y, _ = np.indices(scan.intensities.shape)
    checked = np.where(scan.intensities > 0, np.where((x // 5 + y // 5) % 2, 900, 400), 0).astype(np.float32)
    warning = warned(replace(scan, intensities=checked), model, asked)["residual"]
    assert warning["value"] > warning["high"] > 0


def test_a_small_brain_is_named_with_the_healthy_range(model):
    low, high = healthy_volumes(model)
    assert low <= model.brains.brain_ml.min() and high >= model.brains.brain_ml.max()
    small = head(12)
    small = replace(small, affine=np.diag([0.8, 0.8, 0.8, 1]) @ small.affine)
    warning = warned(small, model)["brain volume"]
    assert warning["value"] < warning["low"] == pytest.approx(low) and "child" in warning["text"]
    assert not warning["stop"]


def test_a_cut_scan_is_named(model):
    scan = head(12)
    cut = scan.intensities.copy()
    cut[..., : cut.shape[2] // 3] = 0
    assert "field of view" in warned(replace(scan, intensities=cut), model)


def test_a_stripped_scan_that_was_given_as_a_head_is_named(model):
    scan = head(12)
    mask = replace(scan, intensities=(scan.intensities > 0).astype(np.float32), path="mask.nii.gz")
    as_head = Asked(skull_strip="given", brain_mask=mask)
    assert warned(scan, model, as_head, was_stripped=False)["already stripped"]["value"] == 0
    surrounded = np.where(scan.intensities > 0, scan.intensities, 300).astype(np.float32)
    found = warned(replace(scan, intensities=surrounded), model, as_head, was_stripped=False)
    assert "already stripped" not in found
