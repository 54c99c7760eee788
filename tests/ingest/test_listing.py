import shutil

import numpy as np
import pytest

from spatial_erasing.images.volumes import write_volume
from spatial_erasing.ingest.listing import list_or_keep
from spatial_erasing.ingest.source import kept_list


@pytest.fixture
def cohort(tmp_path):
    """Three scans in a table; returns a function that lists them, and the folder of the scans."""
    raw = tmp_path / "raw"
    for number in range(3):
        scan = np.random.default_rng(number).uniform(0, 9, (24, 24, 24)).astype(np.float32)
        write_volume(raw / f"s{number}.nii.gz", scan, np.diag([2.0, 2, 2, 1]))
    lines = ["subject,scanner,t1", *(f"s{number},a,raw/s{number}.nii.gz" for number in range(3))]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")

    def listed(*, exclude=None, **changes):
        source = {"reader": "table", "path": str(tmp_path / "table.csv"), "sequences": ["t1"]}
        source |= {"skull_strip": "none"} | changes
        return list_or_keep(tmp_path / "study.csv", source=source, cohort="study", exclude=exclude or {})

    return listed, raw


def status(rows):
    return [row["status"] for row in rows]


@pytest.mark.parametrize("empty", [False, True])
def test_a_list_is_kept_when_its_data_are_gone(cohort, empty):
    listed, raw = cohort
    first = listed()
    shutil.rmtree(raw)
    if empty:  # where a disk was mounted
        raw.mkdir()
    assert listed() == first and status(first) == ["found"] * 3


def test_a_subject_may_be_left_out_of_a_kept_list_and_looks_as_if_it_always_was(cohort):
    listed, raw = cohort
    expected = listed(exclude={"s1": "moved (mine.csv)"})
    listed()
    shutil.rmtree(raw)
    assert listed(exclude={"s1": "moved (mine.csv)"}) == expected
    assert status(listed()) == ["found"] * 3


def test_a_subject_that_was_never_looked_at_does_not_come_back_and_the_list_survives(cohort):
    listed, raw = cohort
    first = listed(exclude={"s1": "moved"})
    shutil.rmtree(raw)
    assert status(listed()) == ["skipped"] * 3
    assert listed(exclude={"s1": "moved"}) == first


def test_other_settings_do_not_take_the_kept_list_and_do_not_replace_it(cohort):
    listed, raw = cohort
    first = listed()
    shutil.rmtree(raw)
    assert status(listed(skull_strip="deepbet")) == ["skipped"] * 3
    assert listed() == first


def test_what_is_left_of_the_data_is_listed_anew(cohort):
    listed, raw = cohort
    listed()
    (raw / "s1.nii.gz").unlink()
    assert status(listed()) == ["found", "skipped", "found"]


def test_a_folder_that_is_gone_says_so_where_no_list_was_kept(tmp_path):
    source = {"reader": "ixi", "path": str(tmp_path / "gone"), "sequences": ["t1"], "skull_strip": "deepbet"}
    with pytest.raises(FileNotFoundError, match="gone does not exist"):
        list_or_keep(tmp_path / "study.csv", source=source, cohort="study", exclude={})
    assert not kept_list(tmp_path / "study.csv").exists()


def test_a_disk_that_fails_stops_the_list_by_name(cohort, monkeypatch):
    listed, raw = cohort
    first = listed()

    def fail(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("spatial_erasing.ingest.scans.sha256_of", fail)
    with pytest.raises(OSError, match=rf"{raw}/s\d.nii.gz cannot be checked: .*Input/output error.* disk"):
        listed()
    monkeypatch.undo()
    assert listed() == first
