import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc, average_precision_score, f1_score, precision_recall_curve

from spatial_erasing.evaluate.counts import anomaly_mask, count_scores
from spatial_erasing.evaluate.metrics import (
    metrics_of_counts,
    size_groups,
    slice_average_precision,
    slice_scores,
)

THRESHOLD = 0.4321


@pytest.fixture
def dataset():
    rng = np.random.default_rng(9)
    lesions = rng.random((6, 8, 9, 7)) < rng.uniform(0.02, 0.2, (6, 1, 1, 1))
    lesions[[1, 4]] = False
    scores = np.abs(0.4 * lesions + rng.normal(scale=0.3, size=lesions.shape)).round(2)
    scores *= rng.random(scores.shape) < 0.7
    return scores.astype(np.float16), lesions


def test_pooled_metrics_are_those_of_sklearn_on_all_voxels(dataset):
    scores, lesions = dataset
    metrics, _ = metrics_of_counts(map(count_scores, scores, lesions), threshold=THRESHOLD)
    truth, score = lesions.ravel(), scores.ravel().astype(np.float64)
    precision, recall, thresholds = precision_recall_curve(truth, score)
    expected = {
        "dice_dataset": f1_score(truth, score >= THRESHOLD),
        "dice_dataset_best_possible": max(f1_score(truth, score >= threshold) for threshold in thresholds),
        "average_precision": average_precision_score(truth, score),
        "auprc_trapezoid": auc(recall, precision),
        "prevalence": truth.mean(),
    }
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, abs=1e-9), name


def test_subjects_are_those_of_sklearn_one_by_one(dataset):
    scores, lesions = dataset
    _, rows = metrics_of_counts(map(count_scores, scores, lesions), threshold=THRESHOLD)
    for row, score, lesion in zip(rows, scores, lesions, strict=True):
        predicted = score.astype(np.float64) >= THRESHOLD
        assert row["lesion_voxels"] == lesion.sum() and row["predicted_voxels"] == predicted.sum()
        if lesion.any():
            assert row["dice"] == pytest.approx(f1_score(lesion.ravel(), predicted.ravel()), abs=1e-12)
            expected = average_precision_score(lesion.ravel(), score.ravel().astype(np.float64))
            assert row["average_precision"] == pytest.approx(expected, abs=1e-9)


def test_vanished_lesions_leave_the_mean_over_subjects_but_not_the_pool(dataset):
    scores, lesions = dataset
    metrics, rows = metrics_of_counts(map(count_scores, scores, lesions), threshold=THRESHOLD)
    with_lesion = [0, 2, 3, 5]
    found = [f1_score(lesions[i].ravel(), scores[i].ravel().astype("f8") >= THRESHOLD) for i in with_lesion]
    assert metrics["subjects"] == 6 and metrics["subjects_without_lesion"] == 2
    assert metrics["dice_subject_mean"] == pytest.approx(np.mean(found), abs=1e-12)
    assert metrics["dice_subject_std"] == pytest.approx(np.sqrt(np.mean((found - np.mean(found)) ** 2)))
    assert np.isnan([rows[1]["dice"], rows[4]["average_precision"]]).all()

    without, _ = metrics_of_counts(
        map(count_scores, scores[with_lesion], lesions[with_lesion]), threshold=THRESHOLD
    )
    assert without["dice_subject_mean"] == metrics["dice_subject_mean"]
    assert without["dice_dataset"] > metrics["dice_dataset"]
    assert without["prevalence"] > metrics["prevalence"]


def test_order_of_subjects_and_streaming_change_nothing(dataset):
    scores, lesions = dataset
    metrics, rows = metrics_of_counts(map(count_scores, scores, lesions), threshold=THRESHOLD)
    order = [3, 5, 0, 1, 4, 2]
    streamed, turned = metrics_of_counts(
        map(count_scores, (scores[i] for i in order), (lesions[i] for i in order)), threshold=THRESHOLD
    )
    assert streamed == pytest.approx(metrics, abs=1e-15)
    np.testing.assert_equal(turned, [rows[i] for i in order])


