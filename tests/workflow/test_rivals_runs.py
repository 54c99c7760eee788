"""The table of rivals: methods added to a finished study, by the rules that everyone runs."""

import numpy as np
import pytest

from spatial_erasing.cli import main
from spatial_erasing.cohorts import read_rows

pytestmark = pytest.mark.long

TABLE = "results/report/tables/rivals.md"
ADDED = "[2d-patch-noise, 3d-cube-noise, 3d-cube-noise@restored-dark, 3d-cube-noise@relative]"


@pytest.fixture(scope="module")
def with_rivals(study, tmp_path_factory):
    """The tiny study with two more scores and baselines, the plan for them, and the thresholds before."""
    grown = study.copy(tmp_path_factory.mktemp("rivals"))
    overlay = grown.workflow / "tiny.yaml"
    text = overlay.read_text().replace(
        "table_1_models: [2d-patch-noise, 3d-cube-noise]",
        f"table_1_models: {ADDED}\n"
        "  baselines: [baseline-mean-healthy, baseline-brain-median, baseline-z-score, baseline-equalised]",
    )
    overlay.write_text(text + "report: {rivals: [3d-cube-noise, baseline-mean-healthy]}\n")
    thresholds = {path: path.read_bytes() for path in grown.results.glob("threshold/*/*/*/*.json")}
    planned = grown.planned()
    grown.run()
    return grown, planned, thresholds


def test_the_paper_s_study_has_no_such_table(study):
    assert not [*study.results.rglob("rivals*"), *study.results.glob("evaluate/*/*/*/*/detection.csv")]


def test_rivals_train_nothing_and_move_no_threshold(with_rivals):
    _, planned, thresholds = with_rivals
    assert "train_model" not in planned and planned["detect_lesions"] == (4 + 4) * 2
    assert thresholds and {path: path.read_bytes() for path in thresholds} == thresholds


def test_the_table_has_every_method_with_finite_numbers_and_paired_differences(with_rivals):
    rows = read_rows(with_rivals[0].results / "report/tables/rivals.csv")
    assert {row["cohort"] for row in rows} == {"brats", "atlas", "all"}
    assert len({row["model"] for row in rows}) == 8
    numbers = {(row["cohort"], row["model"], row["metric"]): row for row in rows}
    metrics = {
        (row["cohort"], row["model"], row["metric"]): float(row["value"])
        for row in read_rows(with_rivals[0].results / "evaluate/metrics.csv")
        if row["sequence"] == "t1"
    }
    for (cohort, model, metric), row in numbers.items():
        if metric == "average_precision" and cohort != "all":
            assert float(row["value"]) == pytest.approx(100 * metrics[cohort, model, metric])
            difference = metrics[cohort, model, metric] - metrics[cohort, "3d-cube-noise", metric]
            if model != "3d-cube-noise":
                assert float(row["minus_3d-cube-noise"]) == pytest.approx(100 * difference)
                assert row["minus_3d-cube-noise_lower"] not in ("", "nan")
        if metric in ("sensitivity_at_8", "healthy_marked_ml", "seconds_a_scan"):
            assert float(row["value"]) >= 0
    for name in ("tables/rivals.html", "tables/rivals.tex", "figures/rivals.png", "figures/rivals.pdf"):
        assert (with_rivals[0].results / "report" / name).stat().st_size > 1000


def test_other_labels_of_test_subjects_move_printed_numbers_and_nothing_else(with_rivals):
    grown, _, _ = with_rivals
    kept = [
        path
        for pattern in ("threshold/*/*/*/*.json", "score/*/*/*/atlas-t1/*.npz", "train/*/*/*/weights.pt")
        for path in grown.results.glob(pattern)
    ]
    before = {path: path.read_bytes() for path in kept}
    table = (grown.folder / TABLE).read_text()
    volumes = grown.results / "preprocess/atlas/volumes.npz"
    splits = {row["subject"]: row["split"] for row in read_rows(grown.results / "split/atlas.csv")}
    arrays = dict(np.load(volumes))
    is_test = np.array([splits[name] == "test" for name in arrays["subject"].tolist()])
    arrays["lesion"][is_test] = np.roll(arrays["lesion"][is_test], 2, axis=1) & arrays["brain"][is_test]
    np.savez(volumes, **arrays)
    rules = ("reconstruct_scans", "reconstruct_baseline", "find_threshold")
    grown.run("--rerun-triggers", "mtime", "--forcerun", *rules, "--", TABLE)
    assert (grown.folder / TABLE).read_text() != table
    assert len(before) > 20 and {path: path.read_bytes() for path in before} == before


def test_the_maps_of_a_score_that_reads_the_network_leave_their_study_in_a_bundle(with_rivals, capsys):
    grown, _, _ = with_rivals
    overlay = grown.workflow / "tiny.yaml"
    overlay.write_text(
        overlay.read_text().replace(
            "table_1_models:", "example_model: 3d-cube-noise@restored-dark\n  table_1_models:"
        )
    )
    grown.run("--rerun-triggers", "mtime", "--", "bundle")
    bundle = grown.results / "bundle/3d-cube-noise@restored-dark.zip"
    assert main(["info", str(bundle)]) == 0 and "dark restored" in capsys.readouterr().out
    assert main(["check", str(bundle)]) == 0
