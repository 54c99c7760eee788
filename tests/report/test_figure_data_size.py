import numpy as np
import pandas as pd
import pytest
from paper_study import METHODS, NETWORKS, methods

from spatial_erasing.report.estimates import Intervals
from spatial_erasing.report.figure_data_size import figure_data_size
from spatial_erasing.report.model_style import model_style
from spatial_erasing.report.style import SMALL_POINTS

FOUR = ["2d-none", "2d-patch-noise", "3d-none", "3d-cube-noise"]
COHORTS = ["brats", "atlas"]
SUBJECTS = {100: 1807, 10: 181, 60: 1084, 20: 361}


def metrics_of(models, *, percents=tuple(SUBJECTS), seeds=(1, 2, 3)):
    """Every metric of every run on both cohorts, all values different."""
    rng = np.random.default_rng(0)
    rows = [
        (model, percent, seed, cohort, "t1", metric, rng.random())
        for model in models
        for percent in percents
        for seed in seeds
        for cohort in (*COHORTS, "other")
        for metric in ("average_precision", "slice_average_precision")
    ]
    columns = ["model", "fraction_percent", "seed", "cohort", "sequence", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def metrics():
    return metrics_of(FOUR)


def draw(metrics, models=FOUR, **settings):
    settings = {"cohorts": COHORTS, "training_subjects": SUBJECTS} | settings
    return figure_data_size(metrics, methods=methods(models), **settings)


def percent_of_seeds(metrics, model, percent):
    """Mean of the cohorts of each seed, computed another way."""
    rows = metrics.query(
        "model == @model and fraction_percent == @percent and sequence == 't1'"
        " and metric == 'average_precision'"
    )
    value = rows.set_index(["seed", "cohort"])["value"]
    return [100 * (value[seed, "brats"] + value[seed, "atlas"]) / 2 for seed in (1, 2, 3)]


def curves_of(panel):
    return {line.get_label(): line for line in panel.lines if not line.get_label().startswith("_")}


def note_of(figure):
    return figure.texts[-1].get_text().replace("\n", " ")


def test_curve_is_the_mean_of_cohorts_and_seeds_at_every_share(metrics):
    curves = curves_of(draw(metrics).axes[0])
    assert list(curves) == FOUR
    for model, curve in curves.items():
        x, y = curve.get_data()
        np.testing.assert_allclose(x, [10, 20, 60, 100], atol=2)
        np.testing.assert_allclose(
            y, [np.mean(percent_of_seeds(metrics, model, p)) for p in (10, 20, 60, 100)]
        )
        assert curve.get_color() == model_style(METHODS[model]).colour


def test_bars_reach_from_the_lowest_to_the_highest_seed(metrics):
    (panel,) = draw(metrics).axes
    bars = sorted(tuple(line.get_ydata()) for line in panel.lines if len(line.get_ydata()) == 2)
    values = [percent_of_seeds(metrics, model, percent) for model in FOUR for percent in SUBJECTS]
    np.testing.assert_allclose(bars, sorted((min(seeds), max(seeds)) for seeds in values))


def test_models_stand_side_by_side_so_that_no_bar_hides_another(metrics):
    curves = curves_of(draw(metrics).axes[0]).values()
    places = np.array([curve.get_xdata() for curve in curves])
    assert (np.diff(places, axis=0) > 0.5).all()
    np.testing.assert_allclose(places.mean(axis=0), [10, 20, 60, 100])


def test_whiskers_are_the_intervals_that_are_given(metrics):
    key = {"model": "3d-none", "metric": "average_precision", "cohort": "all", "sequence": "t1"}
    intervals = pd.DataFrame([key | {"fraction_percent": 20, "lower": 0.011, "upper": 0.995}])
    figure = draw(metrics, intervals=Intervals(intervals, confidence_percent=90))
    whiskers = [line for line in figure.axes[0].lines if line.get_marker() == "_"]
    assert [list(line.get_ydata()) for line in whiskers] == [pytest.approx([1.1, 99.5])]
    assert np.allclose(whiskers[0].get_xdata(), curves_of(figure.axes[0])["3d-none"].get_xdata()[1])
    low, high = figure.axes[0].get_ylim()
    assert low < 1.1 and high > 99.5
    assert "Thin whiskers: 90 % interval" in note_of(figure) and "whiskers" not in note_of(draw(metrics))


def test_legend_beside_the_curves_is_in_their_order_at_the_largest_share(metrics):
    (legend,) = draw(metrics).legends
    last = {model: np.mean(percent_of_seeds(metrics, model, 100)) for model in FOUR}
    expected = [METHODS[model].title for model in sorted(last, key=last.get, reverse=True)]
    assert [text.get_text() for text in legend.get_texts()] == expected


def test_note_names_cohorts_seeds_and_subjects(metrics):
    note = note_of(draw(metrics))
    assert "averaged over brats and atlas" in note and "mean of 3 seeds" in note
    assert "Training subjects: 181 (10 %), 361 (20 %), 1,084 (60 %), 1,807 (100 %)" in note


def test_every_strategy_has_a_panel_with_the_models_without_erasing_and_common_limits():
    figure = draw(metrics_of(NETWORKS), models=NETWORKS)
    assert [panel.get_title() for panel in figure.axes] == [
        "Cube",
        "Multi cube",
        "Half",
    ]
    for panel, legend in zip(figure.axes, figure.legends, strict=True):
        assert list(curves_of(panel))[:2] == ["2d-none", "3d-none"] and len(curves_of(panel)) == 6
        assert [text.get_text() for text in legend.get_texts()] == [
            METHODS[name].title for name in curves_of(panel)
        ]
    assert len({panel.get_ylim() for panel in figure.axes}) == 1
    figure.draw_without_rendering()
    legend_bottom = min(legend.get_window_extent().y0 for legend in figure.legends)
    assert figure.texts[-1].get_window_extent().y1 < legend_bottom + 1


def test_a_test_set_without_auprc_is_a_gap_and_not_the_mean_of_the_others(metrics):
    is_lost = (metrics["model"] == "3d-none") & (metrics["cohort"] == "atlas")
    metrics.loc[is_lost & (metrics["fraction_percent"] == 60), "value"] = np.nan
    figure = draw(metrics)
    y = curves_of(figure.axes[0])["3d-none"].get_ydata()
    assert np.isnan(y).tolist() == [False, False, True, False]
    figure.draw_without_rendering()


@pytest.mark.parametrize("fault", ["lost", "twice", "share"])
def test_what_is_not_there_once_for_every_cohort_and_seed_is_refused(metrics, fault):
    rows = metrics[(metrics["model"] == "3d-none") & (metrics["metric"] == "average_precision")]
    wrong = {
        "lost": metrics.drop(rows.query("cohort == 'atlas' and sequence == 't1' and seed == 2").index),
        "twice": pd.concat([metrics, rows.head(1)]),
        "share": metrics.drop(rows.query("fraction_percent == 10").index),
    }[fault]
    message = r"average_precision of 3d-none after \d+ % .* each of brats, atlas and every seed"
    with pytest.raises(ValueError, match=message):
        draw(wrong)


def test_a_single_share_is_drawn_with_a_remark():
    figure = draw(metrics_of(FOUR, percents=(100,), seeds=(1,)), training_subjects={100: 3})
    assert "trains on 100 % of the data only" in figure.axes[0].texts[0].get_text()
    assert "One seed." in note_of(figure)
    assert not draw(metrics_of(FOUR)).axes[0].texts


def test_one_test_set_is_no_mean(metrics):
    figure = draw(metrics, cohorts=["atlas"])
    assert figure.axes[0].get_ylabel() == "AUPRC in %" and "on atlas" in note_of(figure)


def test_nothing_leaves_the_page_and_no_text_is_too_small(metrics):
    figure = draw(metrics)
    figure.draw_without_rendering()
    page = figure.bbox
    for artist in (*figure.legends, figure.texts[-1]):
        box = artist.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0
    texts = [*figure.texts, *figure.axes[0].get_xticklabels(), *figure.legends[0].get_texts()]
    assert min(text.get_fontsize() for text in texts) >= SMALL_POINTS
