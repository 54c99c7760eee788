import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from spatial_erasing.cohorts import read_rows
from spatial_erasing.evaluate.claims import CLAIMS


def test_every_metric_of_the_tables_lies_in_its_interval(study):
    metrics = {
        tuple(row[name] for name in ("model", "cohort", "sequence", "metric")): float(row["value"])
        for row in read_rows(study.results / "evaluate/metrics.csv")
    }
    rows = read_rows(study.results / "evaluate/intervals.csv")
    of_tables = [row for row in rows if row["cohort"] != "all"]
    for row in of_tables:
        key = tuple(row[name] for name in ("model", "cohort", "sequence", "metric"))
        if key in metrics:
            assert float(row["value"]) == pytest.approx(metrics[key], abs=1e-9)
            assert float(row["lower"]) <= metrics[key] <= float(row["upper"])
            assert row["subjects"] == "3" and row["seeds"] == "1"
        else:  # one lesion of a size alone has no interval
            assert row["metric"].startswith("dice_subject_mean_") and row["lower"] == "nan"
    assert len({tuple(row.values())[:5] for row in rows}) == len(rows)
    assert len(of_tables) == 10 * 6 and len(rows) - len(of_tables) == 4 * 4


def test_the_slices_of_both_cohorts_are_ranked_together(study):
    folders = study.results / "evaluate/3d-cube-noise/fraction-100/seed-1"
    parts = [np.load(folders / f"{cohort}-t1/slices.npz") for cohort in ("brats", "atlas")]
    abnormal, score = (
        np.concatenate([part[name].ravel() for part in parts]) for name in ("abnormal", "score")
    )
    (row,) = (
        row
        for row in read_rows(study.results / "evaluate/intervals.csv")
        if (row["model"], row["cohort"], row["metric"]) == ("3d-cube-noise", "all", "slice_average_precision")
    )
    assert float(row["value"]) == pytest.approx(average_precision_score(abnormal, score), abs=1e-9)
    assert float(row["lower"]) <= float(row["value"]) <= float(row["upper"]) and row["subjects"] == "6"


def test_every_claim_is_judged_and_what_was_not_run_is_named(study):
    claims = {row["claim"]: row for row in read_rows(study.results / "evaluate/claims.csv")}
    assert list(claims) == [claim.name for claim in CLAIMS]
    assert claims["3d-beats-2d"]["verdict"] == "not run"
    assert claims["t1ce-helps"]["parts_run"] == claims["t1ce-helps"]["parts"] == "6"
    comparisons = read_rows(study.results / "evaluate/comparisons.csv")
    plain = [row for row in comparisons if row["claim"] == "3d-beats-2d"]
    assert {row["status"] for row in plain} == {"not run: 3D-None with 100 %, 2D-None with 100 %"}


def test_a_comparison_is_the_difference_of_two_metrics(study):
    metrics = {
        (row["model"], row["cohort"], row["sequence"]): float(row["value"])
        for row in read_rows(study.results / "evaluate/metrics.csv")
        if row["metric"] == "average_precision"
    }
    (row,) = (
        row
        for row in read_rows(study.results / "evaluate/comparisons.csv")
        if (row["comparison"], row["cohort"], row["metric"])
        == ("3D-Cube-n − 2D-Patch-n", "atlas", "average_precision")
    )
    expected = metrics["3d-cube-noise", "atlas", "t1"] - metrics["2d-patch-noise", "atlas", "t1"]
    assert float(row["difference"]) == pytest.approx(expected, abs=1e-9)


def test_the_page_shows_the_claims_and_the_tables_their_intervals(study):
    assert "claims.html" in (study.folder / "report.html").read_text()
    page = (study.results / "report/tables/claims.html").read_text()
    assert all(claim.text in page for claim in CLAIMS)
    rows = read_rows(study.results / "report/tables/claims.csv")
    assert next(row for row in rows if row["claim"] == "erasing-helps")["paper_signs"] == "some"
    for row in read_rows(study.results / "report/tables/table_1.csv"):
        for quantity in ("dice_dataset_percent", "dice_subject_mean_percent", "auprc_percent"):
            lower, value, upper = (float(row[f"{quantity}{end}"]) for end in ("_lower", "", "_upper"))
            assert lower <= value * (1 + 1e-6) and value <= upper * (1 + 1e-6)


def test_other_intervals_evaluate_no_voxel_again(changed):
    tiny = changed.workflow / "tiny.yaml"
    tiny.write_text(tiny.read_text().replace("bootstrap_samples: 200", "bootstrap_samples: 300"))
    planned = changed.planned()
    assert planned["resample_metrics"] == planned["judge_claims"] == planned["write_claims"] == 1
    assert not {"evaluate_dataset", "find_threshold", "train_model"} & set(planned)
