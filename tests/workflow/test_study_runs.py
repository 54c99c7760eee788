import csv
import json
import re

import nibabel as nib
import numpy as np
import pytest

from spatial_erasing.cli import main
from spatial_erasing.cohorts import read_rows

AFTER_SCORING = {
    "find_threshold": 10,
    "evaluate_dataset": 10,
    "collect_metrics": 1,
    "collect_examples": 1,
    "resample_metrics": 1,
    "judge_claims": 1,
    "diagnose_dataset": 8,
    "collect_diagnostics": 1,
    "write_diagnostics": 1,
    "plot_diagnostics": 1,
    "write_claims": 1,
    "write_table_1": 1,
    "write_table_2": 1,
    "plot_figure_4": 1,
    "plot_figure_6": 1,
    "plot_figure_7": 1,
    "write_viewer": 1,
    "write_front_page": 1,
    "record_provenance": 1,
    "write_report": 1,
    "all": 1,
}


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_table_1_has_every_model_and_baseline_on_both_cohorts_with_finite_numbers(study):
    rows = read_rows(study.results / "report/tables/table_1.csv")
    expected = {
        (cohort, model)
        for cohort in ("brats", "atlas")
        for model in ("2d-patch-noise", "3d-cube-noise", "baseline-mean-healthy", "baseline-brain-median")
    }
    assert {(row["cohort"], row["model"]) for row in rows} == expected
    for row in rows:
        for name in ("dice_dataset_percent", "dice_subject_mean_percent", "auprc_percent"):
            assert 0 <= float(row[name]) <= 100
        assert row["test_subjects"] == "3"


