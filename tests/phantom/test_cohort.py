import csv
from hashlib import sha256
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from deepbet.bet import BrainExtraction

from spatial_erasing.images.volumes import read_volume
from spatial_erasing_phantoms.cohort import (
    PhantomSettings,
    finish_cohort,
    make_subject,
    subject_name,
)
from spatial_erasing_phantoms.person import generator_of

KINDS = ("healthy", "brats", "atlas")


def _hashes(folder: Path, row: dict) -> dict[str, str]:
    files = [row[column] for column in ("t1", "t1ce", "lesion", "truth_brain", "truth_lesion") if row[column]]
    return {path: sha256((folder / path).read_bytes()).hexdigest() for path in files}


def _subjects(cohorts, *kinds):
    folder, rows = cohorts
    return [(folder / kind, row) for kind in kinds for row in rows[kind]]


@pytest.mark.parametrize("kind, threads", [("healthy", 2), ("brats", 1), ("atlas", 1)])
def test_a_subject_is_the_same_byte_for_byte_whatever_was_made_before(
    cohorts, settings, kind, threads, tmp_path
):
    folder, rows = cohorts
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        again = make_subject(kind, tmp_path, 2, seed=11, settings=settings)
    finally:
        torch.set_num_threads(threads_before)
    assert again == rows[kind][2]
    assert _hashes(tmp_path, again) == _hashes(folder / kind, rows[kind][2])


def test_random_numbers_depend_on_names_alone_on_every_machine():
    assert generator_of(11, "healthy", "phantom-0001", "anatomy").integers(2**32, size=2).tolist() == [
        98713735,
        3966795071,
    ]


def test_healthy_scans_come_in_the_orientations_of_their_scanners(cohorts):
    scans = [nib.load(folder / row["t1"]) for folder, row in _subjects(cohorts, "healthy")]
    assert ["".join(nib.aff2axcodes(scan.affine)) for scan in scans] == ["LAS", "LPS", "PIR", "RAS"]


def test_subjects_cohorts_and_seeds_differ(cohorts, settings, tmp_path):
    folder, rows = cohorts
    other_seed = make_subject("healthy", tmp_path, 0, seed=12, settings=settings)
    scans = [read_volume(folder / kind / row["t1"]).intensities for kind in KINDS for row in rows[kind]]
    scans.append(read_volume(tmp_path / other_seed["t1"]).intensities)
    assert len({sha256(scan.tobytes()).hexdigest() for scan in scans}) == len(scans)
    volumes_ml = [row["brain_ml"] for kind in KINDS for row in rows[kind]]
    assert len(set(volumes_ml)) == len(volumes_ml)


def test_brain_volumes_are_human_and_vary(cohorts):
    volumes_ml = np.array([row["brain_ml"] for _, row in _subjects(cohorts, *KINDS)])
    assert ((volumes_ml > 1000) & (volumes_ml < 1900)).all()
    assert volumes_ml.std() > 60


def test_volumes_in_the_table_are_those_of_the_masks(cohorts):
    for folder, row in _subjects(cohorts, *KINDS):
        brain = nib.load(folder / row["truth_brain"])
        assert row["brain_ml"] == pytest.approx(
            np.asarray(brain.dataobj).sum() * np.prod(brain.header.get_zooms()) / 1000, rel=1e-4
        )
        if row["lesion"]:
            lesion = nib.load(folder / row["lesion"])
            mask = np.asarray(lesion.dataobj) > 0
            assert row["lesion_ml"] == pytest.approx(
                mask.sum() * np.prod(lesion.header.get_zooms()) / 1000, abs=1e-3
            )
            assert row["lesion_ml"] > 0
            assert np.array_equal(mask, np.asarray(nib.load(folder / row["truth_lesion"]).dataobj) > 0)
        else:
            assert row["lesion_ml"] == 0


def test_masks_share_the_grid_of_their_scan_and_lesions_lie_in_the_brain(cohorts):
    for folder, row in _subjects(cohorts, *KINDS):
        scan = nib.load(folder / row["t1"])
        brain = nib.load(folder / row["truth_brain"])
        assert scan.get_data_dtype() == np.int16
        for column in ("t1ce", "lesion", "truth_brain", "truth_lesion"):
            if row[column]:
                image = nib.load(folder / row[column])
                assert image.shape == scan.shape
                np.testing.assert_allclose(image.affine, scan.affine, atol=1e-5)
        if row["lesion"]:
            lesion = np.asarray(nib.load(folder / row["lesion"]).dataobj) > 0
            assert not (lesion & ~(np.asarray(brain.dataobj) > 0)).any()


def test_brats_scans_are_zero_outside_the_brain_and_not_inside(cohorts):
    for folder, row in _subjects(cohorts, "brats"):
        brain = read_volume(folder / row["truth_brain"]).intensities > 0
        for column in ("t1", "t1ce"):
            scan = read_volume(folder / row[column]).intensities
            assert not scan[~brain].any()
            assert (scan[brain] > 0).mean() > 0.999


