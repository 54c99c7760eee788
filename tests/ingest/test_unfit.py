import itertools

import numpy as np
import pytest

from spatial_erasing.ingest.records import found_rows
from spatial_erasing.ingest.unfit import skip_unfit
from spatial_erasing.split.assign import require_own_brains


def row(subject, sequence="t1", sha256="", status="found", path="", **others):
    return {
        "cohort": "healthy",
        "lesion": "[]",
        "voxels": "",
        "subject": subject,
        "sequence": sequence,
        "sha256": sha256 or f"{subject}{sequence}",
        "status": status,
        "path": path or f"{subject}/{sequence}",
        "reason": "",
    } | others


def kept(rows, sequences=("t1",)):
    skip_unfit(rows, sequences)
    return [(one["subject"], one["sequence"]) for one in found_rows(rows)]


def test_of_two_subjects_with_the_same_content_the_later_is_skipped():
    rows = [row("a", sha256="same"), row("b", sha256="other"), row("c", sha256="same")]
    assert kept(rows) == [("a", "t1"), ("b", "t1")]
    assert rows[2]["reason"].startswith("same content: c/t1 has the same voxels as a/t1 (a t1)")


def test_of_two_subjects_who_would_share_a_folder_on_a_mac_the_later_is_skipped():
    rows = [row("A"), row("B"), row("a")]
    assert kept(rows) == [("A", "t1"), ("B", "t1")]
    assert rows[2]["reason"].startswith("subject name: a/t1 is of a, which differs from A in large and")


def test_of_two_subjects_with_the_same_voxels_in_other_files_the_later_is_skipped():
    rows = [row("a", voxels="same"), row("b", voxels="other"), row("c", voxels="same")]
    assert kept(rows) == [("a", "t1"), ("b", "t1")]


def test_one_brain_in_two_cohorts_is_refused_with_the_line_that_leaves_one_out():
    rows = [
        *(row("a"), row("b", voxels="1"), row("c", voxels="2"), row("d", voxels="3", status="skipped")),
        *(row("x", voxels="2", cohort="brats", lesion='["l"]'), row("y", voxels="1", cohort="atlas")),
        row("z", voxels="3", cohort="atlas"),
    ]
    with pytest.raises(ValueError, match="2 scans lie in two cohorts") as error:
        require_own_brains(rows)
    said = str(error.value).splitlines()
    assert said[1:3] == [
        "  c/t1 (healthy c t1) and x/t1 (brats x t1)",
        "  b/t1 (healthy b t1) and y/t1 (atlas y t1)",
    ]
    assert said[-3:] == [
        "  cohort,subject,reason",
        "  healthy,c,the same scan as brats x",
        "  atlas,y,the same scan as healthy b",
    ]
    require_own_brains([one for one in rows if one["subject"] not in "xy"])


def test_a_brain_in_another_unit_is_refused_where_the_table_of_all_scans_says_so():
    rows = [row("a"), row("b"), row("x", cohort="brats", same_brain="healthy b t1")]
    with pytest.raises(ValueError, match="1 scan lies in two cohorts") as error:
        require_own_brains(rows)
    assert "  b/t1 (healthy b t1) and x/t1 (brats x t1), in another unit" in str(error.value)
    rows[1]["status"] = "skipped"  # left out by its user
    require_own_brains(rows)


def test_a_second_file_of_a_sequence_is_skipped():
    rows = [row("a", path="a.nii", sha256="1"), row("a", path="a.nii.gz", sha256="2")]
    assert kept(rows) == [("a", "t1")]
    assert rows[1]["reason"].startswith("repeated: a.nii.gz is one more t1 of a; a.nii is kept")


def test_a_subject_without_one_of_the_sequences_is_skipped_whole():
    rows = [row("a"), row("a", "t1ce", status="skipped"), row("b"), row("b", "t1ce")]
    assert kept(rows, ("t1", "t1ce")) == [("b", "t1"), ("b", "t1ce")]
    assert rows[0]["reason"].startswith("incomplete subject: a/t1 is of a, which has no usable t1ce")


def test_the_twin_of_an_unusable_scan_is_kept():
    rows = [row("a", sha256="same"), row("b", sha256="same"), row("b", "t1ce")]
    assert kept(rows, ("t1", "t1ce")) == [("b", "t1"), ("b", "t1ce")]


def test_one_file_as_both_sequences_of_a_subject_is_refused():
    assert kept([row("a", sha256="x"), row("a", "t1ce", sha256="x")], ("t1", "t1ce")) == []


@pytest.mark.parametrize("seed", range(20))
def test_found_rows_are_complete_and_unique_whatever_comes(seed):
    rng = np.random.default_rng(seed)
    sequences = ("t1", "t1ce")
    rows = [
        row(subject, sequence, sha256=str(rng.integers(12)), status=rng.choice(["found", "found", "skipped"]))
        for subject, sequence, _ in itertools.product("abcdef", sequences, range(2))
    ]
    found = kept(rows, sequences)
    assert len(found) == len(set(found))
    assert {subject for subject, name in found if name == "t1"} == {s for s, name in found if name == "t1ce"}
    hashes = [one["sha256"] for one in found_rows(rows)]
    assert len(hashes) == len(set(hashes))
