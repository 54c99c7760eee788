import csv
import tracemalloc
from itertools import chain, pairwise

import numpy as np
import pandas as pd
import pytest

from spatial_erasing.cohorts import (
    concatenate_tables,
    members,
    read_rows,
    read_split,
    voxel_size_mm,
    write_rows,
)
from spatial_erasing.jobs.results import open_arrays
from spatial_erasing.split.assign import scanners_of

ARRAYS = {"t1": np.float16, "brain": bool, "lesion": bool}
COLUMNS = ("cohort", "subject", "scanner", "split", "training_rank")
SHAPE = (4, 5, 6)


def write_cohort(folder, names, *, seed):
    """`volumes.npz` of a cohort, every array different for every subject."""
    rng = np.random.default_rng(seed)
    arrays = {
        "subject": np.array(names),
        "t1": rng.random((len(names), *SHAPE)).astype(np.float16),
        "t1ce": rng.random((len(names), *SHAPE)).astype(np.float16),
        "brain": rng.random((len(names), *SHAPE)) < 0.5,
        "lesion": rng.random((len(names), *SHAPE)) < 0.2,
        "lesion_slices": rng.random((len(names), SHAPE[2])) < 0.5,
    }
    folder.mkdir()
    np.savez(folder / "volumes.npz", padded_grid_voxels=(8, 15, 24), **arrays)
    return folder / "volumes.npz", arrays


def split_row(cohort, subject, split, rank=""):
    return dict(zip(COLUMNS, (cohort, subject, "Trio", split, rank), strict=True))


@pytest.fixture
def study(tmp_path):
    """Two healthy cohorts that share a subject's name, split together."""
    first = write_cohort(tmp_path / "ixi", ["c", "a", "d", "b"], seed=1)
    second = write_cohort(tmp_path / "camcan", ["b", "e", "f"], seed=2)
    rows = [
        split_row("ixi", "a", "training", 0.0),
        split_row("ixi", "b", "validation"),
        split_row("ixi", "c", "training", 0.5),
        split_row("ixi", "d", "training", 0.25),
        split_row("camcan", "b", "training", 0.75),
        split_row("camcan", "e", "validation"),
        split_row("camcan", "lost in preprocessing", "training", 0.1),
        split_row("elsewhere", "f", "training", 0.2),
    ]
    write_rows(tmp_path / "healthy.csv", rows, columns=COLUMNS)
    return {"ixi": first, "camcan": second}, tmp_path / "healthy.csv"


def read(study, *, sequence="t1", **wanted):
    cohorts, splits = study
    return read_split([path for path, _ in cohorts.values()], splits, sequence=sequence, **wanted)


@pytest.mark.parametrize(
    ("wanted", "subjects"),
    [
        ({"split": "training"}, [("ixi", "c"), ("ixi", "a"), ("ixi", "d"), ("camcan", "b")]),
        ({"split": "validation"}, [("ixi", "b"), ("camcan", "e")]),
        ({"split": "test"}, []),
        ({"split": "training", "fraction_percent": 50}, [("ixi", "a"), ("ixi", "d")]),
        ({"split": "training", "fraction_percent": 25}, [("ixi", "a")]),
        ({"split": "validation", "fraction_percent": 10}, [("ixi", "b"), ("camcan", "e")]),
    ],
)
@pytest.mark.parametrize("sequence", ["t1", "t1ce"])
def test_a_split_holds_its_own_subjects_alone_in_the_order_of_the_arrays(study, wanted, subjects, sequence):
    part = read(study, sequence=sequence, **wanted)
    assert part.subjects == subjects
    cohorts = study[0]
    for place, (cohort, name) in enumerate(subjects):
        arrays = cohorts[cohort][1]
        row = arrays["subject"].tolist().index(name)
        assert np.array_equal(part.scans[place], arrays[sequence][row])
        assert np.array_equal(part.brain[place], arrays["brain"][row])
        assert np.array_equal(part.lesion[place], arrays["lesion"][row])
        assert np.array_equal(part.lesion_slices[place], arrays["lesion_slices"][row])
    assert all(
        len(array) == len(subjects) for array in (part.scans, part.brain, part.lesion, part.lesion_slices)
    )
    assert part.scans.dtype == np.float16 and part.scans.shape[1:] == SHAPE


