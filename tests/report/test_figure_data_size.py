import numpy as np
import pandas as pd
import pytest
from paper_study import METHODS, NETWORKS, methods

from spatial_erasing.report.estimates import Intervals
from spatial_erasing.report.figure_data_size import count_training_subjects, figure_data_size
from spatial_erasing.report.style import SMALL_POINTS, model_style

FOUR = ["2d-none", "2d-patch-noise", "3d-none", "3d-cube-noise"]
COHORTS = ["brats", "atlas"]
SUBJECTS = {100: 1807, 10: 181, 60: 1084, 20: 361}


def intervals_of(models, *, percents=tuple(SUBJECTS), seeds=3):
    """intervals.csv of these models, every number another."""
    rng = np.random.default_rng(0)
    rows = []
    for model in models:
        for percent in percents:
            for metric in ("average_precision", "slice_average_precision"):
                for cohort, sequence in (("all", "t1"), ("brats", "t1")):
                    lower, lowest, value, highest, upper = np.sort(rng.random(5))
                    row = {"model": model, "fraction_percent": percent, "metric": metric, "cohort": cohort}
                    row |= {
                        "sequence": sequence,
                        "value": value,
                        "seeds": seeds,
                        "lower": lower,
                        "upper": upper,
                    }
                    rows.append(row | {"lowest_seed": lowest, "highest_seed": highest})
    return pd.DataFrame(rows)


@pytest.fixture
def rows():
    return intervals_of(FOUR)


def draw(rows, models=FOUR, **settings):
    settings = {"cohorts": COHORTS, "training_subjects": SUBJECTS} | settings
    return figure_data_size(Intervals(rows, confidence_percent=90), methods=methods(models), **settings)


def percent_of(rows, model, percent, *names):
    """Numbers of a model over all test sets after a share of the training data, in percent."""
    key = ["model", "fraction_percent", "metric", "cohort", "sequence"]
    row = rows.set_index(key).loc[(model, percent, "average_precision", "all", "t1")]
    return [100 * row[name] for name in names]


def curves_of(panel):
    return {line.get_label(): line for line in panel.lines if not line.get_label().startswith("_")}


def note_of(figure):
    return figure.texts[-1].get_text().replace("\n", " ")


def test_curve_is_the_mean_of_cohorts_and_seeds_at_every_share(rows):
    curves = curves_of(draw(rows).axes[0])
    assert list(curves) == FOUR
    for model, curve in curves.items():
        x, y = curve.get_data()
        np.testing.assert_allclose(x, [10, 20, 60, 100], atol=2)
        np.testing.assert_allclose(y, [percent_of(rows, model, p, "value")[0] for p in (10, 20, 60, 100)])
        assert curve.get_color() == model_style(METHODS[model]).colour


def test_bars_reach_from_the_lowest_to_the_highest_seed(rows):
    (panel,) = draw(rows).axes
    lines = [line for line in panel.lines if len(line.get_ydata()) == 2]
    bars = sorted(tuple(line.get_ydata()) for line in lines if line.get_marker() == "None")
    ends = ("lowest_seed", "highest_seed")
    expected = sorted(percent_of(rows, model, percent, *ends) for model in FOUR for percent in SUBJECTS)
    np.testing.assert_allclose(bars, expected)


def test_models_stand_side_by_side_so_that_no_bar_hides_another(rows):
    curves = curves_of(draw(rows).axes[0]).values()
    places = np.array([curve.get_xdata() for curve in curves])
    assert (np.diff(places, axis=0) > 0.5).all()
    np.testing.assert_allclose(places.mean(axis=0), [10, 20, 60, 100])


def test_whiskers_are_the_intervals_that_are_given(rows):
    figure = draw(rows)
    whiskers = sorted(tuple(line.get_ydata()) for line in figure.axes[0].lines if line.get_marker() == "_")
    ends = ("lower", "upper")
    expected = sorted(percent_of(rows, model, percent, *ends) for model in FOUR for percent in SUBJECTS)
    np.testing.assert_allclose(whiskers, expected)
    low, high = figure.axes[0].get_ylim()
    assert low < np.min(whiskers) and high > np.max(whiskers)
    without = rows.assign(lower=np.nan, upper=np.nan)
    assert "Thin whiskers: 90 % interval" in note_of(figure) and "whiskers" not in note_of(draw(without))


def test_legend_beside_the_curves_is_in_their_order_at_the_largest_share(rows):
    (legend,) = draw(rows).legends
    last = {model: percent_of(rows, model, 100, "value") for model in FOUR}
    expected = [METHODS[model].title for model in sorted(last, key=last.get, reverse=True)]
    assert [text.get_text() for text in legend.get_texts()] == expected


def test_note_names_cohorts_seeds_and_subjects(rows):
    note = note_of(draw(rows))
    assert "averaged over brats and atlas" in note and "mean of 3 seeds" in note
    assert "Training subjects: 181 (10 %), 361 (20 %), 1,084 (60 %), 1,807 (100 %)" in note


def test_every_strategy_has_a_panel_with_the_models_without_erasing_and_common_limits():
    figure = draw(intervals_of(NETWORKS), models=NETWORKS)
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


def test_a_test_set_without_auprc_leaves_a_gap(rows):
    is_lost = (rows["model"] == "3d-none") & (rows["fraction_percent"] == 60)
    rows.loc[is_lost, ["value", "lowest_seed", "highest_seed", "lower", "upper"]] = np.nan
    figure = draw(rows)
    y = curves_of(figure.axes[0])["3d-none"].get_ydata()
    assert np.isnan(y).tolist() == [False, False, True, False]
    figure.draw_without_rendering()


def test_a_share_that_was_not_evaluated_is_refused(rows):
    lost = rows[(rows["model"] != "3d-none") | (rows["fraction_percent"] != 10)]
    with pytest.raises(ValueError, match=r"average_precision of 3d-none \(10 % .* 0 times"):
        draw(lost)


def test_a_single_share_is_drawn_with_a_remark():
    figure = draw(intervals_of(FOUR, percents=(100,), seeds=1), training_subjects={100: 3})
    assert "trains on 100 % of the data only" in figure.axes[0].texts[0].get_text()
    assert "One seed." in note_of(figure)
    assert not draw(intervals_of(FOUR)).axes[0].texts


def test_one_test_set_is_no_mean(rows):
    figure = draw(rows, cohorts=["atlas"])
    assert figure.axes[0].get_ylabel() == "AUPRC in %" and "on atlas" in note_of(figure)


def test_nothing_leaves_the_page_and_no_text_is_too_small(rows):
    figure = draw(rows)
    figure.draw_without_rendering()
    page = figure.bbox
    for artist in (*figure.legends, figure.texts[-1]):
        box = artist.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0
    texts = [*figure.texts, *figure.axes[0].get_xticklabels(), *figure.legends[0].get_texts()]
    assert min(text.get_fontsize() for text in texts) >= SMALL_POINTS


def test_training_subjects_are_those_of_the_share_that_were_preprocessed():
    """Ten training subjects in two cohorts; one of them failed, and one that is there validates."""
    rows = [("a", f"s{k}", "training", str(k / 10)) for k in range(6)]
    rows += [("b", f"s{k}", "training", str(k / 10)) for k in range(6, 10)] + [("b", "v", "validation", "")]
    names = ("cohort", "subject", "split", "training_rank")
    rows = [dict(zip(names, row, strict=True)) | {"status": "done"} for row in rows]
    rows[2]["status"] = "failed"
    assert count_training_subjects(rows, percents=[100, 20, 60]) == {100: 9, 20: 2, 60: 5}
