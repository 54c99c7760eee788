"""Attacks on results that a later job reads, as tables: a damage, and the line that names the file.

No damage may end in a number, in a traceback that names no file, or in "Nobody foresaw this error".
"""

import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from spatial_erasing.cohorts import concatenate_tables, read_rows, read_split, voxel_size_mm, write_rows
from spatial_erasing.evaluate.counts import load_counts
from spatial_erasing.images.volumes import write_volume
from spatial_erasing.ingest.source import keep_rows, kept_list, kept_rows, kept_sizes
from spatial_erasing.jobs import results
from spatial_erasing.jobs.results import open_arrays, read_cells, read_json
from spatial_erasing.preflight import require_material
from spatial_erasing.preprocess.geometry import read_chains
from spatial_erasing.preprocess.quality import read_band
from spatial_erasing.preprocess.standardise.landmarks import Landmarks, read_landmarks, write_landmarks
from spatial_erasing.preprocess.subject import read_brain_mask, read_finished, read_record
from spatial_erasing.report.tables import read_table
from spatial_erasing_phantoms.make import _finished_row

REMEDY = r"{name} is not the whole file that its job wrote \({found}.*again: rm '?.*{name}"


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def struck(path):
    """A bad sector: zeros in the middle of a file that keeps its length."""
    content = bytearray(path.read_bytes())
    content[400 : len(content) // 2] = bytes(len(content) // 2 - 400)
    path.write_bytes(content)


def one_array(path):
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))


# damage to volumes.npz, and what is said of it
ARCHIVES = {
    "half": (half, "BadZipFile"),
    "empty": (lambda path: path.write_bytes(b""), "it does not begin as an archive"),
    "zeros": (zeros, "it does not begin as an archive"),
    "bad sector": (struck, "BadZipFile: Bad CRC-32|BadZipFile: Bad magic number"),
    "text": (lambda path: path.write_text("no arrays"), "it does not begin as an archive"),
    "one array": (one_array, "it does not begin as an archive"),
    "no such array": (lambda path: np.savez(path, subject=["a"]), "KeyError"),
}
READERS = {
    "read_split": lambda path, splits: read_split([path], splits, split="test", sequence="t1"),
    "voxel_size_mm": lambda path, _: voxel_size_mm(path),
    "load_counts": lambda path, _: load_counts(path),
}


@pytest.mark.parametrize("case", ARCHIVES)
@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_archive_of_arrays_is_named(tmp_path, case, reader):
    damage, found = ARCHIVES[case]
    volumes = np.random.default_rng(0).random((2, 8, 8, 8))
    arrays = dict.fromkeys(("t1", "brain", "lesion", "lesion_slices", "owner", "pattern", "normal"), volumes)
    path = tmp_path / "brats/volumes.npz"
    path.parent.mkdir()
    np.savez(path, affine=np.stack([np.eye(4)] * 2), **arrays, subject=["a", "b"], threshold=0.5)
    rows = [{"cohort": "brats", "subject": name, "split": "test"} for name in "ab"]
    write_rows(tmp_path / "splits.csv", rows, columns=rows[0])
    READERS[reader](path, tmp_path / "splits.csv")
    damage(path)
    with pytest.raises(OSError, match=REMEDY.format(name=r"brats/volumes\.npz", found=f"({found})")):
        READERS[reader](path, tmp_path / "splits.csv")


# damage to a file of JSON, and what is said of it
OBJECTS = {
    "half": (half, "JSONDecodeError"),
    "empty": (lambda path: path.write_bytes(b""), "JSONDecodeError"),
    "zeros": (zeros, "JSONDecodeError"),
    "list": (lambda path: path.write_text("[]"), "a list, expected an object"),
    "number": (lambda path: path.write_text("1"), "a int, expected an object"),
    "Latin-1": (lambda path: path.write_bytes(b'{"a": "\xe4"}'), "UnicodeDecodeError"),
    "without end": (lambda path: path.write_text('{"a":' * 100_000), "RecursionError"),
}


