import csv

import numpy as np

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.ingest.records import EXCLUSION_HEADER

AFTER_QUALITY = ("record_provenance", "write_report", "all")


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def make_smaller(manifest, *, brain_ml):
    """Give the first subject another volume of the brain, and return its name."""
    rows = read_rows(manifest)
    rows[0]["brain_ml"] = brain_ml
    write_rows(manifest, rows, columns=rows[0])
    return rows[0]["subject"]


def test_an_outlier_is_flagged_and_stays_in_the_study(changed):
    healthy = changed.results / "preprocess/healthy"
    subject = make_smaller(healthy / "manifest.csv", brain_ml=512.25)
    again = {rule for rule in changed.planned() if not rule.startswith(("plot_", "write_"))}
    assert again <= {"assess_quality", "collect_cohorts", *AFTER_QUALITY}

    changed.run("--", "results/preprocess/healthy/quality.pdf")

    first = read_rows(healthy / "quality.csv")[0]
    assert first["subject"] == subject and "Brain of 512.2 ml: below 900 ml" in first["flag"]
    assert subject in (healthy / "quality.html").read_text()
    with np.load(healthy / "volumes.npz") as arrays:
        assert subject in arrays["subject"].tolist()
    assert subject in {row["subject"] for row in read_rows(changed.results / "split/healthy.csv")}


def test_the_line_beside_a_flag_excludes_that_subject_alone(changed):
    healthy = changed.results / "preprocess/healthy"
    subject = make_smaller(healthy / "manifest.csv", brain_ml=512.25)
    changed.run("--", "results/preprocess/healthy/quality.csv")
    line = read_rows(healthy / "quality.csv")[0]["exclude_line"]
    (changed.folder / "exclude.csv").write_text(f"{EXCLUSION_HEADER}\n{line}\n")
    replace(changed.workflow / "tiny.yaml", "ingest:", "ingest:\n  exclude: exclude.csv")

    changed.run("--", "results/ingest/healthy.csv")

    rows = read_rows(changed.results / "ingest/healthy.csv")
    assert [row["subject"] for row in rows if row["status"] == "skipped"] == [subject]
    assert "brain of 512 ml" in next(row["reason"] for row in rows if row["subject"] == subject)


def test_other_limits_judge_again_and_compute_nothing(changed):
    replace(changed.workflow / "tiny.yaml", "padded_grid", "flag_outside_ml: [1, 9999]\n  padded_grid")
    assert changed.planned() == {"assess_quality": 3, "plot_quality": 3, **dict.fromkeys(AFTER_QUALITY, 1)}


def test_the_target_preprocess_makes_this_stage_and_what_it_needs(study, tmp_path):
    assert set(study.planned("preprocess")) == {"preprocess"}
    planned = type(study)(study.workflow, tmp_path).planned("preprocess")
    made = {"prepare_brains", "stack_cohort", "assess_quality", "plot_quality", "preprocess"}
    before = {"make_phantoms", "list_scans", "collect_scans", "assign_splits", "measure_healthy_band"}
    assert made <= set(planned) <= made | before


def test_the_target_preprocess_says_what_came_out_and_where(study):
    printed = study.run("--", "preprocess")
    for cohort in ("healthy", "brats", "atlas"):
        assert f"{cohort}: 5 done, 0 failed" in printed
        assert f"results/preprocess/{cohort}/quality.html" in printed


def test_table_and_page_of_quality_name_every_subject_of_the_manifest(study):
    for cohort in ("healthy", "brats", "atlas"):
        folder = study.results / "preprocess" / cohort
        names = sorted(row["subject"] for row in read_rows(folder / "manifest.csv"))
        with (folder / "quality.csv").open(newline="", encoding="utf-8") as stream:
            assert sorted(row["subject"] for row in csv.DictReader(stream)) == names
        page = (folder / "quality.html").read_text()
        assert all(f"<td>{name}</td>" in page for name in names)
