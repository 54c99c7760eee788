import os
import shutil
import time
from pathlib import Path

import pytest

from spatial_erasing.ingest import bids_names
from spatial_erasing.ingest.source import download_of, source_signature


@pytest.fixture
def data(tmp_path):
    """A folder of three scans."""
    for name in ("IXI001-HH-1211-T1.nii.gz", "IXI002-HH-1212-T1.nii.gz", "sub/IXI003-HH-1213-T1.nii"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(bytes(100))
    return tmp_path / "data"


@pytest.fixture
def listed(tmp_path):
    """The list of a cohort that may have been made before."""
    (tmp_path / "results").mkdir()
    return tmp_path / "results/study.csv"


def look(place, listed, reader="ixi", sequences=("t1",)):
    return source_signature(reader, str(place), sequences=sequences, listed=listed)


def list_now(place, listed, reader="ixi"):
    """What list_scans leaves behind, an hour after the files were written."""
    signature, _ = look(place, listed, reader)
    listed.touch()
    os.utime(listed, (time.time() + 3600,) * 2)
    listed.with_suffix(".source").write_text(signature)
    return signature


def test_a_file_that_is_new_gone_renamed_or_of_another_size_changes_the_signature(data, listed):
    first, other = data / "IXI001-HH-1211-T1.nii.gz", data / "IXI009-HH-1211-T1.nii.gz"
    signatures = [look(data, listed)[0]]
    shutil.copy(first, other)
    signatures.append(look(data, listed)[0])
    other = other.rename(data / "IXI008-HH-1211-T1.nii.gz")
    signatures.append(look(data, listed)[0])
    first.write_bytes(bytes(101))
    signatures.append(look(data, listed)[0])
    first.unlink()
    signatures.append(look(data, listed)[0])
    assert len(set(signatures)) == 5
    other.unlink()
    first.write_bytes(bytes(100))
    assert look(data, listed)[0] == signatures[0]


def test_two_files_that_exchange_their_sizes_change_the_signature(data, listed):
    one, two = (data / f"IXI00{n}-HH-121{n}-T1.nii.gz" for n in (1, 2))
    two.write_bytes(bytes(200))
    before = look(data, listed)
    one.write_bytes(bytes(200))
    two.write_bytes(bytes(100))
    assert look(data, listed) != before


def test_other_files_times_and_the_place_of_the_data_do_not_count(data, listed, tmp_path, monkeypatch):
    before = look(data, listed)
    (data / "notes.txt").write_text("x")
    (data / ".hidden.nii").touch()
    for path in data.rglob("*.nii*"):
        os.utime(path, (5, 5))
    assert look(data, listed) == before
    data.rename(tmp_path / "moved")
    assert look(tmp_path / "moved", listed) == before
    monkeypatch.chdir(tmp_path)
    assert look("moved", listed) == before
    monkeypatch.setenv("STUDY_DATA", str(tmp_path))
    assert look("${STUDY_DATA}/moved", listed) == before


def test_a_link_that_loses_its_content_counts(data, listed):
    (data / "IXI007-HH-1217-T1.nii.gz").symlink_to("IXI001-HH-1211-T1.nii.gz")
    before = look(data, listed)
    (data / "IXI007-HH-1217-T1.nii.gz").unlink()
    (data / "IXI007-HH-1217-T1.nii.gz").symlink_to("nowhere")
    assert look(data, listed) != before


@pytest.mark.parametrize("how", ["removed", "empty", "links to nothing", "variable not set"])
def test_data_that_are_absent_have_the_signature_of_when_they_were_listed(data, listed, how, monkeypatch):
    recorded = list_now(data, listed)
    place = data
    shutil.rmtree(data)
    if how != "removed":
        data.mkdir()
    if how == "links to nothing":
        (data / "IXI001-HH-1211-T1.nii.gz").symlink_to("nowhere")
    if how == "variable not set":
        monkeypatch.delenv("STUDY_DATA", raising=False)
        place = "${STUDY_DATA}"
    assert look(place, listed) == (recorded, None)


def test_data_that_are_absent_and_were_never_listed_do_not_pass_for_seen(data, listed):
    seen = look(data, listed)[0]
    shutil.rmtree(data)
    assert look(data, listed)[0] not in (seen, "")
    listed.with_suffix(".source").write_text(seen)  # the list itself was deleted
    assert look(data, listed)[0] != seen


def test_a_closed_folder_has_the_signature_of_when_it_was_listed(open_folder, touch, as_nobody):
    touch(open_folder, "data/a/IXI001-HH-1211-T1.nii.gz", "data/b/IXI002-HH-1212-T1.nii.gz")
    listed = open_folder / "study.csv"
    recorded = list_now(open_folder / "data", listed)
    (open_folder / "data/a").chmod(0)
    assert as_nobody(lambda: look(open_folder / "data", listed)) == f"('{recorded}', None)"


def test_a_file_that_only_its_time_tells_apart_is_a_warning_with_the_command(data, listed):
    recorded = list_now(data, listed)
    assert look(data, listed) == (recorded, None)
    os.utime(data / "IXI002-HH-1212-T1.nii.gz", (time.time() + 7200,) * 2)
    signature, warning = look(data, listed)
    assert signature == recorded
    assert "IXI002-HH-1212-T1.nii.gz is newer than" in warning and "--forcerun list_scans" in warning
    assert "\n" not in warning


def test_a_change_that_lists_the_cohort_anew_anyway_is_no_warning(data, listed):
    recorded = list_now(data, listed)
    (data / "IXI002-HH-1212-T1.nii.gz").write_bytes(bytes(50))
    os.utime(data / "IXI002-HH-1212-T1.nii.gz", (time.time() + 7200,) * 2)
    signature, warning = look(data, listed)
    assert signature != recorded and warning is None


BIDS = [
    "participants.tsv",
    "T1w.json",
    "sub-01/anat/sub-01_T1w.nii.gz",
    "sub-01/anat/sub-01_T1w.json",
    "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii.gz",
    "sub-02/ses-1/sub-02_ses-1_T1w.json",
    "derivatives/x/sub-01/anat/sub-01_label-lesion_mask.nii.gz",
    "derivatives/x/sub-02/ses-1/anat/sub-02_ses-1_desc-brain_mask.nii.gz",
    "derivatives/sub-01_label-lesion_roi.nii.gz",
]


@pytest.fixture
def bids(tmp_path, touch):
    touch(tmp_path / "bids", *BIDS)
    return tmp_path / "bids"


@pytest.mark.parametrize("name", [*BIDS, "sub-03/anat/sub-03_ce-gd_T1w.nii"])
def test_in_a_bids_folder_scans_sidecars_masks_and_participants_count(bids, listed, name):
    (bids / "sub-04/anat").mkdir(parents=True)
    (bids / "sub-04/anat/sub-04_T1w.nii.gz").write_bytes(b"x")
    before = look(bids, listed, "bids")
    (bids / name).parent.mkdir(parents=True, exist_ok=True)
    (bids / name).write_bytes(b"another size")
    assert look(bids, listed, "bids") != before


@pytest.mark.parametrize(
    "name",
    [
        "README",
        "dataset_description.json",
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-01/func/sub-01_task-rest_bold.nii.gz",
        "sub-01/anat/sub-01_T2w.json",
        "derivatives/x/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz",
        "derivatives/x/sub-01/anat/sub-01_desc-preproc_T1w.json",
        "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
        ".git/annex/sub-01_T1w.nii.gz",
    ],
)
def test_in_a_bids_folder_nothing_else_counts(bids, listed, touch, name):
    before = look(bids, listed, "bids")
    touch(bids, name)
    assert look(bids, listed, "bids") == before


@pytest.fixture
def table(tmp_path):
    """A table of two subjects, whose files lie beside it."""
    for name in ("a.nii", "b.nii", "l1.nii", "l2.nii", "m.nii"):
        (tmp_path / name).write_bytes(bytes(10))
    lines = ["subject,scanner,t1,lesion,brain_mask", "a,S,a.nii,l1.nii;l2.nii,m.nii", "b,S,b.nii,,"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    return tmp_path / "t.csv"


@pytest.mark.parametrize("name", ["a.nii", "b.nii", "l1.nii", "l2.nii", "m.nii"])
def test_every_file_that_a_table_lists_counts(table, listed, name):
    before = look(table, listed, "table")
    (table.parent / name).write_bytes(bytes(11))
    changed = look(table, listed, "table")
    (table.parent / name).unlink()
    assert len({before, changed, look(table, listed, "table")}) == 3


def test_a_sequence_that_is_not_asked_for_does_not_count(table, listed):
    table.write_text("subject,scanner,t1,t1ce\na,S,a.nii,b.nii\n")
    before = look(table, listed, "table"), look(table, listed, "table", ("t1", "t1ce"))
    (table.parent / "b.nii").write_bytes(bytes(11))
    assert look(table, listed, "table") == before[0]
    assert look(table, listed, "table", ("t1", "t1ce")) != before[1]


def test_the_files_of_a_table_may_be_moved_with_it(table, listed, tmp_path):
    before = look(table, listed, "table")
    (tmp_path / "elsewhere").mkdir()
    for path in (table, *tmp_path.glob("*.nii")):
        path.rename(tmp_path / "elsewhere" / path.name)
    assert look(tmp_path / "elsewhere/t.csv", listed, "table") == before


@pytest.mark.parametrize("gone", ["the table", "its files", "its columns"])
def test_a_table_that_cannot_be_read_has_the_signature_of_when_it_was_listed(table, listed, gone):
    recorded = list_now(table, listed, "table")
    if gone == "the table":
        table.unlink()
    if gone == "its columns":
        table.write_text("patient\nx\n")
    if gone == "its files":
        for path in table.parent.glob("*.nii"):
            path.unlink()
    assert look(table, listed, "table") == (recorded, None)


def test_one_file_of_a_table_that_goes_is_not_taken_for_absent_data(table, listed):
    recorded = list_now(table, listed, "table")
    (table.parent / "b.nii").unlink()
    assert look(table, listed, "table")[0] != recorded


def test_synthetic_data_have_one_signature_before_and_after_they_are_made(tmp_path, listed, monkeypatch):
    """They are an output of the workflow, which knows by itself when they change."""
    monkeypatch.chdir(tmp_path)
    before = look("results/phantom/healthy/participants.csv", listed, "table")
    (tmp_path / "results/phantom/healthy").mkdir(parents=True)
    (tmp_path / "results/phantom/healthy/participants.csv").write_text("subject,scanner,t1\na,S,a.nii\n")
    (tmp_path / "results/phantom/healthy/a.nii").write_bytes(b"x")
    assert look("results/phantom/healthy/participants.csv", listed, "table") == before
    assert before[1] is None


@pytest.mark.parametrize(
    ("path", "archive"),
    [
        ("results/ingest/downloads/ixi", "ixi"),
        ("./results/ingest/downloads/ixi/IXI-T1/", "ixi"),
        ("results/ingest/downloads", None),
        ("results/phantom/ixi", None),
        ("/data/results/ingest/downloads/ixi", None),
        ("data/ixi", None),
    ],
)
def test_a_path_below_downloads_names_its_archive(path, archive):
    assert download_of(path) == archive


def test_13_000_files_take_less_than_a_second(tmp_path, listed):
    for subject in range(1300):
        anatomy = tmp_path / f"bids/sub-{subject:04d}/anat"
        anatomy.mkdir(parents=True)
        for number in range(10):
            kind = "T1w" if number < 5 else "label-lesion_mask"
            Path(anatomy, f"sub-{subject:04d}_run-{number}_{kind}.nii.gz").write_bytes(b"x")
    for reader in ("bids", "brats"):
        before = time.process_time()
        signature, _ = look(tmp_path / "bids", listed, reader)
        assert time.process_time() - before < 1 and len(signature) == 64
    assert len(bids_names.counting_files(tmp_path / "bids", sequences=["t1"])) == 13_000


@pytest.mark.parametrize("closed", ["a scan", "a folder of a scan"])
@pytest.mark.parametrize("reader", ["table", "bids"])
def test_a_scan_that_its_owner_opens_after_it_was_listed_is_seen(
    open_folder, touch, as_nobody, reader, closed
):
    names = [f"sub-0{number}/anat/sub-0{number}_T1w.nii" for number in (1, 2)]
    touch(open_folder, *names)
    lines = ["subject,scanner,t1", *(f"{name[:6]},S,{name}" for name in names)]
    (open_folder / "t.csv").write_text("\n".join(lines))
    place = open_folder / ("t.csv" if reader == "table" else "")
    target = (open_folder / names[0]).parent if "folder" in closed else open_folder / names[0]
    listed = open_folder / "study.csv"
    opened = as_nobody(lambda: look(place, listed, reader))
    mode = target.stat().st_mode
    target.chmod(0)
    before = as_nobody(lambda: look(place, listed, reader))
    target.chmod(mode)
    assert before != opened == as_nobody(lambda: look(place, listed, reader))
    recorded = list_now(place, listed, reader)
    (open_folder / names[0]).chmod(0)  # after it was listed: what is known stays
    assert as_nobody(lambda: look(place, listed, reader)) == f"('{recorded}', None)"