@pytest.mark.parametrize("case", OBJECTS)
@pytest.mark.parametrize("reader", [read_json, read_chains, read_landmarks, read_band])
def test_a_damaged_object_is_named(tmp_path, case, reader):
    damage, found = OBJECTS[case]
    (tmp_path / "x.json").write_text('{"threshold": 0.5, "dice": 0.25}')
    damage(tmp_path / "x.json")
    with pytest.raises(OSError, match=REMEDY.format(name=r"x\.json", found=found)):
        reader(tmp_path / "x.json")


def test_an_object_that_lacks_a_key_is_named(tmp_path):
    (tmp_path / "x.json").write_text('{"dice": 0.25}')
    with pytest.raises(OSError, match=REMEDY.format(name=r"x\.json", found="it has no threshold")):
        read_json(tmp_path / "x.json", keys=["threshold", "dice"])
    assert read_json(tmp_path / "x.json", keys=["dice"]) == {"dice": 0.25}


# a table as it may be found, and what is said of it
TABLES = {
    "half": (b"model,dice\na,0.25\nb,0.", "it ends within a line"),
    "within a row": (b"model,dice\na,0.25\nb\n", "row 2 has 1 cells, expected 2"),
    "two rows in one": (b"model,dice\na,0.25b,0.5\n", "row 1 has 3 cells, expected 2"),
    "empty": (b"", "0 bytes"),
    "zeros": (b"model,dice\n" + bytes(20) + b"\n", "no text"),
    "Latin-1": (b"model,dice\n\xe4,0.5\n", "UnicodeDecodeError"),
}


@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("reader", [read_rows, read_cells])
def test_a_damaged_table_is_named(tmp_path, case, reader):
    content, found = TABLES[case]
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(OSError, match=REMEDY.format(name=r"x\.csv", found=found)):
        reader(tmp_path / "x.csv")


@pytest.mark.parametrize("case", ["half", "empty", "zeros", "Latin-1"])
def test_a_damaged_table_is_neither_joined_nor_drawn(tmp_path, case):
    content, found = TABLES[case]
    (tmp_path / "x.csv").write_bytes(content)
    (tmp_path / "y.csv").write_text("model,dice\na,0.25\n")
    said = REMEDY.format(name=r"x\.csv", found=found)
    with pytest.raises(OSError, match=said):
        concatenate_tables([tmp_path / "x.csv", tmp_path / "y.csv"], tmp_path / "z.csv")
    with pytest.raises(OSError, match=said):
        read_table(tmp_path / "x.csv")
    assert not (tmp_path / "z.csv").exists()


def test_a_table_that_lacks_a_column_is_named_where_it_is_asked_for(tmp_path):
    (tmp_path / "x.csv").write_text("model,dice\na,'=0.25\n")
    (row,) = pickle.loads(pickle.dumps(read_rows(tmp_path / "x.csv")))
    assert row == {"model": "a", "dice": "=0.25"} and row.get("status") is None
    with pytest.raises(OSError, match=REMEDY.format(name=r"x\.csv", found="it has no column status")):
        row["status"]


# what was written down of a synthetic subject
@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"made_from": "x"}', "\0\0"])
def test_a_damaged_record_of_a_phantom_counts_as_none(tmp_path, text):
    (tmp_path / "0.json").write_text(text)
    assert _finished_row(tmp_path, tmp_path / "0.json", made_from="x") is None
    assert results.read_record(tmp_path / "0.json", keys=("made_from", "row")) is None
    assert results.read_record(tmp_path / "1.json") is None
    with pytest.raises(IsADirectoryError):
        results.read_record(tmp_path)


# record.json of a prepared brain
RECORDS = ["[]", "{}", "", "null", '{"grids": {}', '{"made_from": "x"}']


