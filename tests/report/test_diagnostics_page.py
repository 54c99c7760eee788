import numpy as np
import pandas as pd
import pytest
from paper_study import METHODS

from spatial_erasing.report import diagnostics as beside
from spatial_erasing.report.figure_diagnostics import figure_diagnostics
from spatial_erasing.report.table_layout import NO_NUMBER
from spatial_erasing.report.templates import write_filled

PROTOCOL = {"erosion_iterations": 2, "median_size_voxels": 5}
MODELS = ("2d-none", "3d-cube-noise")


@pytest.fixture
def diagnostics():
    """diagnostics.csv of two models and two test sets, every number another."""
    rows, number = [], 0.1
    for model in MODELS:
        for cohort, other in (("brats", "atlas-t1"), ("atlas", "brats-t1")):
            for median, source in ((5, "greedy"), (3, "greedy"), (5, "exhaustive"), (5, other)):
                for metric in (
                    "threshold",
                    "dice_validation",
                    "dice_dataset",
                    "dice_subject_mean",
                    "average_precision",
                ):
                    number += 0.003
                    rows.append((model, cohort, "t1", 2, median, source, metric, number))
            rows.append((model, cohort, "t1", 2, 5, "upper bound: test labels", "dice_dataset", 0.9))
    names = ["model", "cohort", "sequence", *PROTOCOL, "threshold_from", "metric", "value"]
    return pd.DataFrame(rows, columns=names)


@pytest.fixture
def components():
    """Lesions of 1, 10 and 100 voxels, the largest found by everyone; one false positive of 12 voxels."""
    rows = [
        (model, cohort, "t1", "a", kind, voxels, overlap, int(overlap > 0))
        for model in MODELS
        for cohort in ("brats", "atlas")
        for kind, voxels, overlap in (
            ("lesion", 1, 0),
            ("lesion", 10, 2 * (model == "3d-cube-noise")),
            ("lesion", 100, 60),
            ("false positive", 12, 0),
        )
    ]
    names = ["model", "cohort", "sequence", "subject", "kind", "voxels", "overlap_voxels", "is_detected"]
    return pd.DataFrame(rows, columns=names)


@pytest.fixture
def detection(components):
    limits = beside.size_limits(components, (33.3, 66.7))
    return beside.detection_by_size(components, limits=limits, volumes={"brats": 4, "atlas": 2})


def test_limits_are_percentiles_of_the_lesions_once_each(components):
    limits = beside.size_limits(components, (33.3, 66.7))
    assert limits["brats"] == pytest.approx(np.percentile([1, 10, 100], [33.3, 66.7]))


def test_detection_and_false_positives_are_counted_by_size(detection):
    found = detection.set_index(["model", "cohort", "size"]).sort_index(level=[0, 1], sort_remaining=False)
    assert found.loc[("2d-none", "brats"), "detected"].tolist() == [0, 0, 1]
    assert found.loc[("3d-cube-noise", "brats"), "detected"].tolist() == [0, 1, 1]
    assert found.loc[("2d-none", "brats", "middle"), "false_positives_per_volume"] == 1 / 4
    assert found.loc[("2d-none", "atlas", "middle"), "false_positives_per_volume"] == 1 / 2
    assert (detection["lesions"] == 1).all()


def test_the_threshold_table_names_the_upper_bound_and_shows_every_number(diagnostics):
    section = beside.threshold_section(diagnostics, protocol=PROTOCOL)
    assert section.columns[-1] == "DICE_D, upper bound"
    values = diagnostics.query("model == '2d-none' and cohort == 'brats' and median_size_voxels == 5")
    values = values.set_index(["threshold_from", "metric"])["value"]
    row = dict(zip(section.columns, section.rows[0], strict=True))
    assert row["Model"] == "2d-none" and row["Test set"] == "brats-t1"
    assert row["Threshold, exhaustive"] == f"{values['exhaustive', 'threshold']:.4f}"
    assert row["DICE_S, test, greedy"] == f"{100 * values['greedy', 'dice_subject_mean']:.1f}"
    assert row["DICE_D, upper bound"] == "90.0"