def _healthy_levels(scan: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Levels of CSF, grey and white matter in a scan: 2nd, 40th and 95th percentile of the healthy brain."""
    return np.percentile(scan[brain], [2, 40, 95])


def test_strokes_are_dark_but_no_holes(cohorts):
    for folder, row in _subjects(cohorts, "atlas"):
        scan = read_volume(folder / row["t1"]).intensities
        lesion = read_volume(folder / row["lesion"]).intensities > 0
        brain = (read_volume(folder / row["truth_brain"]).intensities > 0) & ~lesion
        csf, grey, white = _healthy_levels(scan, brain)
        assert csf < scan[lesion].mean() < white
        assert scan[lesion].mean() < scan[brain].mean()
        if row["lesion_ml"] > 2:  # smaller ones are all edge
            assert scan[lesion].mean() < grey


def test_tumours_are_darker_than_white_matter_and_their_rim_is_bright_on_t1ce(cohorts):
    for folder, row in _subjects(cohorts, "brats"):
        plain, enhanced = (read_volume(folder / row[column]).intensities for column in ("t1", "t1ce"))
        labels = read_volume(folder / row["lesion"]).intensities
        brain = (read_volume(folder / row["truth_brain"]).intensities > 0) & (labels == 0)
        white, white_enhanced = _healthy_levels(plain, brain)[2], _healthy_levels(enhanced, brain)[2]
        for label in set(np.unique(labels)) - {0}:
            assert _healthy_levels(plain, brain)[0] < plain[labels == label].mean() < white
        if "HGG" in row["t1"]:
            # its outer half fades into swelling, so the mean of the brighter half tells its level
            rim = enhanced[labels == 4]
            assert rim[rim > np.median(rim)].mean() > 1.05 * white_enhanced
            assert np.median(plain[labels == 4]) < 0.95 * white
        else:
            assert not (labels == 4).any()


def test_readers_of_the_data_sets_find_scans_and_lesions_but_no_truth(cohorts):
    folder, rows = cohorts
    assert len(list((folder / "brats").rglob("*_t1.nii.gz"))) == len(rows["brats"])
    assert len(list((folder / "brats").rglob("*_seg.nii.gz"))) == len(rows["brats"])
    assert len(list((folder / "atlas").rglob("*_T1w.nii.gz"))) == len(rows["atlas"])
    assert len(list((folder / "atlas").rglob("*_desc-T1lesion_mask.nii.gz"))) == len(rows["atlas"])
    assert not list(folder.rglob(".unfinished*"))


def test_a_finished_healthy_cohort_has_the_table_of_its_reader(cohorts, tmp_path):
    _, rows = cohorts
    finish_cohort("healthy", tmp_path, rows["healthy"])
    with (tmp_path / "participants.csv").open() as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["subject", "scanner", "t1"]
    assert [row["subject"] for row in table] == [subject_name("healthy", index) for index in range(4)]
    assert len({row["scanner"] for row in table}) == 4
    with (tmp_path / "truth" / "truth.csv").open() as file:
        truth = list(csv.DictReader(file))
    assert [float(row["brain_ml"]) for row in truth] == [row["brain_ml"] for row in rows["healthy"]]


def test_lesion_cohorts_have_a_truth_table_only(cohorts, tmp_path):
    finish_cohort("atlas", tmp_path, cohorts[1]["atlas"])
    assert [path.name for path in tmp_path.rglob("*.csv")] == ["truth.csv"]


def test_a_raised_minimum_raises_the_smallest_lesion(tmp_path):
    settings = PhantomSettings(spacing_mm=4.0, scanners=1, minimum_lesion_ml=40.0)
    volumes_ml = [
        make_subject("atlas", tmp_path, i, seed=3, settings=settings)["lesion_ml"] for i in range(3)
    ]
    assert min(volumes_ml) > 32


@pytest.mark.parametrize(
    "wrong", [{"spacing_mm": 0.1}, {"scanners": 0}, {"spacing_mm": 4.0, "minimum_lesion_ml": 0.1}]
)
def test_impossible_settings_are_an_error_that_names_what_to_write(wrong):
    with pytest.raises(ValueError, match=r"phantom \w+ is .*; expected .* Write [\d.]+"):
        PhantomSettings(**wrong)


def test_a_stripper_finds_the_exact_brain_of_a_phantom(cohorts):
    """deepbet, trained on real heads, takes a phantom for one: Dice 0.93 or more."""
    folder, row = _subjects(cohorts, "healthy")[1]
    _, found, _ = BrainExtraction(no_gpu=True).run(nib.load(folder / row["t1"]))
    found = np.asarray(found.dataobj) > 0
    exact = np.asarray(nib.load(folder / row["truth_brain"]).dataobj) > 0
    dice = 2 * (found & exact).sum() / (found.sum() + exact.sum())
    assert dice >= 0.93, f"Dice {dice:.3f}"
