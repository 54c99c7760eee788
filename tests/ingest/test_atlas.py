import pytest

from spatial_erasing.ingest.atlas import find_scans

MNI = "space-MNI152NLin2009aSym"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def first_release(site, subject, time="t01", lesions=("LesionSmooth",)):
    place = f"ATLAS_R1.1/{site}/{subject}/{time}/{subject}"
    return [f"{place}_t1w_deface_stx.nii.gz", *(f"{place}_{lesion}_stx.nii.gz" for lesion in lesions)]


def second_release(subject, session="ses-1", space=MNI, label="L", place="ATLAS_2/Training"):
    start = f"{place}/R{subject[1:4]}/sub-{subject}/{session}/anat/sub-{subject}_{session}_{space}"
    return [f"{start}_T1w.nii.gz", f"{start}_label-{label}_desc-T1lesion_mask.nii.gz"]


def listed(folder):
    return [
        (scan.subject, scan.scanner, [path.name for path in scan.lesion])
        for scan in find_scans(folder, sequences=["t1"])
        if not scan.problem
    ]


def test_first_release_by_site(tmp_path):
    touch(tmp_path, *first_release("Site1", "031768"), *first_release("Site10", "031900"))
    assert listed(tmp_path) == [
        ("031768", "Site1", ["031768_LesionSmooth_stx.nii.gz"]),
        ("031900", "Site10", ["031900_LesionSmooth_stx.nii.gz"]),
    ]


def test_all_lesions_of_a_scan_are_listed(tmp_path):
    names = ("LesionSmooth", "LesionSmooth_1", "LesionSmooth_2")
    touch(tmp_path, *first_release("Site1", "031806", lesions=names))
    (_, _, lesions), *others = listed(tmp_path)
    assert not others
    assert sorted(lesions) == sorted(f"031806_{name}_stx.nii.gz" for name in names)


def test_second_time_point_of_one_person_is_left_out_with_its_own_lesion(tmp_path):
    touch(tmp_path, *first_release("Site8", "031948"), *first_release("Site8", "031948", "t02"))
    kept, other = find_scans(tmp_path, sequences=["t1"])
    assert "t01" in kept.path.parts and not kept.problem
    assert "t02" in other.path.parts and other.problem.startswith("other session: ")
    assert ["t01" in path.parts for path in kept.lesion] == [True]


@pytest.mark.parametrize("ending", ["", "_stx"])
def test_native_and_standard_names_by_cohort_subject_and_time(tmp_path, ending):
    for time in ("t02", "t01"):
        name = f"c0003s0002{time}"
        scan = f"{name}_t1w{ending}" if ending else name
        touch(tmp_path, f"native_part1/c0003/{name}/{scan}.nii.gz")
        touch(tmp_path, f"native_part1/c0003/{name}/{name}_LesionSmooth{ending}.nii.gz")
        touch(tmp_path, f"native_part1/c0003/{name}/{name}_LesionRaw{ending}.nii.gz")
    assert listed(tmp_path) == [("c0003s0002", "c0003", [f"c0003s0002t01_LesionSmooth{ending}.nii.gz"])]


def test_unsmoothed_tracings_serve_where_there_are_no_others(tmp_path):
    touch(tmp_path, *first_release("Site1", "031768", lesions=("LesionRaw", "LesionRaw_1")))
    assert [len(lesions) for *_, lesions in listed(tmp_path)] == [2]


def test_all_scans_in_one_folder_keep_their_own_lesions(tmp_path):
    names = [
        *first_release("S", "031768"),
        *first_release("S", "031769", lesions=("LesionSmooth", "LesionSmooth_1")),
    ]
    touch(tmp_path, *(name.rsplit("/", 1)[1] for name in names))
    assert [(row[0], len(row[2])) for row in listed(tmp_path)] == [("031768", 1), ("031769", 2)]


def test_second_release_by_site(tmp_path):
    touch(tmp_path, *second_release("r001s001"), *second_release("r052s032"))
    assert listed(tmp_path) == [
        ("sub-r001s001", "R001", [f"sub-r001s001_ses-1_{MNI}_label-L_desc-T1lesion_mask.nii.gz"]),
        ("sub-r052s032", "R052", [f"sub-r052s032_ses-1_{MNI}_label-L_desc-T1lesion_mask.nii.gz"]),
    ]


def test_third_release_in_native_space(tmp_path):
    for name in second_release("r001s001", space="space-orig", label="lesion", place="ATLAS3_Training_Raw"):
        touch(tmp_path, name.replace("orig_T1w", "orig_desc-brain_T1w"))
    assert [row[0] for row in listed(tmp_path)] == ["sub-r001s001"]


def test_a_scan_keeps_to_lesions_of_its_own_space(tmp_path):
    touch(tmp_path, *second_release("r001s001"), *second_release("r001s001", space="space-orig"))
    for scan in find_scans(tmp_path, sequences=["t1"]):
        assert len(scan.lesion) == 1
        assert ("MNI" in scan.path.name) == ("MNI" in scan.lesion[0].name)


def test_later_sessions_are_left_out_in_the_order_of_numbers(tmp_path):
    for session in ("ses-10", "ses-2"):
        touch(tmp_path, *second_release("r001s001", session))
    assert [row[2][0].split("_")[1] for row in listed(tmp_path)] == ["ses-2"]


def test_the_testing_set_without_lesions_is_listed_as_such(tmp_path):
    touch(tmp_path, second_release("r002s001", place="ATLAS_2/Testing")[0])
    (scan,) = find_scans(tmp_path, sequences=["t1"])
    assert scan.problem.startswith("no lesion mask: ")


def test_the_template_beside_the_data_is_no_scan(tmp_path):
    touch(tmp_path, "ATLAS_2/MNI152NLin2009aSym.nii.gz")
    assert find_scans(tmp_path, sequences=["t1"]) == []
