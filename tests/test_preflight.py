import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from spatial_erasing.cohorts import write_rows
from spatial_erasing.ingest.source import keep_rows
from spatial_erasing.preflight import require_material

SETTINGS = {"spacing_mm": 1.0, "brain_range_ml": (1, 100)}
BATCH = {"cohort": "ms", "batch": "000"}
COHORT = {"cohort": "ms"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished cohort of two brains, and a function that asks whether jobs may start."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    source = {"reader": "table", "path": "table.csv", "sequences": ["t1"], "skull_strip": "none"}
    (tmp_path / "table.csv").write_text("subject,scanner,t1\na,x,raw/a.nii\nb,x,raw/b.nii\n")
    rows = []
    for name in "ab":
        (tmp_path / f"raw/{name}.nii").touch()
        record = tmp_path / f"results/preprocess/ms/subjects/{name}/record.json"
        record.parent.mkdir(parents=True)
        record.write_text(json.dumps({"asked": {"settings": SETTINGS}, "grids": {}}))
        path = str(tmp_path / f"raw/{name}.nii")
        rows.append({"cohort": "ms", "subject": name, "status": "found", "reason": "", "path": path})
    write_rows(tmp_path / "results/ingest/ms.csv", rows, columns=rows[0])
    keep_rows(tmp_path / "results/ingest/ms.csv", rows, source=source, sizes={})
    done = [{"subject": name, "status": "done"} for name in "ab"] + [{"subject": "c", "status": "failed"}]
    write_rows(tmp_path / "results/preprocess/ms/batch-000.csv", done, columns=("subject", "status"))

    def ask(planned, *, exclude=None, settings=SETTINGS, healthy=(), **changes):
        sources, excluded = {"ms": source | changes}, {"ms": exclude or {}}
        asked = {"sources": sources, "preparation": settings, "excluded": excluded, "healthy": healthy}
        require_material(planned, SimpleNamespace(root=tmp_path, **asked))

    return ask


ALL = {"list_scans": [COHORT], "prepare_brains": [BATCH], "stack_cohort": [COHORT], "train_model": [{}]}


def test_with_everything_there_every_job_may_start(run):
    run(ALL)
    run({})


@pytest.mark.parametrize("rule", ["train_model", "reconstruct_scans"])
def test_networks_are_not_removed_for_arrays_that_were_cut_short(run, tmp_path, rule):
    volumes = tmp_path / "results/preprocess/ms/volumes.npz"
    np.savez(volumes, t1=np.zeros(1000))
    run({rule: [{}]})
    volumes.write_bytes(volumes.read_bytes()[:4000])
    with pytest.raises(ValueError, match=r"ms/volumes\.npz is not the whole file .*: rm \S+, then .* -- res"):
        run({rule: [{}]})
    run({rule: [{}], "stack_cohort": [COHORT]})  # it is made again before it is read
    run({"write_report": [{}]})


def test_with_lists_and_brains_kept_every_job_may_start_without_raw_data(run, tmp_path):
    shutil.rmtree(tmp_path / "raw")
    run(ALL)
    run(ALL, exclude={"a": "moved"})


@pytest.mark.parametrize("change", [{"skull_strip": "deepbet"}, {"path": "gone.csv"}])
def test_a_list_that_could_not_be_made_again_is_not_given_up(run, tmp_path, change):
    shutil.rmtree(tmp_path / "raw")
    with pytest.raises(
        ValueError, match=r"results/ingest/ms\.csv: no data are left at \w+\.csv(.|\n)*Restore"
    ):
        run({"list_scans": [COHORT]}, **change)
    (tmp_path / "results/ingest/ms.csv").unlink()
    run({"list_scans": [COHORT]}, **change)  # nothing is there to be lost


@pytest.mark.parametrize("left", [None, "{}", '{"made_from": "0"}'])
def test_a_table_of_brains_that_could_not_be_prepared_again_is_not_given_up(run, tmp_path, left):
    record = tmp_path / "results/preprocess/ms/subjects/b/record.json"
    record.unlink()
    if left is not None:  # of an earlier version, or damaged
        record.write_text(left)
    run(ALL)
    (tmp_path / "raw/b.nii").unlink()
    with pytest.raises(
        ValueError, match=r"ms, batch-000\.csv, 1 of 2 subjects, such as b: their scans are missing"
    ):
        run({"prepare_brains": [BATCH]})
    run({"prepare_brains": [BATCH]}, exclude={"b": "cannot be prepared"})
    run({"make_phantoms": [COHORT], "prepare_brains": [BATCH]}, path="results/phantom/ms")


def test_other_settings_of_brains_that_cannot_be_prepared_again_are_refused(run, tmp_path):
    other = SETTINGS | {"spacing_mm": 2.0}
    run({"prepare_brains": [BATCH]}, settings=other)
    shutil.rmtree(tmp_path / "raw")
    with pytest.raises(ValueError, match="made with other settings"):
        run({"prepare_brains": [BATCH]}, settings=other)


def test_arrays_are_not_given_up_for_brains_that_were_removed(run, tmp_path):
    shutil.rmtree(tmp_path / "results/preprocess/ms/subjects")
    run({"train_model": [{}]})
    with pytest.raises(ValueError, match=r"2 of 2 subjects, such as a: .*add --forcerun prepare_brains"):
        run({"stack_cohort": [COHORT]})
    run({"prepare_brains": [BATCH], "stack_cohort": [COHORT]})  # they are prepared again first


def test_landmarks_are_not_given_up_for_brains_that_were_removed(run, tmp_path):
    """They are learned on all healthy cohorts, also where only another cohort is stacked again."""
    planned = {"learn_landmarks": [{}], "stack_cohort": [{"cohort": "other"}]}
    run(planned, healthy=["ms"])
    shutil.rmtree(tmp_path / "results/preprocess/ms/subjects")
    with pytest.raises(ValueError, match=r"2 of 2 subjects, such as a: .*add --forcerun prepare_brains"):
        run(planned, healthy=["ms"])