def test_no_subject_is_in_two_splits(study):
    parts = [set(read(study, split=split).subjects) for split in ("training", "validation", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_training_fractions_are_nested(study):
    rows = read_rows(study[1])
    chosen = [
        members(rows, split="training", fraction_percent=percent) for percent in (1, 11, 20, 30, 60, 100)
    ]
    assert [len(subjects) for subjects in chosen] == [1, 2, 2, 4, 5, 6]
    assert all(fewer <= more for fewer, more in pairwise(chosen))


def test_rows_are_read_as_pandas_reads_them(tmp_path):
    rows = [
        {"subject": "031768", "reason": 'said "no", twice\nand left', "extra": 1},
        {"subject": "Zoë", "reason": "", "extra": 2},
    ]
    write_rows(tmp_path / "table.csv", rows, columns=["reason", "subject"])
    expected = pd.read_csv(tmp_path / "table.csv", dtype=str, keep_default_na=False)
    assert list(expected.columns) == ["reason", "subject"]
    assert read_rows(tmp_path / "table.csv") == expected.to_dict("records")
    assert [row["subject"] for row in read_rows(tmp_path / "table.csv")] == ["031768", "Zoë"]


FORMULAS = [
    "=1+1",
    "=cmd|'/C calc'!A0",
    "+x",
    "-x",
    "@SUM(A1)",
    "\t=x",
    "\n=x",
    "\uff1dx",
    "'=x",
    "''+x",
    " =x",
    "' =x",
]
HARMLESS = ["", "-", "--", "Prisma=3T", "'quoted'", "O'Neill", "'", "-0.5", "+3e2", "-inf", "1-2"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_is_written_as_text_and_read_as_it_was(tmp_path, text):
    write_rows(tmp_path / "table.csv", [{"scanner": text}], columns=["scanner"])
    assert pd.read_csv(tmp_path / "table.csv", dtype=str)["scanner"].tolist() == ["'" + text]
    assert read_rows(tmp_path / "table.csv") == [{"scanner": text}]
    write_rows(tmp_path / "again.csv", read_rows(tmp_path / "table.csv"), columns=["scanner"])
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "table.csv").read_bytes()


def test_every_text_is_read_as_it_was_written(tmp_path):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("'=-; \t\u200ba5"), size=rng.integers(1, 8))) for _ in range(4000)]
    write_rows(tmp_path / "table.csv", [{"a": text} for text in texts], columns=["a"])
    assert [row["a"] for row in read_rows(tmp_path / "table.csv")] == texts


def test_a_carriage_return_begins_no_row_of_its_own(tmp_path):
    write_rows(tmp_path / "table.csv", [{"path": "a\r=x", "b": 1}], columns=["path", "b"])
    assert read_rows(tmp_path / "table.csv") == [{"path": "a\n=x", "b": "1"}]


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_and_numbers_are_written_as_they_are(tmp_path, text):
    write_rows(tmp_path / "table.csv", [{"a": text, "b": -0.25, "c": -3}], columns=["a", "b", "c"])
    read = pd.read_csv(tmp_path / "table.csv", dtype={"a": str}, keep_default_na=False)
    assert read.to_dict("records") == [{"a": text, "b": -0.25, "c": -3}]
    assert read_rows(tmp_path / "table.csv") == [{"a": text, "b": "-0.25", "c": "-3"}]


def test_a_column_that_a_row_lacks_is_empty(tmp_path):
    write_rows(tmp_path / "table.csv", [{"subject": "a"}], columns=["subject", "brain_ml"])
    assert read_rows(tmp_path / "table.csv") == [{"subject": "a", "brain_ml": ""}]


