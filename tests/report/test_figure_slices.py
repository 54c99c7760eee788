import numpy as np
import pandas as pd
import pytest
from paper_study import METHODS
from sklearn.metrics import average_precision_score

from spatial_erasing.report.estimates import Intervals
from spatial_erasing.report.figure_slices import figure_slices, read_slices
from spatial_erasing.report.style import SMALL_POINTS

MODELS = ["3d-cube-noise", "baseline-brain-median", "2d-none", "3d-none"]
SHAPES = {"brats": (3, 8), "atlas": (4, 8)}


def label_of(cohort):
    return np.random.default_rng(len(cohort)).random(SHAPES[cohort]) < 0.3


def score_of(model, seed, cohort):
    """Informative, on another scale in each cohort, with ties."""
    rng = np.random.default_rng([seed, len(model), len(cohort)])
    noise = rng.normal(size=SHAPES[cohort])
    return ((label_of(cohort) + noise) * (3 if cohort == "brats" else 1)).round(1).astype(np.float32)


@pytest.fixture
def paths(tmp_path):
    written = []
    for model in MODELS:
        for seed in (1, 2):
            for cohort in SHAPES:
                path = tmp_path / model / "fraction-100" / f"seed-{seed}" / f"{cohort}-t1" / "slices.npz"
                path.parent.mkdir(parents=True)
                np.savez(path, score=score_of(model, seed, cohort), abnormal=label_of(cohort))
                written.append(path)
    return written


@pytest.fixture
def slices(paths):
    return read_slices(paths)


@pytest.fixture
def figure(slices):
    return figure_slices(slices, methods=METHODS, paper_percent={"3d-cube-noise": 71.2})


def percent_of(model, seed):
    """All slices of both cohorts in one ranking, by scikit-learn."""
    scores = np.concatenate([score_of(model, seed, cohort).ravel() for cohort in SHAPES])
    return 100 * average_precision_score(
        np.concatenate([label_of(cohort).ravel() for cohort in SHAPES]), scores
    )


def markers_of(panel):
    """Row -> the score of its marker."""
    points = [line for line in panel.lines if len(line.get_xdata()) == 1 and line.get_marker() != "*"]
    return {line.get_ydata()[0]: line.get_xdata()[0] for line in points}


def test_average_precision_is_sklearn_s_on_the_union_of_the_test_sets(slices):
    for model in MODELS:
        expected = [percent_of(model, seed) / 100 for seed in (1, 2)]
        assert slices.average_precision[model] == pytest.approx(expected, abs=1e-9)


def test_counts_are_those_of_one_run(slices):
    assert slices.subjects == {"brats": 3, "atlas": 4}
    assert slices.slices == 7 * 8
    assert slices.abnormal == sum(label_of(cohort).sum() for cohort in SHAPES)


def test_order_of_the_files_changes_nothing_but_the_order_of_models(paths, slices):
    backwards = read_slices(reversed(paths))
    assert {model: sorted(values) for model, values in backwards.average_precision.items()} == {
        model: sorted(values) for model, values in slices.average_precision.items()
    }


def test_rows_are_2d_then_3d_then_baselines_at_their_mean(figure):
    (panel,) = figure.axes
    rows = ["2d-none", "3d-cube-noise", "3d-none", "baseline-brain-median"]
    assert [label.get_text() for label in panel.get_yticklabels()] == [METHODS[row].title for row in rows]
    expected = {row: np.mean([percent_of(model, seed) for seed in (1, 2)]) for row, model in enumerate(rows)}
    assert markers_of(panel) == pytest.approx(expected)
    assert panel.get_ylim()[0] > panel.get_ylim()[1]  # the first row is on top


def test_bars_and_numbers_are_the_range_of_the_seeds(figure):
    (panel,) = figure.axes
    low, high = sorted(percent_of("3d-none", seed) for seed in (1, 2))
    bars = [line for line in panel.lines if list(line.get_ydata()) == [2, 2]]
    assert [list(line.get_xdata()) for line in bars] == [pytest.approx([low, high])]
    assert f"{(low + high) / 2:.1f} ({low:.1f}–{high:.1f})" in [text.get_text() for text in panel.texts]


