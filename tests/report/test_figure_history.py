import numpy as np
import pandas as pd
import pytest
from paper_study import METHODS

from spatial_erasing.report.figure_history import (
    SECONDS,
    TITLES,
    figure_curves,
    figure_history,
    seconds_per_epoch,
)


def a_history(scale, *, steps=20, best=12):
    step = np.arange(1, steps + 1) * 100
    validation = scale * (1 + np.abs(np.arange(steps) - best) / steps)
    return pd.DataFrame(
        {
            "step": step,
            "training_l1": 1.2 * validation,
            "validation_l1": validation,
            "training_kl": np.linspace(0, 3 * scale, steps),
            "validation_kl": np.linspace(0.1, 3 * scale, steps),
        }
    )


@pytest.fixture
def histories():
    return {
        "2d-none": a_history(100, steps=30),
        "3d-none": a_history(4000, best=5),
        "2d-patch-noise": a_history(90),
        "3d-cube-noise": a_history(3000),
    }


@pytest.fixture
def figure(histories):
    return figure_history(histories, methods=METHODS)


def test_models_stand_in_rows_of_their_dimensions(figure):
    titles = [text.get_text() for text in figure.texts if text.get_text() != "Training step"]
    assert titles == ["2D-None", "2D-Patch-n", "3D-None", "3D-Cube-n"]


def test_curves_are_the_columns_of_the_history(figure, histories):
    l1, kl = figure.axes[2:4]  # 2d-patch-noise
    for panel, quantity in ((l1, "l1"), (kl, "kl")):
        for line, split in zip(panel.lines[1:], ("training", "validation"), strict=True):
            np.testing.assert_array_equal(line.get_xdata(), histories["2d-patch-noise"]["step"])
            np.testing.assert_array_equal(
                line.get_ydata(), histories["2d-patch-noise"][f"{split}_{quantity}"]
            )


def test_training_shows_on_both_sides_of_a_validation_curve_that_covers_it(figure):
    for panel in figure.axes:
        training, validation = panel.lines[1:]
        assert training.get_linewidth() >= 2 * validation.get_linewidth()
        assert training.get_zorder() <= validation.get_zorder()


def test_dashed_line_marks_the_lowest_validation_l1(figure):
    assert set(figure.axes[4].lines[0].get_xdata()) == {600}  # 3d-none
    assert set(figure.axes[6].lines[0].get_xdata()) == {1300}


def test_models_of_the_same_dimensions_share_limits_that_hold_all_curves(figure, histories):
    for first, second in ((0, 2), (1, 3), (4, 6), (5, 7)):
        assert figure.axes[first].get_ylim() == figure.axes[second].get_ylim()
        assert figure.axes[first].get_xlim() == figure.axes[second].get_xlim()
    assert figure.axes[0].get_xlim() == pytest.approx((0, 1.08 * 3000))
    low, high = figure.axes[4].get_ylim()
    both = pd.concat([histories["3d-none"], histories["3d-cube-noise"]])[["training_l1", "validation_l1"]]
    assert low < both.min(axis=None) and high > both.max(axis=None)


def test_split_that_was_not_measured_at_every_step_is_drawn_without_gaps(histories):
    histories["2d-none"].loc[::2, "validation_l1"] = np.nan
    line = figure_history(histories, methods=METHODS).axes[0].lines[2]
    assert len(line.get_xdata()) == 15 and np.isfinite(line.get_ydata()).all()


def test_axis_is_logarithmic_only_where_values_spread(figure):
    assert [panel.get_yscale() for panel in figure.axes[:2]] == ["linear", "log"]
    figure.draw_without_rendering()
    for panel in figure.axes:
        low, high = panel.get_ylim()
        assert sum(low <= tick <= high for tick in panel.get_yticks()) >= 2


@pytest.mark.parametrize("rows", [1, 2])
def test_history_of_few_points_or_without_any_divergence_can_be_drawn(histories, rows):
    short = histories["3d-none"].head(rows).assign(training_kl=0.0, validation_kl=0.0)
    figure = figure_history({"3d-none": short}, methods=METHODS)
    figure.draw_without_rendering()
    assert figure.axes[0].lines[1].get_marker() == "."


def test_a_single_model_can_be_drawn(histories):
    assert len(figure_history({"3d-none": histories["3d-none"]}, methods=METHODS).axes) == 2


def test_large_numbers_are_written_short(figure):
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[4].get_yticklabels()]
    assert any(label.endswith("k") for label in labels)


def one_history(steps=30, best=12):
    place = np.arange(1, steps + 1)
    return pd.DataFrame(
        {
            "step": 100 * place,
            "epoch": 2.0 * place,
            "seconds": 3.0 * place,
            "training_l1": 0.5 / place,
            "validation_l1": 0.1 + 0.01 * np.abs(place - best),
            "training_kl": 1.0 * place,
            "validation_kl": 1.1 * place,
            "active_units": place,
        }
    )


def test_panels_show_the_columns_of_the_history_and_the_step_that_is_kept():
    history = one_history()
    figure = figure_curves(history, title="3D-Cube-n")
    l1, kl, units, seconds = figure.axes
    for panel, quantity in ((l1, "l1"), (kl, "kl")):
        for line, split in zip(panel.lines[1:], ("training", "validation"), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), history[f"{split}_{quantity}"])
    np.testing.assert_array_equal(units.lines[1].get_ydata(), history["active_units"])
    np.testing.assert_allclose(seconds.lines[1].get_ydata(), 1.5)
    assert all(set(panel.lines[0].get_xdata()) == {1200} for panel in figure.axes)
    texts = [text.get_text() for text in figure.texts]
    assert texts[0] == "3D-Cube-n" and {*TITLES.values(), "Active units", SECONDS} < set(texts)
    assert [text.get_text() for text in figure.legends[0].texts] == ["weights kept", "training", "validation"]


def test_an_epoch_takes_what_lies_between_two_validations():
    history = pd.DataFrame({"seconds": [4.0, 6.0, 16.0], "epoch": [1.0, 1.5, 6.5]})
    assert seconds_per_epoch(history) == pytest.approx([4.0, 4.0, 2.0])


def test_a_training_of_one_validation_is_marked_by_a_point():
    figure = figure_curves(one_history(steps=1, best=1), title="2D-None")
    assert all(line.get_marker() == "." for panel in figure.axes for line in panel.lines[1:])


def test_a_network_with_other_numbers_has_its_own_panels():
    history = one_history().drop(columns=["training_kl", "validation_kl", "active_units"])
    figure = figure_curves(history.assign(training_contrast=0.5, validation_kl=np.nan), title="Other")
    assert [text.get_text() for text in figure.texts][1:4] == [TITLES["l1"], "Contrast", SECONDS]
    assert len(figure.axes) == 3
