from pathlib import Path

import pytest

from spatial_erasing.ingest.bids_names import fits, masks_for, parse_name


def name(text):
    return parse_name(Path(text + ".nii.gz"))


def test_a_name_is_taken_apart():
    parsed = name("sub-01_ses-pre_space-MNI152_label-lesion_mask")
    assert parsed.entities == {"sub": "01", "ses": "pre", "space": "MNI152", "label": "lesion"}
    assert parsed.words == ["mask"]


@pytest.mark.parametrize(
    "text",
    [
        "sub-01_label-lesion_mask",
        "sub-01_T1w_label-lesion_roi",
        "sub-01_desc-lesion_mask",
        "sub-01_label-L_desc-T1lesion_mask",
        "sub-01_lesion_mask",
        "sub-01_lesion",
        "sub-01_Lesion",
        "sub-01_space-orig_label-lesion_dseg",
        "sub-01_label-lesion_probseg",
    ],
)
def test_lesion_masks_are_known_by_their_usual_names(text):
    assert name(text).is_lesion and not name(text).is_scan("t1")


@pytest.mark.parametrize(
    "text",
    [
        "sub-01_T1w",
        "sub-01_desc-lesionfilled_T1w",
        "sub-01_label-GM_probseg",
        "sub-01_desc-brain_mask",
        "sub-01_label-GM_mask",
    ],
)
def test_other_images_are_no_lesion_masks(text):
    assert not name(text).is_lesion


def test_brain_masks():
    assert name("sub-01_desc-brain_mask").is_brain_mask
    assert not name("sub-01_desc-brain_T1w").is_brain_mask
    assert not name("sub-01_desc-brainlesion_mask").is_brain_mask


@pytest.mark.parametrize(
    ("mask", "scan", "expected"),
    [
        ("sub-01_label-lesion_mask", "sub-01_ses-1_run-2_T1w", True),
        ("sub-01_ses-1_label-lesion_mask", "sub-01_ses-2_T1w", False),
        ("sub-01_run-1_label-lesion_mask", "sub-01_run-2_T1w", False),
        ("sub-02_label-lesion_mask", "sub-01_T1w", False),
        ("sub-01_space-T1w_label-lesion_mask", "sub-01_T1w", True),
        ("sub-01_space-orig_label-lesion_mask", "sub-01_T1w", True),
        ("sub-01_space-MNI152_label-lesion_mask", "sub-01_T1w", False),
        ("sub-01_label-lesion_mask", "sub-01_space-MNI152_T1w", False),
        ("sub-01_space-MNI152_label-lesion_mask", "sub-01_space-MNI152_T1w", True),
        ("sub-01_FLAIR_label-lesion_mask", "sub-01_T1w", False),
        ("sub-01_ce-gd_label-lesion_mask", "sub-01_T1w", True),
        ("sub-01_label-lesion_mask", "sub-01_ce-gd_T1w", True),
    ],
)
def test_a_mask_fits_scans_of_its_session_run_space_and_contrast(mask, scan, expected):
    assert fits(name(mask), name(scan)) is expected
    assert bool(masks_for(Path(scan + ".nii"), [Path(mask + ".nii")])) is expected