def test_what_the_report_promises_is_there(study):
    page = (study.folder / "report.html").read_text()
    figures = ("figure_2", "figure_3", "figure_4", "figure_6", "figure_7", "history")
    for name in ("table_1.html", "table_2.html", "quality.pdf", *(f"{figure}.png" for figure in figures)):
        assert name in page
    for figure in figures:
        assert (study.results / f"report/figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert (study.results / f"report/figures/{figure}.pdf").read_bytes().startswith(b"%PDF")


def test_a_finished_study_has_nothing_to_do(study):
    assert "Nothing to be done" in study.run()


def test_no_unfinished_file_is_left_and_the_last_state_of_trainings_that_ended_at_maximum_steps(study):
    assert not list(study.results.rglob(".unfinished*"))
    states = study.results.rglob("checkpoint-*")
    assert sorted(state.parent for state in states) == sorted(
        path.parent for path in study.results.rglob("history.csv")
    )


def test_another_median_reruns_the_post_processing_and_trains_nothing(changed):
    replace(changed.workflow / "tiny.yaml", "median_size_voxels: 3", "median_size_voxels: 1")
    assert changed.planned() == AFTER_SCORING


def test_another_loss_trains_again_and_preprocesses_nothing(changed):
    replace(
        changed.workflow / "tiny.yaml",
        "latent_size: {2d: 8, 3d: 16}",
        "latent_size: {2d: 8, 3d: 16}\n    kl_weight: 0.5",
    )
    planned = changed.planned()
    assert planned["train_model"] == 2 and planned["reconstruct_scans"] == 6
    assert not {"prepare_brains", "stack_cohort", "assign_splits", "reconstruct_baseline"} & set(planned)


def test_another_grid_reuses_the_prepared_brains(changed):
    replace(changed.workflow / "tiny.yaml", "grid_voxels: [16, 16, 16]", "grid_voxels: [16, 16, 20]")
    planned = changed.planned()
    assert planned["stack_cohort"] == 3 and "prepare_brains" not in planned


def test_another_way_to_standardise_strips_no_skull_again(changed):
    replace(changed.workflow / "tiny.yaml", "padded_grid", "standardise: {t1: landmarks}\n  padded_grid")
    planned = changed.planned()
    assert planned["learn_landmarks"] == 1 and planned["stack_cohort"] == 3
    assert "prepare_brains" not in planned
    replace(
        changed.workflow / "tiny.yaml",
        "{t1: landmarks}",
        "{t1: median}\n  standard: {white_matter: {t1: 0.7}}",
    )
    assert set(changed.planned()) == {"record_provenance", "write_report", "all"}  # the config is a result


def test_landmarks_change_with_the_training_subjects_and_with_nobody_else(changed):
    """Prepared brains are replaced by noise: first those of all other subjects, then one that trains."""
    replace(changed.workflow / "tiny.yaml", "padded_grid", "standardise: {t1: landmarks}\n  padded_grid")
    target = "results/preprocess/landmarks.json"
    changed.run("--", target)
    before = (changed.folder / target).read_bytes()
    splits = {row["subject"]: row["split"] for row in read_rows(changed.results / "split/healthy.csv")}
    brains = {path.name: path for path in changed.results.glob("preprocess/*/subjects/*")}
    training = [name for name, split in splits.items() if split == "training"]
    for name in sorted(set(brains) - set(training)):
        spoil(brains[name] / "t1.nii.gz")
    again = "--rerun-triggers", "mtime", "--forcerun", "learn_landmarks", "--", target
    changed.run(*again)
    assert (changed.folder / target).read_bytes() == before
    spoil(brains[training[0]] / "t1.nii.gz")
    changed.run(*again)
    assert (changed.folder / target).read_bytes() != before


def spoil(path):
    """Put noise in the place of a prepared brain."""
    image = nib.load(path)
    noise = np.random.default_rng(1).integers(0, 60_000, image.shape, dtype=np.uint16)
    nib.save(nib.Nifti1Image(noise, image.affine, dtype=np.uint16), path)


def test_a_changed_formula_reruns_what_reaches_it(changed):
    replace(
        changed.workflow / "spatial_erasing/score/postprocess.py",
        "if score.shape != brain.shape",
        "if score.size < 0 or score.shape != brain.shape",
    )
    assert changed.planned() == AFTER_SCORING


def test_no_test_subject_reaches_training_or_threshold(study):
    splits = read_rows(study.results / "split/splits.csv")
    of_split = {}
    for row in splits:
        of_split.setdefault(row["split"], set()).add((row["cohort"], row["subject"]))
    assert not of_split["test"] & (of_split["training"] | of_split["validation"])
    assert not of_split["training"] & of_split["validation"]
    assert {cohort for cohort, _ in of_split["training"]} == {"healthy"}
    for split in ("validation", "test"):
        for path in study.results.glob(f"score/*/*/*/*/{split}.npz"):
            cohort = path.parent.name.partition("-")[0]
            assert {(cohort, name) for name in np.load(path)["subject"].tolist()} <= of_split[split]


def test_the_threshold_does_not_change_when_the_test_subjects_do(changed):
    """Test scans, brains and lesions are replaced by noise; the search must not notice."""
    volumes = changed.results / "preprocess/atlas/volumes.npz"
    splits = {row["subject"]: row["split"] for row in read_rows(changed.results / "split/atlas.csv")}
    arrays = dict(np.load(volumes))
    is_test = np.array([splits[name] == "test" for name in arrays["subject"].tolist()])
    rng = np.random.default_rng(0)
    for name in ("t1", "brain", "lesion"):
        noise = rng.random(arrays[name][is_test].shape) < 0.5
        arrays[name][is_test] = noise.astype(arrays[name].dtype)
    np.savez(volumes, **arrays)
    run = "3d-cube-noise/fraction-100/seed-1"
    found = changed.results / f"threshold/{run}/atlas-t1.json"
    before = found.read_text()

    changed.run(
        "--rerun-triggers",
        "mtime",
        "--forcerun",
        "find_threshold",
        "--",
        str(found.relative_to(changed.folder)),
    )

    assert found.read_text() == before
    assert json.loads(before)["threshold"] > 0


def test_every_subject_that_was_found_is_in_one_manifest_row_and_one_split_row(study):
    for cohort in ("healthy", "brats", "atlas"):
        found = {row["subject"] for row in read_rows(study.results / f"ingest/{cohort}.csv")}
        manifest = [row["subject"] for row in read_rows(study.results / f"preprocess/{cohort}/manifest.csv")]
        split = [row["subject"] for row in read_rows(study.results / f"split/{cohort}.csv")]
        assert sorted(manifest) == sorted(split) == sorted(found)


def test_one_broken_scan_costs_nobody_else(changed):
    """A scan that is no longer readable fails in its own row; the study goes on without it."""
    with (changed.results / "phantom/healthy/participants.csv").open() as stream:
        first = next(csv.DictReader(stream))
    scan = changed.results / "phantom/healthy" / first["t1"]
    content = bytearray(scan.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = b"\0" * 2000
    scan.write_bytes(content)

    replace(changed.workflow / "tiny.yaml", "padded_grid", "maximum_failed_percent: 50\n  padded_grid")
    printed = changed.run("--forcerun", "list_scans", "--", "results/preprocess/healthy/volumes.npz")

    rows = {row["subject"]: row for row in read_rows(changed.results / "preprocess/healthy/manifest.csv")}
    broken = rows.pop(first["subject"])
    assert broken["status"] == "failed" and first["t1"] in broken["reason"]
    assert len(rows) == 4 and all(row["status"] == "done" for row in rows.values()), printed


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("score:", "scoring:\n  x: 1\nscore:", r"the key scoring is not known; did you mean score\?"),
        ("grid_voxels: [16, 16, 16]", "grid_voxels: [16, 18, 16]", r"cannot be halved 2 times"),
        (
            "{validation: 2, test: 3}",
            "{validation: 20, test: 3}",
            r"has 5 subjects, config\.yaml splits it as",
        ),
    ],
)
def test_a_wrong_config_is_one_readable_error_before_the_first_job(study, tmp_path, old, new, message):
    overlay = tmp_path / "wrong.yaml"
    overlay.write_text((study.workflow / "tiny.yaml").read_text().replace(old, new))
    printed = study.run("--configfile", str(overlay), "--dry-run", check=False)
    assert re.search(message, printed)
    assert "Traceback" not in printed and "rule " not in printed


