import numpy as np
import pytest
import SimpleITK as sitk
from sklearn.metrics import f1_score

from spatial_erasing.evaluate.overlap import anomaly_mask, dice


@pytest.fixture
def masks():
    rng = np.random.default_rng(4)
    return rng.random((9, 8, 7)) < 0.3, rng.random((9, 8, 7)) < 0.4


def test_dice_is_that_of_sklearn_and_simpleitk(masks):
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks))
    assert dice(*masks) == pytest.approx(f1_score(masks[0].ravel(), masks[1].ravel()), abs=1e-12)
    assert dice(*masks) == pytest.approx(overlap.GetDiceCoefficient(1), abs=1e-12)


def test_dice_is_symmetric_and_one_for_a_mask_with_itself(masks):
    first, second = masks
    assert dice(first, second) == dice(second, first)
    assert dice(first, first) == 1 and dice(first, ~first) == 0


def test_dice_reads_integers_as_masks(masks):
    first, second = masks
    assert dice(first * np.uint8(255), 4 * second.astype(np.uint8)) == dice(first, second)


def test_one_empty_mask_gives_zero_and_two_give_nan(masks):
    empty = np.zeros_like(masks[0])
    assert dice(masks[0], empty) == dice(empty, masks[0]) == 0
    assert np.isnan(dice(empty, empty))


def test_masks_on_different_grids_are_an_error(masks):
    with pytest.raises(ValueError, match="cannot overlap"):
        dice(masks[0], masks[1][:1])


def test_anomaly_mask_compares_with_the_unrounded_threshold():
    scores = np.array([0.0999756, 0.10003662], np.float16)  # the float16 below and above 0.1
    assert anomaly_mask(scores, 0.1).tolist() == [False, True]
    assert (scores >= 0.1).tolist() == [True, True]  # what numpy does to a Python float
    assert anomaly_mask(scores, float(scores[0])).tolist() == [True, True]