@pytest.mark.parametrize("as_kind", [list, tuple, iter])
def test_tables_are_put_one_below_the_other(tmp_path, as_kind):
    tables = [[{"a": "1", "b": "x\ny"}], [], [{"a": "2", "b": "é"}, {"a": "3", "b": ""}]]
    paths = [tmp_path / f"{number}.csv" for number in range(3)]
    for path, rows in zip(paths, tables, strict=True):
        write_rows(path, rows, columns=("a", "b"))
    concatenate_tables(as_kind(paths), tmp_path / "all.csv")
    assert read_rows(tmp_path / "all.csv") == list(chain(*tables))


@pytest.mark.parametrize("columns", [("b", "a"), ("a",), ("a", "b", "c")])
def test_tables_with_other_columns_are_not_mixed(tmp_path, columns):
    write_rows(tmp_path / "one.csv", [{"a": 1, "b": 2}], columns=("a", "b"))
    write_rows(tmp_path / "two.csv", [{"a": 1, "b": 2}], columns=columns)
    with pytest.raises(ValueError, match=r"two\.csv does not have the columns a,b\. Delete it"):
        concatenate_tables([tmp_path / "one.csv", tmp_path / "two.csv"], tmp_path / "all.csv")
    assert not (tmp_path / "all.csv").exists()


def test_only_scans_that_were_found_have_a_scanner(tmp_path):
    rows = [
        {"cohort": "ixi", "subject": "a", "scanner": "Guys", "sequence": "t1", "status": "found"},
        {"cohort": "ixi", "subject": "a", "scanner": "Guys", "sequence": "t1ce", "status": "found"},
        {"cohort": "ixi", "subject": "b", "scanner": "HH", "sequence": "t1", "status": "skipped"},
    ]
    assert scanners_of(rows) == {("ixi", "a"): "Guys"}


def test_written_tables_end_their_lines_alike_on_every_system(tmp_path):
    write_rows(tmp_path / "table.csv", [{"a": 1}], columns=["a"])
    assert (tmp_path / "table.csv").read_bytes() == b"a\n1\n"
    with (tmp_path / "table.csv").open() as stream:
        assert list(csv.reader(stream)) == [["a"], ["1"]]


def test_the_size_of_a_voxel_follows_from_the_affine(tmp_path):
    np.savez(tmp_path / "volumes.npz", affine=[np.diag([-3, 3.75, 6, 1])] * 6)
    assert voxel_size_mm(tmp_path / "volumes.npz") == pytest.approx((3, 3.75, 6))


def test_reading_a_split_takes_the_memory_of_its_own_subjects(tmp_path):
    """The cohort has ten times as many; of those a single one is in memory at a time."""
    names, shape = [f"s{number}" for number in range(40)], (24, 24, 24)
    arrays = {name: np.ones((40, *shape), dtype) for name, dtype in ARRAYS.items()}
    (tmp_path / "ixi").mkdir()
    np.savez(tmp_path / "ixi/volumes.npz", subject=names, lesion_slices=np.ones((40, 24), bool), **arrays)
    rows = [split_row("ixi", name, "training", number / 40) for number, name in enumerate(names)]
    write_rows(tmp_path / "healthy.csv", rows, columns=COLUMNS)
    wanted = {"split": "training", "sequence": "t1", "fraction_percent": 10}
    tracemalloc.start()
    part = read_split([tmp_path / "ixi/volumes.npz"], tmp_path / "healthy.csv", **wanted)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept = sum(array.nbytes for array in (part.scans, part.brain, part.lesion))
    assert len(part.subjects) == 4 and kept == 4 * 4 * 24**3
    assert peak < 1.5 * kept


def test_rows_of_an_array_are_those_that_numpy_reads(tmp_path):
    array = np.random.default_rng(0).random((5, 3, 2)).astype(np.float16)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", a=array)
        with open_arrays(tmp_path / "a.npz") as arrays:
            for wanted in ([True, False, True, True, False], [False] * 5, [True] * 5):
                found = arrays.rows("a", wanted)
                assert found.dtype == array.dtype and np.array_equal(found, array[wanted])
            with pytest.raises(OSError, match=r"a has the shape \(5, 3, 2\), expected 4 rows"):
                arrays.rows("a", [True] * 4)
