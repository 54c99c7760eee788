import json
import logging
import os

import pytest

from spatial_erasing.ingest.bids import find_scans, read_participants, scanner_of
from spatial_erasing.ingest.records import Scan


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def listed(folder, sequences=("t1",)):
    return [
        (scan.subject, scan.sequence, scan.path.name)
        for scan in find_scans(folder, sequences=sequences)
        if not scan.problem
    ]


def test_subjects_with_and_without_sessions(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T2w.nii.gz")
    touch(tmp_path, "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii", "sub-02/ses-1/anat/._sub-02_ses-1_T1w.nii")
    touch(tmp_path, "sub-02/ses-1/func/sub-02_ses-1_bold.nii.gz")
    assert listed(tmp_path) == [
        ("sub-01", "t1", "sub-01_T1w.nii.gz"),
        ("sub-02", "t1", "sub-02_ses-1_T1w.nii"),
    ]


def test_contrast_agent_tells_the_two_sequences_apart(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_ce-gadolinium_T1w.nii.gz")
    assert listed(tmp_path, ("t1", "t1ce")) == [
        ("sub-01", "t1", "sub-01_T1w.nii.gz"),
        ("sub-01", "t1ce", "sub-01_ce-gadolinium_T1w.nii.gz"),
    ]


def test_the_first_session_with_all_sequences_is_kept(tmp_path):
    for session in ("1", "2", "10"):
        touch(tmp_path, f"sub-01/ses-{session}/anat/sub-01_ses-{session}_T1w.nii.gz")
    for session in ("2", "10"):
        touch(tmp_path, f"sub-01/ses-{session}/anat/sub-01_ses-{session}_ce-gd_T1w.nii.gz")
    assert [row[2] for row in listed(tmp_path)] == ["sub-01_ses-1_T1w.nii.gz"]
    assert [row[2] for row in listed(tmp_path, ("t1", "t1ce"))] == [
        "sub-01_ses-2_T1w.nii.gz",
        "sub-01_ses-2_ce-gd_T1w.nii.gz",
    ]
    reasons = [scan.problem for scan in find_scans(tmp_path, sequences=["t1"]) if scan.problem]
    assert len(reasons) == 2 and all(text.startswith("other session: ") for text in reasons)


def test_a_subject_without_t1_is_listed_as_missing(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T2w.nii.gz")
    (scan,) = find_scans(tmp_path, sequences=["t1"])
    assert scan.subject == "sub-01" and scan.problem.startswith("missing file: ")
    assert "sub-01_T1w.nii.gz" in scan.problem


def test_a_session_without_anatomy_does_not_come_first(tmp_path):
    touch(tmp_path, "sub-01/ses-1/func/sub-01_ses-1_bold.nii.gz", "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz")
    assert [scan.path.name for scan in find_scans(tmp_path, sequences=["t1"])] == ["sub-01_ses-2_T1w.nii.gz"]


def test_masks_are_found_beside_the_scan_and_in_derivatives(tmp_path):
    for subject in ("sub-01", "sub-02", "sub-03"):
        touch(tmp_path, f"{subject}/anat/{subject}_T1w.nii.gz")
    touch(tmp_path, "sub-01/anat/sub-01_label-lesion_roi.nii.gz")
    touch(tmp_path, "derivatives/tracing/sub-02/anat/sub-02_label-lesion_mask.nii.gz")
    touch(tmp_path, "derivatives/tracing/sub-02/anat/sub-02_label-lesion_desc-second_mask.nii.gz")
    touch(tmp_path, "derivatives/fmriprep/sub-02/anat/sub-02_desc-brain_mask.nii.gz")
    touch(
        tmp_path, "derivatives/fmriprep/sub-02/anat/sub-02_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz"
    )
    touch(tmp_path, "derivatives/lesions/sub-03_lesion_mask.nii.gz")
    one, two, three = find_scans(tmp_path, sequences=["t1"])
    assert [path.name for path in one.lesion] == ["sub-01_label-lesion_roi.nii.gz"] and one.brain_mask is None
    assert [path.name for path in two.lesion] == [
        "sub-02_label-lesion_desc-second_mask.nii.gz",
        "sub-02_label-lesion_mask.nii.gz",
    ]
    assert two.brain_mask.name == "sub-02_desc-brain_mask.nii.gz"
    assert [path.name for path in three.lesion] == ["sub-03_lesion_mask.nii.gz"]


def test_probabilities_are_the_lesion_where_there_is_no_mask(tmp_path):
    scans = [f"sub-0{number}/anat/sub-0{number}_T1w.nii.gz" for number in (1, 2, 3)]
    alone = "derivatives/x/sub-01/anat/sub-01_label-lesion_probseg.nii.gz"
    both = [f"sub-02/anat/sub-02_label-lesion_{kind}.nii.gz" for kind in ("mask", "probseg")]
    elsewhere = "sub-03/anat/sub-03_space-MNI_label-lesion_probseg.nii.gz"
    touch(tmp_path, *scans, alone, *both, elsewhere)
    first, second, third = find_scans(tmp_path, sequences=["t1"])
    assert first.lesion == (tmp_path / alone,) and second.lesion == (tmp_path / both[0],)
    assert third.problem.startswith("lesion on another grid: ")


def test_masks_of_a_session_stay_with_it(tmp_path):
    for session in ("1", "2"):
        touch(tmp_path, f"sub-01/ses-{session}/anat/sub-01_ses-{session}_T1w.nii.gz")
        touch(
            tmp_path, f"derivatives/x/sub-01/ses-{session}/anat/sub-01_ses-{session}_label-lesion_mask.nii.gz"
        )
    kept = next(scan for scan in find_scans(tmp_path, sequences=["t1"]) if not scan.problem)
    assert [path.name for path in kept.lesion] == ["sub-01_ses-1_label-lesion_mask.nii.gz"]


def test_a_lesion_drawn_elsewhere_does_not_leave_a_healthy_subject(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    touch(tmp_path, "derivatives/x/sub-01/anat/sub-01_space-MNI152_label-lesion_mask.nii.gz")
    (scan,) = find_scans(tmp_path, sequences=["t1"])
    assert scan.problem.startswith("lesion on another grid: ")


def test_derivatives_are_no_subjects_of_their_own(tmp_path):
    touch(
        tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "derivatives/x/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz"
    )
    assert listed(tmp_path) == [("sub-01", "t1", "sub-01_T1w.nii.gz")]


def test_the_scanner_comes_from_the_data_set(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    (tmp_path / "participants.tsv").write_text("participant_id\tsite\nsub-01\tOslo\n")
    assert [scan.scanner for scan in find_scans(tmp_path, sequences=["t1"])] == ["Oslo"]


def test_content_that_was_not_fetched_is_still_listed(tmp_path):
    (tmp_path / "sub-01/anat").mkdir(parents=True)
    (tmp_path / "sub-01/anat/sub-01_T1w.nii.gz").symlink_to("../../.git/annex/objects/x")
    assert listed(tmp_path) == [("sub-01", "t1", "sub-01_T1w.nii.gz")]


@pytest.mark.parametrize("closed", ["sub-02", "sub-02/ses-1", "sub-02/ses-1/anat", "derivatives/x", ""])
def test_a_folder_that_may_not_be_read_is_an_error_and_loses_no_subject(open_folder, as_nobody, closed):
    touch(open_folder, "bids/sub-01/anat/sub-01_T1w.nii.gz", "bids/sub-02/ses-1/anat/sub-02_ses-1_T1w.nii.gz")
    touch(open_folder, "bids/derivatives/x/sub-01/anat/sub-01_label-lesion_mask.nii.gz")
    root = open_folder / "bids"
    assert as_nobody(lambda: len(find_scans(root, sequences=["t1"]))) == "2"
    for mode in (0, 0o444):  # closed altogether, and open to look at the names alone
        (root / closed).chmod(mode)
        said = as_nobody(lambda: len(find_scans(root, sequences=["t1"])))
        if mode == 0 or "anat" not in closed:  # images in an anat folder are listed, then found unreadable
            assert said.startswith("PermissionError") and f"chmod u+rx '{root / closed}'" in said


def test_masks_of_a_subject_s_folder_right_below_derivatives_are_listed_once(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    touch(tmp_path, "derivatives/sub-01/sub-01_label-lesion_mask.nii.gz")
    (scan,) = find_scans(tmp_path, sequences=["t1"])
    assert [path.name for path in scan.lesion] == ["sub-01_label-lesion_mask.nii.gz"]


def test_a_sequence_has_the_suffix_of_its_weighting(tmp_path):
    names = ("T1w", "FLAIR", "T2w", "acq-fs_FLAIR", "ce-gd_FLAIR", "flair_brain", "label-lesion_mask")
    touch(tmp_path, *(f"sub-01/anat/sub-01_{name}.nii.gz" for name in names))
    touch(tmp_path, "sub-02/anat/sub-02_flair (1).nii.gz", "sub-02/anat/sub-02_T1w (1).nii.gz")
    assert listed(tmp_path, ("flair",)) == [
        ("sub-01", "flair", "sub-01_FLAIR.nii.gz"),
        ("sub-01", "flair", "sub-01_acq-fs_FLAIR.nii.gz"),
    ]
    assert listed(tmp_path, ("t2", "t1")) == [
        ("sub-01", "t2", "sub-01_T2w.nii.gz"),
        ("sub-01", "t1", "sub-01_T1w.nii.gz"),
    ]
    problems = {scan.path.name: scan.problem for scan in find_scans(tmp_path, sequences=["flair"])}
    assert "is not named like a FLAIR scan of BIDS" in problems["sub-02_flair (1).nii.gz"]
    assert "sub-02_T1w (1).nii.gz" not in problems


def test_a_lesion_that_was_traced_on_flair_is_drawn_on_flair_and_on_nothing_else(tmp_path):
    names = ("FLAIR", "T1w", "FLAIR_label-lesion_mask")
    touch(tmp_path, *(f"sub-01/anat/sub-01_{name}.nii.gz" for name in names))
    (flair,) = find_scans(tmp_path, sequences=["flair"])
    assert [mask.name for mask in flair.lesion] == ["sub-01_FLAIR_label-lesion_mask.nii.gz"]
    (t1,) = find_scans(tmp_path, sequences=["t1"])
    assert t1.problem.startswith("lesion on another grid")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def scanner(root, subject="sub-01"):
    scan = Scan(subject, "t1", root / subject / "anat" / f"{subject}_T1w.nii.gz")
    return scanner_of(scan, root, read_participants(root))


def test_participants_column_comes_before_the_sidecar(tmp_path):
    write(
        tmp_path / "participants.tsv",
        "\ufeffparticipant_id\tage\tSite\nsub-01\t30\tOslo\n02\t31\tBergen\nsub-03\t3\tn/a\n",
    )
    write(tmp_path / "T1w.json", {"ManufacturersModelName": "Prisma"})
    assert [scanner(tmp_path, subject) for subject in ("sub-01", "sub-02", "sub-03", "sub-04")] == [
        "Oslo",
        "Bergen",
        "Prisma",
        "Prisma",
    ]


def test_the_scanner_column_is_preferred_over_the_site(tmp_path):
    write(tmp_path / "participants.tsv", "participant_id\tsite\tscanner\nsub-01\tOslo\tSkyra\n")
    assert scanner(tmp_path) == "Skyra"


def test_sidecar_tells_model_field_and_serial_number(tmp_path):
    said = {"ManufacturersModelName": "Prisma", "MagneticFieldStrength": 3, "DeviceSerialNumber": "166007"}
    write(tmp_path / "sub-01/anat/sub-01_T1w.json", said)
    assert scanner(tmp_path) == "Prisma 3T 166007"


def test_a_nearer_sidecar_overrides_and_a_foreign_one_is_ignored(tmp_path):
    write(tmp_path / "T1w.json", {"ManufacturersModelName": "Avanto", "MagneticFieldStrength": 1.5})
    write(tmp_path / "sub-01/sub-01_T1w.json", {"ManufacturersModelName": "Aera"})
    write(tmp_path / "sub-01/anat/sub-01_run-2_T1w.json", {"ManufacturersModelName": "Skyra"})
    assert scanner(tmp_path) == "Aera 1.5T"


def as_folder(path):
    path.mkdir(parents=True)


def as_dangling_link(path):
    path.symlink_to("../.git/annex/objects/x")


def as_pipe(path):
    os.mkfifo(path)


BROKEN = {
    "no JSON": lambda path: path.write_text("not json"),
    "a list": lambda path: path.write_text("[]"),
    "a number for a name": lambda path: path.write_text("3"),
    "nested too deep": lambda path: path.write_text("[" * 200_000),
    "Latin-1": lambda path: path.write_bytes('{"ManufacturersModelName": "Zürich"}'.encode("latin-1")),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "empty": lambda path: path.write_bytes(b""),
    "a folder": as_folder,
    "a dangling link": as_dangling_link,
    "a pipe": as_pipe,
}


@pytest.mark.parametrize("name", ["sub-01/anat/sub-01_T1w.json", "T1w.json", "participants.tsv"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_sidecar_or_table_costs_the_name_of_the_scanner_alone(tmp_path, kind, name):
    (tmp_path / "sub-01/anat").mkdir(parents=True)
    BROKEN[kind](tmp_path / name)
    assert scanner(tmp_path) == "unknown"


def test_a_sidecar_or_table_that_may_not_be_read_costs_the_name_of_the_scanner_alone(open_folder, as_nobody):
    for name in ("participants.tsv", "sub-01/anat/sub-01_T1w.json"):
        write(open_folder / name, "{}")
        (open_folder / name).chmod(0)
    assert as_nobody(lambda: scanner(open_folder)) == "unknown"


def test_what_is_broken_is_in_the_log_with_what_to_do(tmp_path, caplog):
    (tmp_path / "participants.tsv").write_bytes("participant_id\tsite\nsub-01\tZürich\n".encode("latin-1"))
    write(tmp_path / "T1w.json", {"ManufacturersModelName": "Prisma"})
    with caplog.at_level(logging.WARNING):
        assert scanner(tmp_path) == "Prisma"
    assert "participants.tsv cannot be read (UnicodeDecodeError" in caplog.text
    assert "--forcerun list_scans" in caplog.text