def test_data_that_are_not_there_are_one_readable_error(study, tmp_path):
    empty = type(study)(study.workflow, tmp_path)
    (tmp_path / "none.yaml").write_text("{}")
    printed = empty.run("--configfile", str(tmp_path / "none.yaml"), "--dry-run", check=False)
    assert "ingest.cohorts.brats.path: data/MICCAI_BraTS_2019_Data_Training" in printed
    assert "make demo" in printed and "Traceback" not in printed


def test_a_relative_data_folder_counts_from_where_the_command_was_typed(study, tmp_path, monkeypatch):
    """The folder holds nothing, so the error says where it was looked for."""
    monkeypatch.setenv("SPATIAL_ERASING_DATA", "data of mine")
    monkeypatch.setenv("PWD", str(study.workflow))
    elsewhere = type(study)(study.workflow, tmp_path)
    overlay = str(study.workflow / "config/real.yaml")
    printed = elsewhere.run("--configfile", overlay, "--dry-run", check=False)
    assert "no such file or folder" in printed and str(tmp_path / "data of mine") not in printed
    (study.workflow / "data of mine").mkdir()
    for name in ("lesion_masks", "templates", "brats"):
        (study.workflow / "data of mine" / name).mkdir()
    (study.workflow / "data of mine/templates/ch2bet.nii.gz").touch()
    printed = elsewhere.run("--configfile", overlay, "--dry-run", check=False)
    assert "plant_lesions" in printed and "no such file" not in printed


def test_a_score_map_returns_to_the_voxels_of_its_scan(changed):
    run = "score/3d-cube-noise/fraction-100/seed-1/brats-t1"
    splits = read_rows(changed.results / "split/brats.csv")
    subject = next(row["subject"] for row in splits if row["split"] == "test")
    found = changed.results / f"{run}/scan_space/{subject}.nii.gz"
    printed = changed.run("--", str(found.relative_to(changed.folder)))
    scans = read_rows(changed.results / "ingest/brats.csv")
    path = next(row["path"] for row in scans if (row["subject"], row["sequence"]) == (subject, "t1"))
    scan, score = nib.load(path), nib.load(found)
    assert score.shape == scan.shape and np.allclose(score.affine, scan.affine, atol=1e-4)
    values, head = score.get_fdata(), scan.get_fdata()
    assert 0 < values.max() < 1 and values.min() >= 0
    assert values[head > 0].sum() > 0.9 * values.sum(), "the brain's anomalies lie in the brain"
    assert "report.html" not in printed


def test_a_method_leaves_its_study_in_a_bundle_that_marks_a_new_scan(changed, capsys):
    changed.run("--", "bundle")
    bundle = changed.results / "bundle/3d-cube-noise.zip"
    assert main(["check", str(bundle)]) == 0
    scans = read_rows(changed.results / "ingest/brats.csv")
    scan = next(row["path"] for row in scans if (row["status"], row["sequence"]) == ("found", "t1"))
    output = changed.folder / "out"
    assert main(["apply", scan, "--stripped", "--model", str(bundle), "--output", str(output)]) == 0
    (page,) = output.glob("*/report.html")
    assert nib.load(page.parent / "anomaly_mask.nii.gz").shape == nib.load(scan).shape
    assert changed.planned("--", "bundle") == {}
    capsys.readouterr()
