import pytest

from spatial_erasing.ingest.brats import find_scans, institution


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def case(subject, kinds=("t1", "t1ce", "seg", "t2", "flair"), *, sign="_", suffix=".nii.gz"):
    return [f"{subject}/{subject}{sign}{kind}{suffix}" for kind in kinds]


def listed(folder, sequences=("t1", "t1ce")):
    """What was found, as plain text: subject, sequence, file, lesion files."""
    return [
        (scan.subject, scan.sequence, scan.path.name, [path.name for path in scan.lesion])
        for scan in find_scans(folder, sequences=sequences)
        if not scan.problem
    ]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(
    ("place", "subject"),
    [
        ("MICCAI_BraTS_2019_Data_Training/HGG", "BraTS19_TCIA01_131_1"),
        ("MICCAI_BraTS2020_TrainingData", "BraTS20_Training_001"),
        ("BraTS2021_Training_Data", "BraTS2021_00000"),
    ],
)
def test_names_until_2021(tmp_path, place, subject, suffix):
    touch(tmp_path / place, *case(subject, suffix=suffix))
    lesion = [f"{subject}_seg{suffix}"]
    assert listed(tmp_path) == [
        (subject, "t1", f"{subject}_t1{suffix}", lesion),
        (subject, "t1ce", f"{subject}_t1ce{suffix}", lesion),
    ]


def test_names_since_2023(tmp_path):
    subject = "BraTS-GLI-00000-000"
    touch(tmp_path, *case(subject, ("t1n", "t1c", "t2w", "t2f", "seg"), sign="-"))
    assert listed(tmp_path) == [
        (subject, "t1", f"{subject}-t1n.nii.gz", [f"{subject}-seg.nii.gz"]),
        (subject, "t1ce", f"{subject}-t1c.nii.gz", [f"{subject}-seg.nii.gz"]),
    ]


def test_all_cases_in_one_folder_keep_their_own_segmentation(tmp_path):
    for subject in ("BraTS20_Training_001", "BraTS20_Training_002"):
        touch(tmp_path, *(name.split("/")[1] for name in case(subject)))
    assert [lesion for *_, lesion in listed(tmp_path, ["t1"])] == [
        ["BraTS20_Training_001_seg.nii.gz"],
        ["BraTS20_Training_002_seg.nii.gz"],
    ]


def test_the_misnamed_segmentation_of_case_355_is_found(tmp_path):
    subject = "BraTS20_Training_355"
    touch(tmp_path, *case(subject, ("t1", "t1ce"), suffix=".nii"), f"{subject}/W39_1998.09.19_Segm.nii")
    assert listed(tmp_path, ["t1"]) == [(subject, "t1", f"{subject}_t1.nii", ["W39_1998.09.19_Segm.nii"])]


def test_folders_that_stand_for_images_are_read_by_their_own_name(tmp_path):
    subject = "BraTS-GLI-00006-000"
    for kind, inner in (("t1n", "00000116_brain_t1"), ("t1c", "00000116_brain_t1ce"), ("seg", "final_seg")):
        touch(tmp_path, f"{subject}/{subject}-{kind}.nii/{inner}.nii")
    assert [(row[0], row[1], row[3]) for row in listed(tmp_path)] == [
        (subject, "t1", ["final_seg.nii"]),
        (subject, "t1ce", ["final_seg.nii"]),
    ]


@pytest.mark.parametrize(
    ("subject", "place"),
    [
        ("BraTS19_TCIA01_131_1", "TCIA01"),
        ("BraTS19_CBICA_AAB_1", "CBICA"),
        ("BraTS19_2013_10_1", "2013"),
        ("Brats18_TCIA13_654_1", "TCIA13"),
        ("BraTS20_Training_001", "unknown"),
        ("BraTS2021_00000", "unknown"),
        ("BraTS-GLI-00000-000", "unknown"),
    ],
)
def test_institution_is_read_from_names_that_tell_it(subject, place):
    assert institution(subject) == place


def test_institution_becomes_the_scanner(tmp_path):
    touch(tmp_path, *case("BraTS19_TMC_30014_1"))
    assert {scan.scanner for scan in find_scans(tmp_path, sequences=["t1"])} == {"TMC"}


def test_a_case_without_segmentation_is_not_taken_for_healthy(tmp_path):
    touch(tmp_path, *case("BraTS20_Validation_001", ("t1", "t1ce")))
    problems = [scan.problem for scan in find_scans(tmp_path, sequences=["t1", "t1ce"])]
    assert len(problems) == 2 and all(text.startswith("no lesion mask: ") for text in problems)


def test_a_missing_sequence_is_listed(tmp_path):
    touch(tmp_path, *case("BraTS20_Training_001", ("t1", "seg")))
    missing = [scan for scan in find_scans(tmp_path, sequences=["t1", "t1ce"]) if scan.problem]
    assert [scan.sequence for scan in missing] == ["t1ce"]
    assert "BraTS20_Training_001_t1ce.nii.gz" in missing[0].problem


def test_of_one_patients_time_points_the_first_complete_one_is_kept(tmp_path):
    for time, kinds in (("100", ("t1n",)), ("101", ("t1n", "seg")), ("102", ("t1n", "seg"))):
        touch(tmp_path, *case(f"BraTS-GLI-00005-{time}", kinds, sign="-"))
    touch(tmp_path, *case("BraTS-GLI-00006-100", ("t1n", "seg"), sign="-"))
    assert [row[0] for row in listed(tmp_path, ["t1"])] == ["BraTS-GLI-00005-101", "BraTS-GLI-00006-100"]
    reasons = {scan.subject: scan.problem for scan in find_scans(tmp_path, sequences=["t1"]) if scan.problem}
    assert reasons["BraTS-GLI-00005-102"].startswith("other session: ")
    assert "BraTS-GLI-00005-101" in reasons["BraTS-GLI-00005-102"]


def test_numbers_without_time_point_are_different_patients(tmp_path):
    touch(tmp_path, *case("BraTS2021_00000"), *case("BraTS2021_00002"))
    assert len(listed(tmp_path, ["t1"])) == 2
