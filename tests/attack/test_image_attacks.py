"""Scans and masks whose values or headers are not what they seem: each is right, refused, or warned of.

A table of (attack, what it does to a good subject, what the manifest says). "done" cases must give the brain
and the lesion of the good subject; the real scans are those that the attack was found on.
"""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from spatial_erasing.images.volumes import Volume, read_volume
from spatial_erasing.preprocess.chain import prepare_brain
from spatial_erasing.preprocess.subject import prepare_subject, read_finished
from tests.preprocess.analytic_head import SETTINGS, rotation, write_subject

REAL = os.environ.get("SPATIAL_ERASING_DATA")
COARSE = replace(SETTINGS, spacing_mm=4.0, brain_range_ml=(400, 2500))
SHAPE = (44, 50, 44)  # of 4 mm
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = -2 * (np.array(SHAPE) - 1)
POINTS = np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2
RADIUS = np.linalg.norm(POINTS / [16.5, 20, 16], axis=-1)
BRAIN = RADIUS < 1
T1 = np.where(BRAIN, 700 - 400 * RADIUS**2 + 60 * np.sin(POINTS[..., 0] / 3), 0).astype(np.float32)
LESION = np.linalg.norm(POINTS - [-7, 4, 3], axis=-1) < 5
BRAIN_ML, LESION_ML = BRAIN.sum() * 0.064, LESION.sum() * 0.064
Z = np.where(BRAIN, (T1 - T1[BRAIN].mean()) / T1[BRAIN].std(), 0)
NOISE = np.where(BRAIN, np.random.default_rng(0).uniform(100, 900, SHAPE), 0)


def graded(mask):
    return np.round(255 * zoom(zoom(mask.astype(float), 0.5, order=1), 2, order=1))


def without(scan, *slices):
    scan = scan.copy()
    scan[:, :, list(slices)] = 0
    return scan


def moved(matrix, shift_mm=0.0):
    affine = AFFINE.copy()
    affine[:3, :3] = matrix @ affine[:3, :3]
    affine[:3, 3] = matrix @ affine[:3, 3] + shift_mm
    return affine


