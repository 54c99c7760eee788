import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from spatial_erasing.evaluate.slices import slice_average_precision, slice_scores


def test_slice_scores_are_sums_over_the_last_axis_slices():
    volume = np.random.default_rng(0).random((5, 6, 4)).astype(np.float16)
    found = slice_scores(volume)
    expected = [volume[:, :, place].astype(np.float64).sum() for place in range(4)]
    assert found.dtype == np.float32 and found.shape == (4,)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_slice_scores_of_a_cohort_are_those_of_its_subjects():
    volumes = np.random.default_rng(0).random((3, 5, 6, 4)).astype(np.float16)
    np.testing.assert_array_equal(slice_scores(volumes), [slice_scores(volume) for volume in volumes])


def test_slice_scores_do_not_saturate_like_float16():
    assert slice_scores(np.ones((100, 100, 2), np.float16)).tolist() == [10000, 10000]


def test_slice_scores_see_only_their_own_slice():
    volume = np.zeros((5, 6, 4), np.float16)
    volume[2, 3, 1] = 0.5
    assert slice_scores(volume).tolist() == [0, 0.5, 0, 0]


@pytest.fixture(params=["continuous", "tied"])
def cohorts(request):
    rng = np.random.default_rng(6)
    abnormal = [rng.random((12, 16)) < 0.3, rng.random((9, 16)) < 0.1]
    scores = [np.maximum(0, part + rng.normal(size=part.shape)).astype(np.float32) for part in abnormal]
    if request.param == "tied":
        scores = [part.round(1) for part in scores]
    return scores, abnormal


def test_slice_average_precision_is_sklearn_on_all_slices_of_all_cohorts(cohorts):
    pooled = [np.concatenate([part.ravel() for part in parts]) for parts in cohorts]
    expected = average_precision_score(pooled[1], pooled[0])
    assert slice_average_precision(*cohorts) == pytest.approx(expected, abs=1e-9)


def test_slice_average_precision_takes_one_cohort_alone(cohorts):
    scores, abnormal = cohorts
    expected = average_precision_score(abnormal[0].ravel(), scores[0].ravel())
    assert slice_average_precision(scores[0], abnormal[0]) == pytest.approx(expected, abs=1e-9)
    assert slice_average_precision([scores[0]], [abnormal[0]]) == pytest.approx(expected, abs=1e-9)


def test_slice_average_precision_ignores_order_and_monotone_rescaling(cohorts):
    scores, abnormal = cohorts
    expected = slice_average_precision(scores, abnormal)
    assert slice_average_precision(scores[::-1], abnormal[::-1]) == expected
    assert slice_average_precision([part * 4 for part in scores], abnormal) == expected


def test_slice_average_precision_without_abnormal_slice_is_nan(cohorts):
    scores, abnormal = cohorts
    assert np.isnan(slice_average_precision(scores, [part & False for part in abnormal]))


def test_slice_average_precision_refuses_what_does_not_fit(cohorts):
    scores, abnormal = cohorts
    with pytest.raises(ValueError, match="differ in shape"):
        slice_average_precision(scores, abnormal[::-1])
    with pytest.raises(ValueError, match="1 slice scores are not finite"):
        slice_average_precision([np.array([1, np.nan], np.float32)], [np.array([True, False])])
