import numpy as np
import pandas as pd
import pytest
from paper_study import METHODS

from spatial_erasing.report.figure_history import figure_history


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
