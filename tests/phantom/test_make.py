"""A synthetic cohort made again: after a change of code, seed or size, and after a kill."""

import json
from hashlib import sha256

import pytest

from spatial_erasing.ingest.scans import list_scans
from spatial_erasing_phantoms import make as make_module
from spatial_erasing_phantoms.cohort import PhantomSettings
from spatial_erasing_phantoms.layouts import layout
from spatial_erasing_phantoms.make import make_cohort

FORMULA = ["formula 1"]  # what quick subjects are made by
SETTINGS = PhantomSettings(spacing_mm=4.0, minimum_lesion_ml=20.0)


def quick_subject(kind, folder, index, *, seed, settings):
    """Files of the layout whose content is what they were made with; no head is drawn."""
    files = layout(kind, index)
    for path in (*files.scans.values(), files.truth_brain, *([files.lesion] if files.lesion else [])):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"{kind} {index} {seed} {settings} {FORMULA[0]}")
    return {
        "subject": files.subject,
        "scanner": "a",
        "t1": files.scans["t1"],
        "t1ce": files.scans.get("t1ce", ""),
        "lesion": files.lesion or "",
        "truth_brain": files.truth_brain,
        "truth_lesion": "",
    }


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(make_module, "make_subject", quick_subject)
    monkeypatch.setitem(globals(), "FORMULA", ["formula 1"])


def made(folder, *, kind="brats", subjects=3, seed=1, settings=SETTINGS, code="code", cores=1):
    return make_cohort(
        {"kind": kind, "subjects": subjects}, folder, seed=seed, settings=settings, code=code, cores=cores
    )


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")}


@pytest.mark.usefixtures("quick")
def test_what_is_finished_is_kept(tmp_path):
    first, before = made(tmp_path), times(tmp_path)
    assert made(tmp_path) == first and times(tmp_path) == before
    more = made(tmp_path, subjects=5)
    assert more[:3] == first and before.items() <= times(tmp_path).items()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "change",
    [
        {"code": "code 2"},
        {"seed": 2},
        {"settings": PhantomSettings(spacing_mm=2.0, minimum_lesion_ml=20.0)},
        {"kind": "atlas"},
        {"subjects": 2},
    ],
    ids=str,
)
def test_there_and_back_again_is_as_if_nothing_had_been_there(tmp_path, change):
    """After a change the folder is that of a fresh start, and after the change back too."""
    made(tmp_path / "once")
    made(tmp_path / "changed", **change)
    made(tmp_path / "both")
    made(tmp_path / "both", **change)
    assert contents(tmp_path / "both") == contents(tmp_path / "changed")
    made(tmp_path / "both")
    assert contents(tmp_path / "both") == contents(tmp_path / "once")


@pytest.mark.usefixtures("quick")
def test_a_changed_formula_makes_the_phantoms_anew(tmp_path):
    made(tmp_path)
    FORMULA[0] = "formula 2"
    made(tmp_path)
    assert all(b"formula 1" in content for name, content in contents(tmp_path).items() if ".nii" in name)
    made(tmp_path, code="code 2")
    assert all(b"formula 2" in content for name, content in contents(tmp_path).items() if ".nii" in name)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["brats", "atlas"])
def test_fewer_subjects_leave_nothing_that_a_reader_lists(tmp_path, kind, monkeypatch):
    made(tmp_path, kind=kind, subjects=6)
    (tmp_path / "truth/records-0123456789ab").mkdir()  # of an earlier version
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".unfinished-scan.nii.gz").mkdir()  # of a kill
    (tmp_path / ".unfinished-scan.nii.gz/scan.nii.gz").touch()
    rows = made(tmp_path, kind=kind, subjects=2)
    scans = list_scans(kind, tmp_path, sequences=["t1"], skull_strip="none", cohort=kind)
    assert sorted({scan["subject"] for scan in scans}) == sorted(row["subject"] for row in rows)
    assert (tmp_path / "notes.txt").exists() and not list(tmp_path.glob("truth/records-*"))
    assert not [path for path in tmp_path.rglob("*") if path.is_dir() and not any(path.iterdir())]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("left", ["", '{"made_fr', "{}"])
def test_a_damaged_record_and_a_file_that_is_gone_are_made_again(tmp_path, left):
    rows, before = made(tmp_path), contents(tmp_path)
    (tmp_path / "truth/records/1.json").write_text(left)
    (tmp_path / rows[2]["lesion"]).unlink()
    assert made(tmp_path) == rows and contents(tmp_path) == before


@pytest.mark.usefixtures("quick")
def test_another_label_map_under_the_same_name_makes_its_heads_anew(tmp_path):
    (tmp_path / "maps").mkdir()
    maps = [tmp_path / f"maps/training_seg_{number}.nii.gz" for number in (1, 2)]
    for path in maps:
        path.write_text(path.name)
    settings = PhantomSettings(spacing_mm=4.0, minimum_lesion_ml=20.0, label_maps=str(tmp_path / "maps"))
    made(tmp_path / "heads", settings=settings)
    before = times(tmp_path / "heads")
    maps[1].write_text("mended")
    made(tmp_path / "heads", settings=settings)
    changed = {path.name for path, time in times(tmp_path / "heads").items() if before[path] != time}
    assert changed and all("002" in name for name in changed)


@pytest.mark.usefixtures("quick")
def test_a_fault_names_its_phantom_after_the_others_are_made(tmp_path, monkeypatch):
    def full_at_the_second(kind, folder, index, **options):
        if index == 1:
            raise OSError(28, "No space left on device")
        return quick_subject(kind, folder, index, **options)

    monkeypatch.setattr(make_module, "make_subject", full_at_the_second)
    with pytest.raises(RuntimeError, match=r"BraTS19_PHANTOM_002_1: OSError: \[Errno 28\] No space left"):
        made(tmp_path)
    records = [path.stem for path in (tmp_path / "truth/records").glob("*.json")]
    assert sorted(records) == ["0", "2"]


def test_real_phantoms_are_the_same_bytes_after_another_seed(tmp_path):
    rows = made(tmp_path, kind="healthy", subjects=1)
    before = {name: sha256(content).hexdigest() for name, content in contents(tmp_path).items()}
    assert made(tmp_path, kind="healthy", subjects=1, seed=2) != rows
    assert made(tmp_path, kind="healthy", subjects=1) == rows
    assert before == {name: sha256(content).hexdigest() for name, content in contents(tmp_path).items()}
    truth = json.loads((tmp_path / "truth/records/0.json").read_text())
    assert truth["row"] == rows[0]
