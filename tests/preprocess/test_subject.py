import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from analytic_head import TINY_SETTINGS, corner, damage, move_lesion, new_values, tiny_subject

from spatial_erasing.images.volumes import read_volume
from spatial_erasing.preprocess import subject as subject_module
from spatial_erasing.preprocess.subject import COLUMNS, KEPT, inputs, prepare_subject


def prepare(*scans, folder, settings=TINY_SETTINGS, code="code"):
    return prepare_subject(list(scans), folder=folder, settings=settings, code=code)


@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.uint16, np.float64, np.int32])
def test_the_stored_type_does_not_matter(tmp_path, kind):
    row, plain = tiny_subject(tmp_path / "typed"), tiny_subject(tmp_path / "plain")
    for subject, stored in ((row, kind), (plain, np.float32)):
        damage(subject, new_values(lambda values, stored=stored: (values / 4).round().astype(stored)))
    for subject in (row, plain):
        assert prepare(subject, folder=tmp_path / "done" / subject["subject"])["status"] == "done"
    typed, expected = (read_volume(tmp_path / "done" / name / "t1.nii.gz") for name in ("typed", "plain"))
    assert np.abs(typed.intensities - expected.intensities).max() < 1e-4


def test_a_path_with_spaces_and_foreign_letters_is_like_any_other(tmp_path):
    plain = prepare(tiny_subject(tmp_path / "plain"), folder=tmp_path / "a")
    strange = prepare(
        tiny_subject(tmp_path / "Zoë, 脳 #1 (übermäßig)"), folder=tmp_path / "täglich neu" / "é 1"
    )
    assert strange["status"] == "done"
    assert [plain[name] for name in COLUMNS[7:]] == [strange[name] for name in COLUMNS[7:]]


def test_what_is_stored_is_what_was_prepared(tmp_path):
    row = tiny_subject(tmp_path / "one")
    result = prepare(row, folder=tmp_path / "done", settings=replace(TINY_SETTINGS, denoise_iterations=0))
    assert set(result) == set(COLUMNS)
    raw = read_volume(row["path"])
    scan, brain, lesion = (read_volume(tmp_path / "done" / f"{n}.nii.gz") for n in ("t1", "brain", "lesion"))
    assert (scan.intensities.min(), scan.intensities.max()) == (0, 1)
    assert (scan.intensities[brain.intensities == 0] == 0).all()
    assert result["brain_ml"] == pytest.approx(brain.intensities.sum() / 1000)
    assert (
        result["lesion_ml"] == pytest.approx(lesion.intensities.sum() / 1000) and result["lesion_ml"] > 0.04
    )
    assert result["lesion_outside_brain_percent"] == 0
    low, high = np.percentile(raw.intensities[raw.intensities > 0], [1, 99])
    assert [result["lower_intensity"], result["upper_intensity"]] == pytest.approx([low, high], rel=1e-4)
    values = raw.intensities[raw.intensities > 0]  # the scan lies on the isotropic grid already
    assert np.allclose(
        scan.intensities[brain.intensities > 0], ((values - low) / (high - low)).clip(0, 1), atol=1e-5
    )
    assert nib.load(tmp_path / "done" / "t1.nii.gz").header.get_xyzt_units()[0] == "mm"


def test_a_finished_subject_is_kept_as_it_is(tmp_path, monkeypatch):
    row = tiny_subject(tmp_path / "one")
    first = prepare(row, folder=tmp_path / "done")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "done").iterdir()}
    monkeypatch.setattr(subject_module, "prepare_brain", lambda *_, **__: pytest.fail("done twice"))
    assert prepare(row, folder=tmp_path / "done") == first
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "done").iterdir()} == before


@pytest.mark.parametrize("left", ["", '{"made_fr', "\0" * 40, "{}"])
def test_a_record_that_a_power_cut_damaged_is_done_again(tmp_path, left):
    row = tiny_subject(tmp_path / "one")
    first = prepare(row, folder=tmp_path / "done")
    record = tmp_path / "done/record.json"
    whole = record.read_bytes()
    record.write_text(left)
    assert prepare(row, folder=tmp_path / "done") == first
    assert record.read_bytes() == whole


def test_a_moved_data_set_is_not_done_again(tmp_path, monkeypatch):
    row = tiny_subject(tmp_path / "old place")
    first = prepare(row, folder=tmp_path / "done")
    (tmp_path / "old place").rename(tmp_path / "new place")
    moved = {key: value.replace("old place", "new place") for key, value in row.items() if key != "subject"}
    monkeypatch.setattr(subject_module, "prepare_brain", lambda *_, **__: pytest.fail("done twice"))
    assert prepare(moved | {"subject": row["subject"]}, folder=tmp_path / "done") == first


@pytest.mark.parametrize("code", ["code", "code of the next version"])
@pytest.mark.parametrize("gone", [["scan"], ["lesion"], ["scan", "lesion", "mask"]])
def test_without_its_files_a_finished_brain_is_kept_and_says_so_where_the_code_has_changed(
    tmp_path, code, gone
):
    row = tiny_subject(tmp_path / "one") | {"skull_strip": "given"}
    first = prepare(row, folder=tmp_path / "done")
    (lesion,) = json.loads(row["lesion"])
    for name in gone:
        Path({"scan": row["path"], "lesion": lesion, "mask": row["brain_mask"]}[name]).unlink()
    again = prepare(row, folder=tmp_path / "done", code=code)
    assert again == first | ({} if code == "code" else {"warning": KEPT})