def test_lesion_outside_the_eroded_mask_counts_as_missed(dataset):
    scores, lesions = dataset[0][:1].copy(), dataset[1][:1]
    full, _ = metrics_of_counts(map(count_scores, scores, lesions), threshold=THRESHOLD)
    scores[:, :4] = 0
    half, (row,) = metrics_of_counts(map(count_scores, scores, lesions), threshold=THRESHOLD)
    assert row["lesion_voxels"] == lesions.sum() and half["prevalence"] == full["prevalence"]
    assert half["average_precision"] < full["average_precision"]
    missed_all, _ = metrics_of_counts(map(count_scores, 0 * scores, lesions), threshold=THRESHOLD)
    assert missed_all["dice_dataset"] == 0
    assert missed_all["average_precision"] == pytest.approx(full["prevalence"])


def test_metrics_are_plain_numbers(dataset):
    metrics, rows = metrics_of_counts(map(count_scores, *dataset), threshold=np.float32(THRESHOLD))
    for row in (metrics, *rows):
        assert {type(value) for value in row.values()} <= {int, float}


@pytest.mark.filterwarnings("error")
def test_a_dataset_without_any_lesion_has_no_metric_but_its_counts(dataset):
    scores, lesions = dataset
    metrics, _ = metrics_of_counts(map(count_scores, scores, np.zeros_like(lesions)), threshold=THRESHOLD)
    assert metrics["subjects"] == metrics["subjects_without_lesion"] == 6 and metrics["prevalence"] == 0
    rest = set(metrics) - {"subjects", "subjects_without_lesion", "prevalence"}
    assert np.isnan([metrics[name] for name in rest]).all()


def test_no_subject_is_an_error():
    with pytest.raises(ValueError, match="no subject"):
        metrics_of_counts([], threshold=THRESHOLD)


def test_anomaly_mask_compares_with_the_unrounded_threshold():
    scores = np.array([0.0999756, 0.10003662], np.float16)  # the float16 below and above 0.1
    assert anomaly_mask(scores, 0.1).tolist() == [False, True]
    assert (scores >= 0.1).tolist() == [True, True]  # what numpy does to a Python float
    assert anomaly_mask(scores, float(scores[0])).tolist() == [True, True]


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
    return np.concatenate(scores), np.concatenate(abnormal)


def test_slice_average_precision_is_sklearn_on_all_slices_of_all_cohorts(cohorts):
    scores, abnormal = cohorts
    expected = average_precision_score(abnormal.ravel(), scores.ravel())
    assert slice_average_precision(scores, abnormal) == pytest.approx(expected, abs=1e-9)


def test_slice_average_precision_ignores_order_and_monotone_rescaling(cohorts):
    scores, abnormal = cohorts
    expected = slice_average_precision(scores, abnormal)
    assert slice_average_precision(scores[::-1], abnormal[::-1]) == expected
    assert slice_average_precision(4 * scores, abnormal) == expected


def test_slice_average_precision_without_abnormal_slice_is_nan(cohorts):
    scores, abnormal = cohorts
    assert np.isnan(slice_average_precision(scores, abnormal & False))


def test_slice_average_precision_refuses_what_does_not_fit(cohorts):
    scores, abnormal = cohorts
    with pytest.raises(ValueError, match="differ in shape"):
        slice_average_precision(scores, abnormal[1:])
    with pytest.raises(ValueError, match="1 slice scores are not finite"):
        slice_average_precision(np.array([1, np.nan], np.float32), np.array([True, False]))


def test_thirds_are_those_of_pandas():
    voxels = np.random.default_rng(1).gamma(1, 300, size=50).astype(int) + 1
    groups = size_groups(voxels, percentiles=(30, 70))
    expected = pd.qcut(voxels, [0, 0.3, 0.7, 1], labels=["small", "middle", "large"])
    for size, is_in in groups.items():
        np.testing.assert_array_equal(is_in, expected == size)


def test_each_lesion_is_in_one_group_and_a_vanished_one_in_none():
    voxels = np.array([0, 5, 5, 5, 9, 0, 100])
    groups = size_groups(voxels, percentiles=(33.3, 66.7))
    np.testing.assert_array_equal(sum(is_in.astype(int) for is_in in groups.values()), voxels > 0)
    assert voxels[groups["small"]].max() < voxels[groups["large"]].min()


def test_a_unit_of_size_changes_no_group():
    voxels = np.random.default_rng(2).integers(1, 1000, size=30)
    first, second = (size_groups(k * voxels, percentiles=(33.3, 66.7)) for k in (1, 7))
    for size in first:
        np.testing.assert_array_equal(first[size], second[size])


def test_no_lesion_at_all_is_no_group():
    groups = size_groups(np.zeros(4, dtype=int), percentiles=(33.3, 66.7))
    assert not any(is_in.any() for is_in in groups.values())
