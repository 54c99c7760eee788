import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.ingest import scans as scans_module
from spatial_erasing.ingest.scans import COLUMNS, READERS, list_scans


def write_images(folder, *names, grid=(24, 25, 26)):
    """A small image under each name, different in each file but the same on every call."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        values = np.random.default_rng(seed).integers(0, 900, grid, dtype=np.int16)
        nib.save(nib.Nifti1Image(values, np.diag([-1, -1, 1, 1])), path)


def scans(folder, reader, sequences=("t1",), skull_strip="none", exclude=None):
    return list_scans(
        reader, folder, sequences=sequences, skull_strip=skull_strip, cohort="study", exclude=exclude
    )


def status(rows):
    return {(row["subject"], row["sequence"]): row["status"] for row in rows}


def reason(rows, subject, sequence="t1"):
    return next(row["reason"] for row in rows if (row["subject"], row["sequence"]) == (subject, sequence))


def brats(*subjects, kinds=("t1", "t1ce", "seg")):
    return [f"HGG/{subject}/{subject}_{kind}.nii.gz" for subject in subjects for kind in kinds]


LAYOUTS = {
    "brats": brats("BraTS19_TCIA01_131_1", kinds=("t1", "seg")),
    "atlas": [
        "Site1/031768/t01/031768_t1w_deface_stx.nii.gz",
        "Site1/031768/t01/031768_LesionSmooth_stx.nii.gz",
        "Site1/031768/t01/031768_LesionSmooth_1_stx.nii.gz",
    ],
    "ixi": ["IXI012-HH-1211-T1.nii.gz"],
    "bids": ["sub-01/anat/sub-01_T1w.nii.gz", "derivatives/m/sub-01/anat/sub-01_label-lesion_mask.nii.gz"],
    "table": ["scan one.nii.gz", "lésion.nii.gz"],
}
TABLE = "subject,scanner,t1,lesion\nZoë,Prisma,scan one.nii.gz,lésion.nii.gz\n"


def place_of(reader, folder):
    write_images(folder, *LAYOUTS[reader])
    if reader == "table":
        (folder / "scans.csv").write_text(TABLE, encoding="utf-8")
    return folder / "scans.csv" if reader == "table" else folder


@pytest.mark.parametrize(
    ("reader", "subject", "scanner", "lesions"),
    [
        ("brats", "BraTS19_TCIA01_131_1", "TCIA01", 1),
        ("atlas", "031768", "Site1", 2),
        ("ixi", "IXI012", "HH", 0),
        ("bids", "sub-01", "unknown", 1),
        ("table", "Zoë", "Prisma", 1),
    ],
)
def test_every_reader_fills_the_row_of_a_real_file(tmp_path, reader, subject, scanner, lesions):
    (row,) = scans(place_of(reader, tmp_path), reader)
    assert tuple(row) == COLUMNS
    found = ["study", subject, scanner, "t1", "none", "found", ""]
    keys = ["cohort", "subject", "scanner", "sequence", "skull_strip", "status", "reason"]
    assert [row[key] for key in keys] == found
    printed = subprocess.run(["sha256sum", row["path"]], capture_output=True, check=True, text=True).stdout
    assert row["sha256"] == printed.split()[0]
    image = nib.load(row["path"])
    assert row["grid"] == f"24x25x26 1.00x1.00x1.00mm {''.join(nib.aff2axcodes(image.affine))}"
    paths = json.loads(row["lesion"])
    assert len(paths) == lesions and all(Path(path).is_file() for path in paths)
    assert all(path in row["lesion"] for path in paths), "readable as it stands, é included"


@pytest.mark.parametrize("reader", LAYOUTS)
def test_rows_are_a_pure_function_of_the_folder(tmp_path, monkeypatch, reader):
    place = place_of(reader, tmp_path)
    first = scans(place, reader)
    monkeypatch.chdir(tmp_path)
    for path in sorted(tmp_path.rglob("*.nii.gz"), reverse=True):  # created in another order, at another time
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    assert scans(place.relative_to(tmp_path), reader) == first


@pytest.mark.parametrize("reader", LAYOUTS)
def test_a_missing_path_shows_the_layout_and_the_line_to_change(tmp_path, reader):
    with pytest.raises(FileNotFoundError, match=r"absent does not exist\. The reader") as error:
        scans(tmp_path / "absent", reader)
    assert READERS[reader].LAYOUT in str(error.value)
    assert "Correct `path:` (or `reader:`) under ingest.cohorts.study in config.yaml" in str(error.value)


@pytest.mark.parametrize("reader", [reader for reader in LAYOUTS if reader != "table"])
def test_a_folder_of_another_layout_shows_the_one_expected(tmp_path, reader):
    write_images(tmp_path, "something/else.nii.gz")
    with pytest.raises(ValueError, match=f"holds no scan that the reader '{reader}' knows") as error:
        scans(tmp_path, reader)
    assert READERS[reader].LAYOUT in str(error.value) and "config.yaml" in str(error.value)


def test_a_file_where_a_folder_belongs_and_the_other_way_round(tmp_path):
    (tmp_path / "brats.zip").touch()
    with pytest.raises(ValueError, match=r"is a file \(unpack an archive first\)"):
        scans(tmp_path / "brats.zip", "brats")
    with pytest.raises(ValueError, match="is a folder"):
        scans(tmp_path, "table")


def test_a_table_with_a_header_alone_is_an_error(tmp_path):
    (tmp_path / "scans.csv").write_text("subject,scanner,t1\n")
    with pytest.raises(ValueError, match="holds no scan"):
        scans(tmp_path / "scans.csv", "table")


def test_the_cohorts_path_may_name_a_variable(tmp_path, monkeypatch):
    write_images(tmp_path, *LAYOUTS["ixi"])
    monkeypatch.setenv("STUDY_DATA", str(tmp_path))
    assert len(scans("${STUDY_DATA}", "ixi")) == 1
    monkeypatch.delenv("STUDY_DATA")
    with pytest.raises(ValueError, match="STUDY_DATA"):
        scans("${STUDY_DATA}", "ixi")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("reader", "brat"),
        ("sequences", []),
        ("sequences", ["t2"]),
        ("sequences", "t1"),
        ("skull_strip", "bet"),
    ],
)
def test_an_unknown_setting_names_the_allowed_ones(tmp_path, setting, value):
    settings = {
        "reader": "ixi",
        "path": tmp_path,
        "sequences": ["t1"],
        "skull_strip": "none",
        "cohort": "study",
    }
    with pytest.raises(
        ValueError,
        match=f"cohort study has {setting}: .*Allowed: .*Correct `{setting}:` under ingest.cohorts.study",
    ):
        list_scans(**settings | {setting: value})


def test_a_sequence_named_twice_counts_once(tmp_path):
    write_images(tmp_path, *LAYOUTS["ixi"])
    assert scans(tmp_path, "ixi", ("t1", "t1")) == scans(tmp_path, "ixi")


def test_rows_are_sorted_by_subject_and_sequence(tmp_path):
    write_images(tmp_path, *brats("BraTS20_Training_010", "BraTS20_Training_002"))
    rows = scans(tmp_path, "brats", ("t1ce", "t1"))
    assert [(row["subject"][-3:], row["sequence"]) for row in rows] == [
        *(("002", "t1"), ("002", "t1ce")),
        *(("010", "t1"), ("010", "t1ce")),
    ]


def test_broken_scans_are_skipped_with_file_finding_and_remedy(tmp_path):
    write_images(tmp_path, *(f"IXI00{n}-HH-1211-T1.nii.gz" for n in range(1, 6)))
    (tmp_path / "IXI001-HH-1211-T1.nii.gz").write_bytes(b"")
    (tmp_path / "IXI002-HH-1211-T1.nii.gz").write_bytes(b"<html>please log in</html>")
    (tmp_path / "IXI003-HH-1211-T1.nii.gz").unlink()
    (tmp_path / "IXI003-HH-1211-T1.nii.gz").symlink_to("gone")
    write_images(tmp_path, "IXI004-HH-1211-T1.nii.gz", grid=(24, 25, 26, 3))
    rows = scans(tmp_path, "ixi")
    assert list(status(rows).values()) == ["skipped"] * 4 + ["found"]
    expected = {
        "IXI001": ("unreadable: ", "0 bytes", "Fetch"),
        "IXI002": ("unreadable: ", "cannot be read as an image", "Fetch"),
        "IXI003": ("missing file: ", "link to gone", "Fetch"),
        "IXI004": ("unreadable: ", "24, 25, 26, 3", "Write one volume"),
    }
    for subject, (kind, finding, remedy) in expected.items():
        text = reason(rows, subject)
        assert text.startswith(kind + str(tmp_path / subject)) and finding in text and remedy in text
        assert next(row for row in rows if row["subject"] == subject)["sha256"] == ""


@pytest.mark.parametrize("column", ["lesion", "brain_mask"])
def test_a_broken_mask_takes_its_scan_out(tmp_path, column):
    write_images(tmp_path, "a.nii", "b.nii", "c.nii", "mask.nii")
    (tmp_path / "bad.nii").write_bytes(b"x" * 400)
    lines = ["a,S,a.nii,mask.nii", "b,S,b.nii,bad.nii", "c,S,c.nii,absent.nii"]
    (tmp_path / "t.csv").write_text("\n".join([f"subject,scanner,t1,{column}", *lines]))
    rows = scans(tmp_path / "t.csv", "table")
    assert list(status(rows).values()) == ["found", "skipped", "skipped"]
    assert reason(rows, "b").startswith(f"unreadable: {tmp_path / 'bad.nii'}")
    assert reason(rows, "c").startswith(f"missing file: {tmp_path / 'absent.nii'}")


def test_a_lesion_on_another_grid_is_left_to_preprocessing(tmp_path):
    write_images(tmp_path, "a.nii")
    write_images(tmp_path, "lesion.nii", grid=(27, 28, 29))
    (tmp_path / "t.csv").write_text("subject,scanner,t1,lesion\na,S,a.nii,lesion.nii\n")
    assert list(status(scans(tmp_path / "t.csv", "table")).values()) == ["found"]


def test_same_bytes_under_two_subjects_keep_the_first(tmp_path):
    write_images(tmp_path, "IXI001-HH-1211-T1.nii.gz", "IXI003-HH-1213-T1.nii.gz")
    shutil.copy(tmp_path / "IXI001-HH-1211-T1.nii.gz", tmp_path / "IXI002-Guys-1212-T1.nii.gz")
    rows = scans(tmp_path, "ixi")
    assert list(status(rows).values()) == ["found", "skipped", "found"]
    assert "has the same voxels as" in reason(rows, "IXI002") and "(IXI001 t1)" in reason(rows, "IXI002")


def test_packed_and_unpacked_copies_of_a_scan_are_one_scan(tmp_path):
    write_images(
        tmp_path, *brats("BraTS20_Training_001"), "HGG/BraTS20_Training_001/BraTS20_Training_001_t1.nii"
    )
    rows = scans(tmp_path, "brats")
    assert [row["status"] for row in rows] == ["found", "skipped"]
    assert rows[1]["reason"].startswith("repeated: ")


def test_a_subject_needs_every_sequence_of_its_cohort(tmp_path):
    write_images(tmp_path, *brats("A_1", "B_1"), *brats("C_1", kinds=("t1", "seg")))
    (tmp_path / brats("B_1")[1]).write_bytes(b"")
    rows = scans(tmp_path, "brats", ("t1", "t1ce"))
    assert {subject for (subject, _), found in status(rows).items() if found == "found"} == {"A_1"}
    assert reason(rows, "B_1").startswith("incomplete subject: ")
    assert reason(rows, "C_1", "t1ce").startswith("missing file: ")
    assert status(scans(tmp_path, "brats"))["C_1", "t1"] == "found"


def test_skull_strip_of_the_row_comes_before_the_cohorts(tmp_path):
    write_images(tmp_path, *(f"{name}.nii" for name in "abcdm"))
    lines = ["a,S,a.nii,m.nii,given", "b,S,b.nii,,", "c,S,c.nii,,given", "d,S,d.nii,,bet"]
    (tmp_path / "t.csv").write_text("\n".join(["subject,scanner,t1,brain_mask,skull_strip", *lines]))
    rows = scans(tmp_path / "t.csv", "table", skull_strip="deepbet")
    assert [(row["skull_strip"], row["status"]) for row in rows] == [
        ("given", "found"),
        ("deepbet", "found"),
        ("given", "skipped"),
        ("bet", "skipped"),
    ]
    assert rows[0]["brain_mask"] == str(tmp_path / "m.nii")
    assert rows[2]["reason"].startswith("no brain mask: ")
    assert rows[3]["reason"].startswith("skull_strip: ")
    assert "deepbet, robex, hd-bet, given, none" in rows[3]["reason"]


def test_a_given_mask_is_required_where_the_cohort_says_given(tmp_path):
    write_images(tmp_path, *LAYOUTS["bids"])
    assert reason(scans(tmp_path, "bids", skull_strip="given"), "sub-01").startswith("no brain mask: ")
    write_images(tmp_path, "derivatives/fmriprep/sub-01/anat/sub-01_desc-brain_mask.nii.gz")
    (row,) = scans(tmp_path, "bids", skull_strip="given")
    assert row["status"] == "found" and row["brain_mask"].endswith("sub-01_desc-brain_mask.nii.gz")


@pytest.mark.parametrize("name", ["../x", "a/b", 'say ""hi""', "two\nlines", "a'b", ""])
def test_a_name_that_is_no_file_name_is_an_error_row(tmp_path, name):
    write_images(tmp_path, "a.nii", "b.nii")
    (tmp_path / "t.csv").write_text(f'subject,scanner,t1\n"{name}",S,a.nii\nok,S,b.nii\n')
    rows = scans(tmp_path / "t.csv", "table")
    assert sorted(row["status"] for row in rows) == ["found", "skipped"]
    text = next(row["reason"] for row in rows if row["status"] == "skipped")
    assert text.startswith("subject name: ") and "use letters, digits and . _ -" in text and "\n" not in text


def test_rows_survive_their_file_with_every_zero_and_letter(tmp_path):
    write_images(tmp_path, *LAYOUTS["atlas"])
    rows = [*scans(tmp_path, "atlas"), *scans(place_of("table", tmp_path / 'a "quoted", folder'), "table")]
    rows[0]["reason"] = "two\nlines; a, comma"
    write_rows(tmp_path / "study.csv", rows, columns=COLUMNS)
    assert read_rows(tmp_path / "study.csv") == rows
    assert (tmp_path / "study.csv").read_text(encoding="utf-8").splitlines()[0] == ",".join(COLUMNS)


def test_freesurfer_s_formats_are_for_tables_alone(tmp_path):
    """A folder that FreeSurfer has filled would otherwise hold each scan many times."""
    values = np.random.default_rng(0).integers(0, 900, (24, 25, 26), dtype=np.int16)
    for number, name in enumerate(("a.mgz", "lesion.mgh", "IXI012-HH-1211-T1.mgz")):
        nib.save(nib.MGHImage(values + np.int16(number), np.diag([-1, -1, 1, 1])), tmp_path / name)
    (tmp_path / "t.csv").write_text("subject,scanner,t1,lesion\na,S,a.mgz,lesion.mgh\n")
    (row,) = scans(tmp_path / "t.csv", "table")
    assert (row["status"], row["grid"]) == ("found", "24x25x26 1.00x1.00x1.00mm LPS")
    with pytest.raises(ValueError, match="holds no scan"):
        scans(tmp_path, "ixi")


def test_an_excluded_subject_is_skipped_with_the_user_s_reason_and_is_not_opened(tmp_path, monkeypatch):
    write_images(tmp_path, *brats("A_1", "B_1"))
    opened = []
    describe_grid = scans_module.describe_grid
    monkeypatch.setattr(
        scans_module, "describe_grid", lambda path: opened.append(path) or describe_grid(path)
    )
    rows = scans(tmp_path, "brats", ("t1", "t1ce"), exclude={"A_1": "shifted (mine.csv)"})
    assert [(row["subject"], row["status"]) for row in rows] == [
        *(("A_1", "skipped"), ("A_1", "skipped")),
        *(("B_1", "found"), ("B_1", "found")),
    ]
    assert {row["reason"] for row in rows[:2]} == {"excluded: shifted (mine.csv)"}
    assert {row["sha256"] for row in rows[:2]} == {""} and rows[0]["path"].endswith("A_1_t1.nii.gz")
    assert opened and not [path for path in opened if "A_1" in path.name]


def test_an_excluded_subject_does_not_take_its_twin_out(tmp_path):
    write_images(tmp_path, "IXI001-HH-1211-T1.nii.gz")
    shutil.copy(tmp_path / "IXI001-HH-1211-T1.nii.gz", tmp_path / "IXI002-Guys-1212-T1.nii.gz")
    rows = scans(tmp_path, "ixi", exclude={"IXI001": "moved"})
    assert [row["status"] for row in rows] == ["skipped", "found"]


def test_no_other_session_takes_the_place_of_an_excluded_subject(tmp_path):
    sessions = [f"sub-01/ses-{number}/anat/sub-01_ses-{number}_T1w.nii.gz" for number in (1, 2)]
    write_images(tmp_path, *sessions, "sub-02/anat/sub-02_T1w.nii.gz")
    rows = scans(tmp_path, "bids", exclude={"sub-01": "moved"})
    assert [row["reason"] for row in rows] == ["excluded: moved"] * 2 + [""]


def test_an_excluded_name_is_the_same_in_either_spelling_of_unicode(tmp_path):
    write_images(tmp_path, "a.nii", "b.nii")
    (tmp_path / "t.csv").write_text("subject,scanner,t1\nZoe\u0308,S,a.nii\nb,S,b.nii\n", encoding="utf-8")
    rows = scans(tmp_path / "t.csv", "table", exclude={"Zoë": "moved"})
    assert reason(rows, "Zoë") == "excluded: moved"
