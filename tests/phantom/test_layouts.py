import nibabel as nib
import numpy as np
import pytest
from nilearn.datasets import load_mni152_template

from spatial_erasing.config_values import PHANTOM_SEQUENCES
from spatial_erasing_phantoms.layouts import atlas_grid, brats_grid, layout, scanner_name, subject_name


def test_brats_files_have_the_names_of_2019():
    files = layout("brats", 2)
    assert files.scans == {
        "t1": "HGG/BraTS19_PHANTOM_003_1/BraTS19_PHANTOM_003_1_t1.nii.gz",
        "t1ce": "HGG/BraTS19_PHANTOM_003_1/BraTS19_PHANTOM_003_1_t1ce.nii.gz",
    }
    assert files.lesion == "HGG/BraTS19_PHANTOM_003_1/BraTS19_PHANTOM_003_1_seg.nii.gz"
    assert layout("brats", 3).scans["t1"].startswith("LGG/")


def test_atlas_files_have_the_names_of_2_0():
    files = layout("atlas", 4)
    folder = "Training/R002/sub-r002s002/ses-1/anat"
    assert files.scans == {"t1": f"{folder}/sub-r002s002_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz"}
    assert files.lesion == (
        f"{folder}/sub-r002s002_ses-1_space-MNI152NLin2009aSym_label-L_desc-T1lesion_mask.nii.gz"
    )


@pytest.mark.parametrize("kind", ["healthy", "brats", "atlas"])
def test_no_two_subjects_share_a_file_and_truth_lies_apart(kind):
    layouts = [layout(kind, index) for index in range(40)]
    paths = [
        path for files in layouts for path in (*files.scans.values(), files.lesion, files.truth_brain) if path
    ]
    assert len(set(paths)) == len(paths)
    assert len({subject_name(kind, index) for index in range(40)}) == 40
    for files in layouts:
        truth = files.truth_brain
        assert truth.startswith("truth/")
        assert not truth.endswith(("_T1w.nii.gz", "_t1.nii.gz", "T1lesion_mask.nii.gz", "_seg.nii.gz"))


def test_scanners_take_turns_and_atlas_sites_agree_with_the_subjects():
    assert [scanner_name("healthy", index, 3) for index in range(4)] == [
        "scanner-1", "scanner-2", "scanner-3", "scanner-1",
    ]  # fmt: skip
    for index in range(7):
        assert f"sub-{scanner_name('atlas', index, 9).lower()}s" in subject_name("atlas", index) + "s"


def test_the_brats_grid_is_that_of_a_brats_file():
    grid, stored = brats_grid(1.0)
    assert grid.shape == (240, 240, 155)
    np.testing.assert_allclose(
        stored, [[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]], atol=1e-9
    )
    assert "".join(nib.aff2axcodes(grid.affine)) == "LPS"


def test_a_coarse_brats_grid_keeps_the_field_of_view():
    _, fine = brats_grid(1.0)
    grid, coarse = brats_grid(2.0)
    assert grid.shape == (120, 120, 78)
    outer = [affine @ [-0.5, -0.5, -0.5, 1] for affine in (fine, coarse)]
    np.testing.assert_allclose(*outer, atol=1e-9)


def test_the_atlas_grid_is_that_of_the_template():
    image = load_mni152_template(resolution=1)
    grid = atlas_grid(1.0)
    assert grid.shape == image.shape
    np.testing.assert_allclose(grid.affine, image.affine, atol=1e-9)


@pytest.mark.parametrize("kind, index", [("ixi", 0), ("healthy", -1)])
def test_an_impossible_subject_is_an_error_that_says_what_is_possible(kind, index):
    with pytest.raises(ValueError, match=r"phantom (kind|index) is .*(healthy, brats or atlas|from 0)"):
        layout(kind, index)


def test_the_sequences_that_a_study_may_ask_for_are_those_that_are_made():
    assert {kind: tuple(layout(kind, 0).scans) for kind in PHANTOM_SEQUENCES} == PHANTOM_SEQUENCES
