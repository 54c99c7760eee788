import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, f1_score, precision_recall_curve

from spatial_erasing.evaluate.metrics import dataset_metrics
from spatial_erasing.evaluate.overlap import anomaly_mask, dice

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
    metrics, _ = dataset_metrics(scores, lesions, threshold=THRESHOLD)
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
    _, rows = dataset_metrics(scores, lesions, threshold=THRESHOLD)
    for row, score, lesion in zip(rows, scores, lesions, strict=True):
        predicted = score.astype(np.float64) >= THRESHOLD
        assert row["lesion_voxels"] == lesion.sum() and row["predicted_voxels"] == predicted.sum()
        if lesion.any():
            assert row["dice"] == pytest.approx(f1_score(lesion.ravel(), predicted.ravel()), abs=1e-12)
            assert row["dice"] == dice(anomaly_mask(score, THRESHOLD), lesion)
            expected = average_precision_score(lesion.ravel(), score.ravel().astype(np.float64))
            assert row["average_precision"] == pytest.approx(expected, abs=1e-9)


def test_vanished_lesions_leave_the_mean_over_subjects_but_not_the_pool(dataset):
    scores, lesions = dataset
    metrics, rows = dataset_metrics(scores, lesions, threshold=THRESHOLD)
    with_lesion = [0, 2, 3, 5]
    found = [f1_score(lesions[i].ravel(), scores[i].ravel().astype("f8") >= THRESHOLD) for i in with_lesion]
    assert metrics["subjects"] == 6 and metrics["subjects_without_lesion"] == 2
    assert metrics["dice_subject_mean"] == pytest.approx(np.mean(found), abs=1e-12)
    assert metrics["dice_subject_std"] == pytest.approx(np.sqrt(np.mean((found - np.mean(found)) ** 2)))
    assert np.isnan([rows[1]["dice"], rows[4]["average_precision"]]).all()

    without, _ = dataset_metrics(scores[with_lesion], lesions[with_lesion], threshold=THRESHOLD)
    assert without["dice_subject_mean"] == metrics["dice_subject_mean"]
    assert without["dice_dataset"] > metrics["dice_dataset"]
    assert without["prevalence"] > metrics["prevalence"]


def test_order_of_subjects_and_streaming_change_nothing(dataset):
    scores, lesions = dataset
    metrics, rows = dataset_metrics(scores, lesions, threshold=THRESHOLD)
    order = [3, 5, 0, 1, 4, 2]
    streamed, turned = dataset_metrics(
        (scores[i] for i in order), (lesions[i] for i in order), threshold=THRESHOLD
    )
    assert streamed == pytest.approx(metrics, abs=1e-15)
    np.testing.assert_equal(turned, [rows[i] for i in order])


def test_lesion_outside_the_eroded_mask_counts_as_missed(dataset):
    scores, lesions = dataset[0][:1].copy(), dataset[1][:1]
    full, _ = dataset_metrics(scores, lesions, threshold=THRESHOLD)
    scores[:, :4] = 0
    half, (row,) = dataset_metrics(scores, lesions, threshold=THRESHOLD)
    assert row["lesion_voxels"] == lesions.sum() and half["prevalence"] == full["prevalence"]
    assert half["average_precision"] < full["average_precision"]
    missed_all, _ = dataset_metrics(0 * scores, lesions, threshold=THRESHOLD)
    assert missed_all["dice_dataset"] == 0
    assert missed_all["average_precision"] == pytest.approx(full["prevalence"])


def test_metrics_are_plain_numbers(dataset):
    metrics, rows = dataset_metrics(*dataset, threshold=np.float32(THRESHOLD))
    for row in (metrics, *rows):
        assert {type(value) for value in row.values()} <= {int, float}


@pytest.mark.filterwarnings("error")
def test_a_dataset_without_any_lesion_has_no_metric_but_its_counts(dataset):
    scores, lesions = dataset
    metrics, _ = dataset_metrics(scores, np.zeros_like(lesions), threshold=THRESHOLD)
    assert metrics["subjects"] == metrics["subjects_without_lesion"] == 6 and metrics["prevalence"] == 0
    rest = set(metrics) - {"subjects", "subjects_without_lesion", "prevalence"}
    assert np.isnan([metrics[name] for name in rest]).all()


def test_no_subject_and_uneven_input_are_errors(dataset):
    scores, lesions = dataset
    with pytest.raises(ValueError, match="no subject"):
        dataset_metrics([], [], threshold=THRESHOLD)
    with pytest.raises(ValueError, match="shorter"):
        dataset_metrics(scores, lesions[:3], threshold=THRESHOLD)