# attack: (what replaces scan, lesion, the lesion's affine or the skull strip; status; reason or warning)
ATTACKS = {
    "nothing": ({}, "done", "^$"),
    "z-scored inside the brain": ({"scan": Z}, "done", r"of the voxels with signal lie below the background"),
    "z-scored, mask given": ({"scan": Z, "strip": "given"}, "done", r"of its brain's voxels are negative"),
    "z-scored as a whole": ({"scan": (T1 - 100) / 220}, "done", r"background of -0\.4545 was subtracted"),
    "background -1000": ({"scan": np.where(BRAIN, T1, -1000)}, "done", "background of -1000 was set to 0"),
    "offset -1000": ({"scan": T1 - 1000}, "done", "background of -1000 was subtracted"),
    "background 1": ({"scan": np.where(BRAIN, T1, 1)}, "done", "^$"),
    "ringing around the brain": ({"scan": T1 - 60 * (np.abs(RADIUS - 1.06) < 0.0008)}, "done", "^$"),
    "one empty slice": ({"scan": without(T1, 12)}, "done", r"\d % of the brain mask are not connected"),
    "two empty slices": (
        {"scan": without(T1, 12, 30)},
        "done",
        r"\d % .* not connected .* all of it is kept",
    ),
    "top outside the scan": ({"scan": T1[:, :, :32]}, "done", r"touches the superior face .* over \d+ cm²"),
    "front outside the scan": ({"scan": T1[:, :40]}, "done", r"touches the anterior face .* over \d+ cm²"),
    "top filled with 0": (
        {"scan": without(T1, *range(30, 44))},
        "done",
        r"ends in a plane of \d+ cm² on its sup",
    ),
    "inverted contrast": (
        {"scan": np.where(BRAIN, 1000 - T1, 0)},
        "done",
        r"darker inside .* -0\.\d\d, a T1",
    ),
    "ten empty slices, mask given": (
        {"scan": without(T1, *range(14, 24)), "strip": "given"},
        "done",
        r"t1: \d\d\.\d % of the brain's voxels hold no signal",
    ),
    "two empty slices, mask given": (
        {"scan": without(T1, 12, 30), "strip": "given"},
        "done",
        r"t1: \d\.\d % of the brain's voxels hold no signal",
    ),
    "a sphere of noise": ({"scan": NOISE}, "done", r"neighbouring voxels .* correlate with -?0\.0"),
    "lesion is the brain mask": ({"lesion": BRAIN}, "failed", r"lesion holds (\d+) ml, the brain \1 ml"),
    "lesion is the scan": ({"lesion": T1}, "failed", r"lesion\.nii\.gz: .*probably a brain mask, a scan"),
    "inverted lesion": ({"lesion": ~LESION}, "failed", r"lesion holds 6\d\d\d ml.*expected at most half"),
    "graded lesion, uint8": ({"lesion": graded(LESION)}, "done", r"graded from 0 to 255: voxels of 127\.5"),
    "graded lesion, float": ({"lesion": graded(LESION) / 2.5}, "done", r"graded from 0 to 102: voxels of 51"),
    "graded lesion of 10 steps": (
        {"lesion": np.round(10 * gaussian_filter(LESION.astype(float), 1.0))},
        "done",
        r"graded from 0 to 10: voxels of 5",
    ),
    "graded lesion of 3 steps": (
        {"lesion": 85 * np.round(3 * gaussian_filter(LESION.astype(float), 0.7))},
        "done",
        r"graded from 0 to 255: voxels of 127\.5",
    ),
    "graded lesion of 4 steps": (
        {"lesion": 25 * np.ceil(4 * gaussian_filter(LESION.astype(float), 0.7) - 0.3)},
        "done",
        r"graded from 0 to 100: voxels of 50 or",
    ),
    "probability": ({"lesion": gaussian_filter(LESION.astype(float), 0.7)}, "done", "^$"),
    "lesion labels": ({"lesion": LESION * np.where(POINTS[..., 0] > -7, 4, 1)}, "done", "^$"),
    "most of the lesion outside": (
        {"lesion": np.linalg.norm(POINTS - [-18, 0, 0], axis=-1) < 4},
        "done",
        "outside the brain mask: compare the lesion with its scan",
    ),
    "lesion turned by 0.6°": (
        {"affine": moved(rotation((0, 0, 0.6)))},
        "failed",
        r"corners .* 1\.\d+ mm off",
    ),
    "lesion scaled by 1.009": ({"affine": moved(1.009 * np.eye(3))}, "failed", r"corners .* 1\.\d+ mm off"),
    "lesion moved by 0.02 mm": ({"affine": moved(np.eye(3), 0.02)}, "done", "^$"),
    "lesion moved by 2 mm": ({"affine": moved(np.eye(3), 2)}, "failed", r"corners .* 3\.46 mm off"),
}
SMOOTH = gaussian_filter(BRAIN.astype(float), 1.5)
NOISY = np.clip(SMOOTH + np.random.default_rng(0).uniform(-0.05, 0.05, SHAPE) * (SMOOTH > 0.9), 0, 1)
PARCELS = np.where(BRAIN, 2000 + (POINTS.sum(axis=-1) // 6) % 34 + 100 * (POINTS[..., 0] > 0), 0)
# a brain mask: (what it holds, what the manifest says)
MASKS = {
    "0 and 1": (BRAIN, "^$"),
    "0 and 255": (255 * BRAIN, "^$"),
    "0 and 0.4": (0.4 * BRAIN, "^$"),
    "probability": (SMOOTH, "^$"),
    "probability with noise inside": (NOISY, "^$"),
    "probability of 0.6 at most": (0.6 * SMOOTH, r"mask.* is graded from 0 to 0\.6: voxels of 0\.3 or more"),
    "percent": (100 * SMOOTH, r"is graded from 0 to 100: voxels of 50 or more count as brain"),
    "0 to 255": (np.round(255 * SMOOTH), r"is graded from 0 to 255: voxels of 127\.5 or more count as brain"),
    "three steps": (85 * np.round(3 * SMOOTH), r"graded from 0 to 255: voxels of 127\.5 or more"),
    "tissues": (np.where(BRAIN, 1 + (RADIUS < 0.8) + (RADIUS < 0.6), 0), "^$"),
    "parcels": (PARCELS, "^$"),
    "the brain itself": (T1, r"holds intensities as a scan does: every voxel above 0 counts as brain"),
    "the brain from 0 to 1": (T1 / T1.max(), r"holds intensities as a scan does"),
}


@pytest.mark.parametrize("attack", MASKS)
def test_a_given_brain_mask_is_read_by_its_range(tmp_path, attack):
    mask, said = MASKS[attack]
    row = write_attack(tmp_path / "subject", strip="given")
    nib.save(nib.Nifti1Image(np.asarray(mask, np.float32), AFFINE), row["brain_mask"])
    found = prepare_subject([row], folder=tmp_path / "done", settings=COARSE, code="code")
    assert found["status"] == "done" and re.search(said, found["warning"]), found
    assert found["brain_ml"] == pytest.approx(BRAIN_ML, rel=0.03)


# what these do to a brain cannot be undone, only said
CHANGED = {
    "top outside the scan",
    "top filled with 0",
    "front outside the scan",
    "most of the lesion outside",
}


def write_attack(folder, *, scan=T1, lesion=LESION, affine=AFFINE, strip="none"):
    box = tuple(slice(0, size) for size in np.shape(scan))
    row = write_subject(
        folder,
        Volume(np.asarray(scan, np.float32), AFFINE),
        lesion=Volume(LESION[box], AFFINE),
        brain_mask=Volume(BRAIN[box], AFFINE),
        skull_strip=strip,
    )
    (path,) = json.loads(row["lesion"])
    nib.save(nib.Nifti1Image(np.asarray(lesion, np.float32)[box], affine), path)
    return row


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attacked_subject_is_right_or_refused_or_warned_of(tmp_path, attack):
    changes, status, said = ATTACKS[attack]
    row = write_attack(tmp_path / "subject", **changes)
    found = prepare_subject([row], folder=tmp_path / "done", settings=COARSE, code="code")
    assert found["status"] == status, found["reason"]
    assert re.search(said, found["warning"] if status == "done" else found["reason"]), found
    if status == "done" and attack not in CHANGED:
        assert found["brain_ml"] == pytest.approx(BRAIN_ML, rel=0.08 if "empty" in attack else 0.01)
        assert found["lesion_ml"] == pytest.approx(LESION_ML, rel=0.12 if "graded" in attack else 0.03)


T1CE = 1.2 * T1 + 5 * BRAIN
# attack: (the T1ce beside a good T1, what the manifest says)
SECOND = {
    "nothing": (T1CE, "^$"),
    "ten empty slices": (
        without(T1CE, *range(14, 24)),
        r"t1ce: \d\d\.\d % of the brain's voxels hold no sig",
    ),
    "another head": (np.roll(T1CE, 3, axis=0), r"t1ce: its brain and that of the t1 .* a Dice of 0\.8\d,"),
}


@pytest.mark.parametrize("attack", SECOND)
def test_a_second_sequence_that_does_not_fit_the_t1_is_warned_of(tmp_path, attack):
    t1ce, said = SECOND[attack]
    row = write_attack(tmp_path / "subject")
    second = write_subject(
        tmp_path / "t1ce", Volume(np.asarray(t1ce, np.float32), AFFINE), skull_strip="none"
    )
    rows = [row, row | {"sequence": "t1ce", "path": second["path"], "sha256": second["sha256"]}]
    found = prepare_subject(rows, folder=tmp_path / "done", settings=COARSE, code="code")
    assert found["status"] == "done" and re.search(said, found["warning"]), found


@pytest.mark.parametrize("attack", [name for name in ATTACKS if "z-scored" in name or "-1000" in name])
def test_a_shifted_scan_gives_the_brain_of_the_measured_one(tmp_path, attack):
    found = {}
    for name in ("nothing", attack):
        row = write_attack(tmp_path / name, **ATTACKS[name][0])
        prepare_subject([row], folder=tmp_path / f"{name} done", settings=COARSE, code="code")
        found[name] = read_volume(tmp_path / f"{name} done/t1.nii.gz").intensities
    assert np.abs(found[attack] - found["nothing"]).mean() < 0.01


def test_a_negative_scan_is_refused_where_it_should_be_from_0_to_1_already(tmp_path):
    row = write_attack(tmp_path / "subject", scan=np.where(BRAIN, T1 / 800 - 0.4, 0))
    settings = replace(COARSE, percentiles_of="none")
    found = prepare_subject([row], folder=tmp_path / "done", settings=settings, code="code")
    assert found["status"] == "failed"
    assert re.search(
        r"percentiles_of is none.*lie below the background.*set preprocess\.percentiles_of", found["reason"]
    )
    assert read_finished(tmp_path / "done", asked={}, code="", files=[]) is None


def real_t1s():
    names = ("brats/HGG/*/*_t1.nii.gz", "lesion/*T1*.nii.gz", "brain_only/*sub-5[246]*.nii.gz")
    return [path for name in names for path in sorted(Path(REAL or "/nonexistent").glob(name))]


def prepare_real(volume, strip="none"):
    volume = replace(volume, warnings=())  # of two headers that disagree
    found = prepare_brain({"t1": volume}, lesions=[], brain_mask=None, skull_strip=strip, settings=COARSE)
    return found, " ".join(found.warnings)


def with_values(volume, values):
    return replace(volume, intensities=np.asarray(values, dtype=np.float32))


@pytest.mark.long
@pytest.mark.skipif(not REAL, reason="SPATIAL_ERASING_DATA is not set")
def test_real_stripped_scans_are_not_doubted():
    """But three gliomas whose field of view cuts the cerebellum."""
    doubted = {path.name: said for path in real_t1s() if (said := prepare_real(read_volume(path))[1])}
    assert sorted(doubted) == [f"Brats18_TCIA{case}_1_t1.nii.gz" for case in ("01_201", "01_499", "02_370")]
    for said in doubted.values():
        assert re.fullmatch(r"The brain touches the inferior face of the scan over \d\d cm².*", said)


@pytest.mark.long
@pytest.mark.skipif(not REAL, reason="SPATIAL_ERASING_DATA is not set")
def test_a_real_head_that_was_z_scored_or_shifted_gives_the_same_brain():
    head = read_volume(Path(REAL) / "whole_head/ds000011_sub-08_T1w.nii.gz")
    values = head.intensities
    measured, said = prepare_real(head, "deepbet")
    assert said == ""
    found, said = prepare_real(with_values(head, (values - values.mean()) / values.std()), "deepbet")
    assert np.array_equal(found.brain, measured.brain) and "of its brain's voxels are negative" in said
    assert np.abs(found.sequences["t1"] - measured.sequences["t1"]).max() < 0.01
    _, said = prepare_real(with_values(head, np.where(values > 10, values.max() - values, 0)), "deepbet")
    assert "darker inside than at its rim" in said
    top = int(np.flatnonzero(measured.brain.any(axis=(0, 1)))[-1])
    top_mm = nib.affines.apply_affine(measured.grids["brain"].affine, [0, 0, top])[2]
    planes = int((top_mm - 25 - head.affine[2, 3]) / head.affine[2, 2])
    _, said = prepare_real(with_values(head, values[:, :, :planes]), "deepbet")
    assert "touches the superior face" in said
