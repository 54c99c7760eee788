import numpy as np
import pandas as pd
import pytest

from spatial_erasing.report.figure_curves import SECONDS, TITLES, figure_curves, seconds_per_epoch


def a_history(steps=30, best=12):
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
    history = a_history()
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
    figure = figure_curves(a_history(steps=1, best=1), title="2D-None")
    assert all(line.get_marker() == "." for panel in figure.axes for line in panel.lines[1:])


def test_a_network_with_other_numbers_has_its_own_panels():
    history = a_history().drop(columns=["training_kl", "validation_kl", "active_units"])
    figure = figure_curves(history.assign(training_contrast=0.5, validation_kl=np.nan), title="Other")
    assert [text.get_text() for text in figure.texts][1:4] == [TITLES["l1"], "Contrast", SECONDS]
    assert len(figure.axes) == 3