@pytest.mark.parametrize(
    "change", [{"skull_strip": "none"}, {"sha256": "0" * 64}, {"lesion": "[]"}, {"settings": 80}]
)
def test_without_its_files_a_brain_that_was_made_of_something_else_is_not_taken_and_not_touched(
    tmp_path, change
):
    row = tiny_subject(tmp_path / "one") | {"skull_strip": "given"}
    prepare(row, folder=tmp_path / "done")
    before = {path: path.read_bytes() for path in (tmp_path / "done").iterdir()}
    shutil.rmtree(tmp_path / "one")
    settings = replace(TINY_SETTINGS, upper_percentile=change.pop("settings", 99))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        prepare(row | change, folder=tmp_path / "done", settings=settings)
    assert {path: path.read_bytes() for path in (tmp_path / "done").iterdir()} == before


def changed(value):
    """Another value of the same kind."""
    if isinstance(value, tuple):
        return (*value, 1)
    return value + "!" if isinstance(value, str) else value + 1


def test_every_change_that_matters_changes_what_is_asked_for(tmp_path):
    row = tiny_subject(tmp_path / "one")
    second = row | {"sequence": "t1ce", "sha256": "0" * 64}

    def name_of(*scans, settings=TINY_SETTINGS, code="code"):
        return json.dumps([inputs(list(scans), settings=settings), code])

    names = [
        name_of(row),
        name_of(row, code="other code"),
        name_of(row | {"sha256": "1" * 64}),
        name_of(row | {"skull_strip": "given"}),
        name_of(row | {"brain_mask": ""}),
        name_of(row | {"lesion": "[]"}),
        name_of(row, second),
        *(
            name_of(row, settings=replace(TINY_SETTINGS, **{name: changed(value)}))
            for name, value in asdict(TINY_SETTINGS).items()
        ),
    ]
    move_lesion(row, values=corner())
    names.append(name_of(row))
    Path(row["brain_mask"]).write_bytes(b"changed")
    names.append(name_of(row))
    assert len(set(names)) == len(names)
    assert name_of(row) == name_of(row | {"path": "elsewhere", "scanner": "renamed"}), (
        "content counts, not names"
    )


def test_a_changed_setting_or_scan_is_done_again_and_replaces_the_old(tmp_path):
    row = tiny_subject(tmp_path / "one")
    first = prepare(row, folder=tmp_path / "done")
    (tmp_path / "done" / "left over.txt").touch()
    wider = prepare(row, folder=tmp_path / "done", settings=replace(TINY_SETTINGS, upper_percentile=80))
    assert wider["upper_intensity"] < first["upper_intensity"]
    assert not (tmp_path / "done" / "left over.txt").exists()

    damage(row, new_values(lambda values: 2 * values))
    brighter = prepare(row, folder=tmp_path / "done")
    assert brighter["upper_intensity"] == pytest.approx(2 * first["upper_intensity"], rel=1e-4)


def test_a_scan_that_was_exchanged_since_it_was_listed_is_refused_in_its_row(tmp_path):
    row = tiny_subject(tmp_path / "one")
    damage(
        listed := dict(row), new_values(lambda values: 2 * values)
    )  # listed, and back again: an older file
    result = prepare(row, folder=tmp_path / "done")
    assert result["status"] == "failed" and not (tmp_path / "done").exists()
    assert f"t1.nii.gz has the SHA-256 {listed['sha256']}. Expected {row['sha256']}" in result["reason"]
    assert "--forcerun list_scans" in result["reason"]
    assert prepare(listed, folder=tmp_path / "done")["status"] == "done"


def test_done_again_gives_the_same_bytes(tmp_path, monkeypatch):
    row = tiny_subject(tmp_path / "one")
    prepare(row, folder=tmp_path / "a")
    monkeypatch.setattr("os.getpid", lambda: 1)
    monkeypatch.setattr("time.time", lambda: 2e9)
    prepare(row, folder=tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["brain.nii.gz", "lesion.nii.gz", "record.json", "t1.nii.gz"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code may catch it."""


def kill(*_, **__):
    raise Killed


@pytest.mark.parametrize(
    "moment",
    ["json.dumps", "pathlib.Path.write_text", "pathlib.Path.rename", "nibabel.save", "pathlib.Path.replace"],
)
def test_a_kill_at_any_moment_leaves_nothing_that_looks_finished(tmp_path, monkeypatch, moment):
    row = tiny_subject(tmp_path / "one")
    asked = inputs([row], settings=TINY_SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr(subject_module, "inputs", lambda *_, **__: asked)
        patch.setattr(moment, kill)
        with pytest.raises(Killed):
            prepare(row, folder=tmp_path / "done")
    assert not (tmp_path / "done").exists()
    assert prepare(row, folder=tmp_path / "done")["status"] == "done"
    assert {path.name for path in tmp_path.iterdir()} == {"done", "one"}, (
        "and the next run clears away what was left"
    )


def test_a_kill_while_the_old_result_is_removed_leaves_nothing_that_looks_finished(tmp_path, monkeypatch):
    row = tiny_subject(tmp_path / "one")
    prepare(row, folder=tmp_path / "done")
    remove = shutil.rmtree

    def remove_a_little(path, **options):
        if Path(path).name != "done":
            return remove(path, **options)
        (tmp_path / "done" / "t1.nii.gz").unlink()
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", remove_a_little)
        with pytest.raises(Killed):
            prepare(row, folder=tmp_path / "done", code="new code")
    prepare(row, folder=tmp_path / "done")
    assert (tmp_path / "done" / "t1.nii.gz").exists()