def test_dashed_line_is_the_share_of_abnormal_slices(figure, slices):
    (line,) = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    percent = 100 * np.mean(np.concatenate([label_of(cohort).ravel() for cohort in SHAPES]))
    assert list(line.get_xdata()) == pytest.approx([percent, percent])
    assert f"abnormal slices: {percent:.1f} %" in [text.get_text() for text in figure.axes[0].texts]


def test_star_is_what_the_paper_states_in_the_row_of_its_model(figure, slices):
    (star,) = [line for line in figure.axes[0].lines if line.get_marker() == "*"]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([71.2], [1])
    assert "Star: Bengs et al. (2021)" in figure.texts[-1].get_text().replace("\n", " ")
    for paper in (None, {"3d-half-volume-noise": 71.2}):
        without = figure_slices(slices, methods=METHODS, paper_percent=paper)
        assert "Star" not in without.texts[-1].get_text()
        assert not [line for line in without.axes[0].lines if line.get_marker() == "*"]


def test_whiskers_are_the_intervals_that_are_given(slices):
    key = {"model": "2d-none", "cohort": "all", "sequence": "t1", "metric": "slice_average_precision"}
    intervals = pd.DataFrame(
        [key | {"fraction_percent": percent, "lower": 0.03, "upper": 0.99} for percent in (100, 20)]
    )
    figure = figure_slices(slices, methods=METHODS, intervals=Intervals(intervals, confidence_percent=90))
    whiskers = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    assert [line.get_data()[0] for line in whiskers] == [pytest.approx((3, 99))]
    assert list(whiskers[0].get_ydata()) == [0, 0]
    low, high = figure.axes[0].get_xlim()
    assert low < 3 and high > 99
    assert "Thin whiskers: 90 % interval" in figure.texts[-1].get_text().replace("\n", " ")


def test_note_says_subjects_slices_and_seeds(figure, paths):
    note = figure.texts[-1].get_text().replace("\n", " ")
    assert "brats n = 3 and atlas n = 4 together: 56 axial slices" in note and "mean of 2 seeds" in note
    one_seed = figure_slices(read_slices([path for path in paths if "seed-1" in path.parts]), methods=METHODS)
    assert "One seed." in one_seed.texts[-1].get_text()
    assert f"{percent_of('3d-none', 1):.1f}" in [text.get_text() for text in one_seed.axes[0].texts]


def test_other_test_subjects_are_refused(paths):
    np.savez(paths[-1], score=score_of("3d-none", 2, "atlas"), abnormal=~label_of("atlas"))
    with pytest.raises(ValueError, match=r"seed-2/atlas-t1/slices\.npz holds slices .* same test subjects"):
        read_slices(paths)


def test_a_run_that_lacks_a_cohort_is_refused(paths):
    with pytest.raises(ValueError, match="3d-none, seed 2, has slices of brats; expected brats, atlas"):
        read_slices(paths[:-1])


@pytest.mark.parametrize(
    "name",
    ["slices.npz", "3d-none/100/seed-1/brats-t1/slices.npz", "3d-none/fraction-100/seed-1/brats/s.npz"],
)
def test_a_file_that_does_not_say_whose_it_is_is_refused(paths, tmp_path, name):
    with pytest.raises(ValueError, match=r"does not say whose slices .*/fraction-\{percent\}/"):
        read_slices([*paths, tmp_path / name])


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("fraction-20/seed-1/brats-t1", "20 % and t1, 100 % and t1"),
        ("fraction-100/seed-1/brats-flair", "100 % and flair, 100 % and t1"),
    ],
)
def test_two_shares_of_the_training_data_or_sequences_are_refused(paths, tmp_path, folder, found):
    other = tmp_path / "3d-none" / folder / "slices.npz"
    other.parent.mkdir(parents=True)
    paths[0].rename(other)
    with pytest.raises(ValueError, match=f"the slices are of {found}"):
        read_slices([other, *paths[1:]])


def test_nothing_leaves_the_page_and_no_text_is_too_small(figure):
    figure.draw_without_rendering()
    (panel,) = figure.axes
    for text in (*panel.texts, *panel.get_yticklabels(), *figure.texts):
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        assert text.get_fontsize() >= SMALL_POINTS