def test_a_threshold_of_other_data_stands_in_its_column(diagnostics):
    section = beside.transfer_section(diagnostics, protocol=PROTOCOL)
    assert section.columns == ("Model", "Test set", "brats-t1", "atlas-t1")
    values = diagnostics.query("metric == 'dice_dataset' and cohort == 'atlas' and median_size_voxels == 5")
    values = values[values["model"] == "2d-none"].set_index("threshold_from")["value"]
    row = section.rows[1]
    assert row == ("2d-none", "atlas-t1", f"{100 * values['brats-t1']:.1f}", f"{100 * values['greedy']:.1f}")


def test_every_way_of_post_processing_has_a_row(diagnostics):
    section = beside.post_processing_section(diagnostics)
    assert [row[2:4] for row in section.rows] == [("2", "5³"), ("2", "3³")] * 4


def test_empty_and_vanished_lesions_are_counted_apart():
    sizes = [("done", 3.5, 3.0), ("done", 0.01, 0.0), ("done", 0.0, 0.0), ("failed", "", "")]
    names = ("status", "lesion_ml", "lesion_downsampled_ml")
    rows = [dict(zip(names, size, strict=True)) for size in sizes]
    assert beside.vanished_section({"atlas": rows}).rows == [("atlas", "3", "1", "1")]


def test_a_size_without_a_lesion_has_no_rate(components):
    few = components[components["voxels"] != 1]
    limits = {"brats": (5, 50), "atlas": (5, 50)}
    detection = beside.detection_by_size(few, limits=limits, volumes={"brats": 1, "atlas": 1})
    assert beside.lesion_section(detection).rows[0][2] == NO_NUMBER


def test_page_and_markdown_begin_with_the_warning_say_the_rule_and_escape_names(tmp_path):
    pages = (tmp_path / "page.md", tmp_path / "page.html")
    section = beside.Section(("Model", "x"), [("<i>|", "1")])
    sections = dict.fromkeys(("thresholds", "post_processing", "transfer", "lesions", "vanished"), section)
    rule = {"connectivity": 26, "minimum_overlap_percent": 10}
    said = {"warning": beside.WARNING, "rule": rule, "limits": {"<b>": (5.2, 50), "atlas": (3, 40)}}
    write_filled(pages, "diagnostics", sections=sections, **said)
    markdown, page = (path.read_text() for path in pages)
    assert markdown.startswith(f"**{beside.WARNING}**")
    assert page.index('warning">') < page.index("<h2>Thresholds</h2>")
    assert "<i>" not in page and "&lt;i&gt;|" in page and "the best DICE<sub>D</sub> of any" in page
    assert "no method may use" in page and "(26 neighbours)" in page and "a voxel and 10 % of it" in page
    assert "end at: &lt;b&gt; 5 and 50 voxels; atlas 3 and 40 voxels." in page
    assert r"\|" in markdown and r"\<b\> 5 and 50 voxels" in markdown


def test_the_figure_draws_the_numbers_of_the_tables(diagnostics, detection):
    curve = {"threshold": [0.1, 0.2, 0.3], "dice": [0.2, 0.5, 0.1]}
    record = {
        "curve": curve,
        "threshold": 0.2,
        "dice": 0.5,
        "exhaustive_threshold": 0.21,
        "exhaustive_dice": 0.51,
    }
    keys = [(model, cohort) for model in MODELS for cohort in ("brats", "atlas")]
    figure = figure_diagnostics(
        diagnostics,
        detection,
        methods=METHODS,
        dice_curves=dict.fromkeys(keys, record),
        recall_curves=dict.fromkeys(keys, (np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.6, 0.1]))),
        prevalence={"brats": 0.02, "atlas": 0.01},
    )
    dice, recall, variants, detected = figure.axes[:4]
    assert dice.lines[0].get_ydata().tolist() == [20, 50, 10]
    marks = {(line.get_xdata()[0], line.get_ydata()[0]) for line in dice.lines if len(line.get_xdata()) == 1}
    assert marks == {(0.2, 50), (0.21, 51)}
    assert recall.lines[0].get_xdata().tolist() == [0, 50, 100]
    assert {tuple(line.get_ydata()) for line in recall.lines} >= {
        (2.0, 2.0)
    }  # what a score without knowledge reaches
    wanted = diagnostics.query("model == '2d-none' and cohort == 'brats' and threshold_from == 'greedy'")
    wanted = wanted[wanted["metric"] == "average_precision"]["value"]
    assert variants.lines[0].get_ydata() == pytest.approx(100 * wanted)
    assert detected.lines[1].get_ydata().tolist() == [0, 100, 100]
    assert beside.WARNING[:40] in " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
