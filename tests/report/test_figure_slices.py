import numpy as np
import pandas as pd
import pytest
from paper_study import METHODS, methods

from spatial_erasing.report.estimates import Intervals
from spatial_erasing.report.figure_slices import Slices, figure_slices
from spatial_erasing.report.style import SMALL_POINTS

MODELS = ["3d-cube-noise", "baseline-brain-median", "2d-none", "3d-none"]
METRIC = "slice_average_precision"
LABELS = {"brats": np.arange(24).reshape(3, 8) % 5 == 0, "atlas": np.arange(32).reshape(4, 8) % 3 == 0}


def intervals_of(*, seeds=2):
    """intervals.csv of four models, every number another, beside rows of other metrics and shares."""
    rows = []
    for place, model in enumerate(MODELS):
        for percent, metric in ((100, METRIC), (20, METRIC), (100, "dice_dataset")):
            value = 0.4 + 0.1 * place + 0.01 * len(rows)
            row = {"model": model, "fraction_percent": percent, "metric": metric, "value": value}
            row |= {"cohort": "all", "sequence": "t1", "seeds": seeds}
            row |= {"lowest_seed": value - 0.02, "highest_seed": value + 0.03}
            rows.append(row | {"lower": value - 0.1, "upper": value + 0.15})
    return Intervals(pd.DataFrame(rows), confidence_percent=90)


@pytest.fixture
def paths(tmp_path):
    paths = {cohort: tmp_path / f"{cohort}.npz" for cohort in LABELS}
    for cohort, path in paths.items():
        np.savez(path, abnormal=LABELS[cohort], score=np.zeros(LABELS[cohort].shape))
    return paths


@pytest.fixture
def slices(paths):
    return Slices.count(paths)


@pytest.fixture
def figure(slices):
    return draw(slices, paper_percent={"3d-cube-noise": 71.2})


def draw(slices, intervals=None, *, paper_percent=None):
    shown = {"methods": methods(MODELS), "paper_percent": paper_percent or {}}
    return figure_slices(intervals or intervals_of(), slices, **shown)


def numbers_of(model):
    rows = intervals_of().rows.query("fraction_percent == 100 and metric == @METRIC")
    return rows.set_index("model").loc[model]


def markers_of(panel):
    """Row -> the score of its marker."""
    points = [line for line in panel.lines if len(line.get_xdata()) == 1 and line.get_marker() != "*"]
    return {line.get_ydata()[0]: line.get_xdata()[0] for line in points}


def test_counts_are_those_of_one_run(slices):
    assert slices.subjects == {"brats": 3, "atlas": 4}
    assert slices.slices == 7 * 8
    assert slices.abnormal == sum(labels.sum() for labels in LABELS.values())


def test_rows_are_2d_then_3d_then_baselines_at_their_mean(figure):
    (panel,) = figure.axes
    rows = ["2d-none", "3d-cube-noise", "3d-none", "baseline-brain-median"]
    assert [label.get_text() for label in panel.get_yticklabels()] == [METHODS[row].title for row in rows]
    expected = {row: 100 * numbers_of(model)["value"] for row, model in enumerate(rows)}
    assert markers_of(panel) == pytest.approx(expected)
    assert panel.get_ylim()[0] > panel.get_ylim()[1]  # the first row is on top


def test_bars_and_numbers_are_the_range_of_the_seeds(figure):
    (panel,) = figure.axes
    mean, low, high = (100 * numbers_of("3d-none")[name] for name in ("value", "lowest_seed", "highest_seed"))
    lines = [line for line in panel.lines if list(line.get_ydata()) == [2, 2]]
    bars = [line for line in lines if line.get_marker() == "None"]
    assert [list(line.get_xdata()) for line in bars] == [pytest.approx([low, high])]
    assert f"{mean:.1f} ({low:.1f}–{high:.1f})" in [text.get_text() for text in panel.texts]


def test_dashed_line_is_the_share_of_abnormal_slices(figure, slices):
    (line,) = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    percent = 100 * np.mean(np.concatenate([labels.ravel() for labels in LABELS.values()]))
    assert list(line.get_xdata()) == pytest.approx([percent, percent])
    assert f"abnormal slices: {percent:.1f} %" in [text.get_text() for text in figure.axes[0].texts]


def test_star_is_what_the_paper_states_in_the_row_of_its_model(figure, slices):
    (star,) = [line for line in figure.axes[0].lines if line.get_marker() == "*"]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([71.2], [1])
    assert "Star: Bengs et al. (2021)" in figure.texts[-1].get_text().replace("\n", " ")
    for paper in ({}, {"3d-half-volume-noise": 71.2}):
        without = draw(slices, paper_percent=paper)
        assert "Star" not in without.texts[-1].get_text()
        assert not [line for line in without.axes[0].lines if line.get_marker() == "*"]


def test_whiskers_are_the_intervals_that_are_given(figure):
    whiskers = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    ends = [100 * numbers_of("2d-none")[name] for name in ("lower", "upper")]
    assert list(whiskers[0].get_xdata()) == pytest.approx(ends) and list(whiskers[0].get_ydata()) == [0, 0]
    low, high = figure.axes[0].get_xlim()
    assert low < min(line.get_xdata()[0] for line in whiskers)
    assert high > max(line.get_xdata()[1] for line in whiskers)
    assert "Thin whiskers: 90 % interval" in figure.texts[-1].get_text().replace("\n", " ")


def test_note_says_subjects_slices_and_seeds(figure, slices):
    note = figure.texts[-1].get_text().replace("\n", " ")
    assert "brats n = 3 and atlas n = 4 together: 56 axial slices" in note and "mean of 2 seeds" in note
    one_seed = draw(slices, intervals_of(seeds=1))
    assert "One seed." in one_seed.texts[-1].get_text()
    assert f"{100 * numbers_of('3d-none')['value']:.1f}" in [
        text.get_text() for text in one_seed.axes[0].texts
    ]


def test_a_model_that_was_not_evaluated_is_refused(slices):
    rows = intervals_of().rows.query("model != '3d-none'")
    with pytest.raises(ValueError, match=r"slice_average_precision of 3d-none .* 0 times"):
        draw(slices, Intervals(rows, confidence_percent=90))


def test_nothing_leaves_the_page_and_no_text_is_too_small(figure):
    figure.draw_without_rendering()
    (panel,) = figure.axes
    for text in (*panel.texts, *panel.get_yticklabels(), *figure.texts):
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        assert text.get_fontsize() >= SMALL_POINTS