@pytest.mark.parametrize("text", RECORDS)
def test_a_damaged_record_counts_as_none(tmp_path, text):
    (tmp_path / "record.json").write_text(text)
    assert read_finished(tmp_path, asked={}, code="x", files=[]) is None
    with pytest.raises(OSError, match=r"not hold the whole brain.*record\.json.*--forcerun prepare_brains"):
        read_record(tmp_path)


@pytest.mark.parametrize("text", RECORDS)
def test_arrays_are_not_removed_for_brains_of_a_damaged_record(tmp_path, text):
    folder = tmp_path / "results/preprocess/brats"
    (folder / "subjects/a").mkdir(parents=True)
    (folder / "subjects/a/record.json").write_text(text)
    (folder / "batch-000.csv").write_text("subject,status\na,done\n")
    plan = SimpleNamespace(root=tmp_path, sources={"brats": {"path": "data/brats"}}, healthy=[])
    with pytest.raises(ValueError, match=r"brats, batch-000\.csv, 1 of 1 subjects, such as a: their brains"):
        require_material({"stack_cohort": [{"cohort": "brats"}]}, plan)


def test_an_empty_brain_names_its_folder(tmp_path):
    write_volume(tmp_path / "s1/brain.nii.gz", np.zeros((16, 16, 16), bool), np.eye(4))
    with pytest.raises(OSError, match=r"s1 does not hold the whole brain .*brain\.nii\.gz is empty.*rm -r"):
        read_brain_mask(tmp_path / "s1")


# a row of the copy of a list
KEPT = {
    "no status": {"subject": "a", "reason": ""},
    "no reason": {"subject": "a", "status": "found"},
    "no subject": {"status": "found", "reason": ""},
    "a list": [],
    "null": None,
}
SOURCE = {"reader": "bids", "path": "/data", "sequences": ["t1"], "skull_strip": "none"}


@pytest.mark.parametrize("case", KEPT)
def test_a_damaged_copy_of_a_list_counts_as_none(tmp_path, case):
    listed = tmp_path / "brats.csv"
    sound = {"subject": "a", "status": "found", "reason": ""}
    keep_rows(listed, [sound], source=SOURCE, sizes={"/data/a": 1})
    assert kept_rows(listed, source=SOURCE, exclude={}) == [sound]
    content = json.loads(kept_list(listed).read_text())
    kept_list(listed).write_text(json.dumps(content | {"rows": [sound, KEPT[case]]}))
    assert kept_rows(listed, source=SOURCE, exclude={}) is None and kept_sizes(listed) == {}


# landmarks that were edited, and what is said of them
SCALES = {
    "falling": ((10, 50, 90), (0.2, 0.8, 0.5), "do not rise"),
    "beyond 1": ((10, 50, 90), (0.2, 0.5, 1.5), "do not rise from 0 to 1"),
    "below 0": ((10, 50, 90), (-0.2, 0.5, 0.9), "do not rise from 0 to 1"),
    "NaN": ((10, 50, 90), (0.2, float("nan"), 0.9), "do not rise"),
    "percentiles that fall": ((10, 90, 50), (0.2, 0.5, 0.9), "do not rise"),
    "one too few": ((10, 50, 90), (0.2, 0.5), "inhomogeneous"),
    "texts": ((10, 50, 90), ("a", "b", "c"), "could not convert"),
}


@pytest.mark.parametrize("case", SCALES)
def test_landmarks_that_no_learning_gives_are_refused(tmp_path, case):
    percentiles, values, found = SCALES[case]
    write_landmarks(tmp_path / "x.json", {"t1": Landmarks(percentiles, values, "t1", 3)})
    with pytest.raises(OSError, match=r"x\.json is not the whole file.*no landmarks.*" + found):
        read_landmarks(tmp_path / "x.json")


def test_arrays_are_read_one_by_one(tmp_path):
    np.savez(tmp_path / "x.npz", a=[1.0], b=[2.0])
    with open_arrays(tmp_path / "x.npz") as arrays:
        assert dict(arrays) == {"a": 1, "b": 2} and "c" not in arrays and len(arrays) == 2
