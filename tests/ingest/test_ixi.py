from spatial_erasing.ingest.ixi import find_scans


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_subject_and_hospital_are_read_from_the_name(tmp_path):
    touch(tmp_path, "IXI002-Guys-0828-T1.nii.gz", "IXI012-HH-1211-T1.nii.gz", "IXI230-IOP-0869-T1.nii")
    touch(tmp_path, "IXI012-HH-1211-T2.nii.gz", "IXI012-HH-1211-T1_brain.nii.gz")
    scans = find_scans(tmp_path, sequences=["t1"])
    assert [(scan.subject, scan.scanner) for scan in scans] == [
        ("IXI002", "Guys"),
        ("IXI012", "HH"),
        ("IXI230", "IOP"),
    ]
    assert all(scan.sequence == "t1" and not scan.lesion and not scan.problem for scan in scans)


def test_a_folder_that_stands_for_the_image_is_read_by_its_own_name(tmp_path):
    touch(
        tmp_path,
        "IXI012-HH-1211-T1.nii/IXI012-HH-1211-3DBRAINIXMADisoTFE12_-s3T111_-0301-00003-000001-01.nii",
    )
    assert [scan.subject for scan in find_scans(tmp_path, sequences=["t1"])] == ["IXI012"]
