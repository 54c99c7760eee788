"""Table 1 once more, from raw arrays, by scipy, scikit-learn and plain numpy: no line of the library."""

import csv

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score, f1_score

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def score_maps(volumes, reconstructions, *, sequence):
    """Absolute residual inside the brain eroded once in each axial slice, median of 3³, in half precision."""
    maps = []
    for name, reconstruction in zip(
        reconstructions["subject"], reconstructions["reconstruction"], strict=True
    ):
        index = volumes["subject"].tolist().index(name)
        brain = volumes["brain"][index]
        eroded = np.stack(
            [ndimage.binary_erosion(brain[..., z], structure=CROSS) for z in range(brain.shape[2])], axis=-1
        )
        scan = volumes[sequence][index].astype(np.float32)
        residual = np.abs(scan - reconstruction.astype(np.float32)) * eroded
        maps.append(ndimage.median_filter(residual, size=3).astype(np.float16).astype(np.float64))
    lesions = np.stack(
        [volumes["lesion"][volumes["subject"].tolist().index(n)] for n in reconstructions["subject"]]
    )
    return np.stack(maps), lesions


def greedy(maps, lesions):
    """Ten halvings of [0, 1]: the half around the quartile with the better Dice, the lower one on a tie."""
    low, high, tried = 0.0, 1.0, []
    for _ in range(10):
        points = low + (high - low) / 4, high - (high - low) / 4
        dice = [f1_score(lesions.ravel(), (maps >= point).ravel(), zero_division=0.0) for point in points]
        tried += list(zip(dice, points, strict=True))
        middle = (low + high) / 2
        low, high = (middle, high) if dice[1] > dice[0] else (low, middle)
    best = max(dice for dice, _ in tried)
    return next(point for dice, point in tried if dice == best), best


@pytest.mark.parametrize("model", ["2d-patch-noise", "3d-cube-noise"])
@pytest.mark.parametrize("cohort, sequence", [("brats", "t1"), ("atlas", "t1"), ("brats", "t1ce")])
def test_the_numbers_of_a_model_follow_from_its_reconstructions(study, model, cohort, sequence):
    volumes = np.load(study.results / f"preprocess/{cohort}/volumes.npz")
    folder = study.results / f"score/{model}/fraction-100/seed-1/{cohort}-{sequence}"
    splits = {row["subject"]: row["split"] for row in rows_of(study.results / f"split/{cohort}.csv")}
    for split in ("validation", "test"):
        named = np.load(folder / f"{split}.npz")["subject"].tolist()
        assert sorted(named) == sorted(name for name, of_split in splits.items() if of_split == split)

    threshold, dice_validation = greedy(
        *score_maps(volumes, np.load(folder / "validation.npz"), sequence=sequence)
    )
    maps, lesions = score_maps(volumes, np.load(folder / "test.npz"), sequence=sequence)
    predicted = maps >= threshold
    of_subjects = [
        f1_score(lesion.ravel(), mask.ravel(), zero_division=0.0)
        for lesion, mask in zip(lesions, predicted, strict=True)
    ]
    expected = {
        "threshold": threshold,
        "dice_validation": dice_validation,
        "dice_dataset": f1_score(lesions.ravel(), predicted.ravel(), zero_division=0.0),
        "dice_subject_mean": np.mean(of_subjects),
        "dice_subject_std": np.std(of_subjects),
        "average_precision": average_precision_score(lesions.ravel(), maps.ravel()),
        "prevalence": lesions.mean(),
    }

    found = {
        row["metric"]: float(row["value"])
        for row in rows_of(study.results / "evaluate/metrics.csv")
        if (row["model"], row["cohort"], row["sequence"]) == (model, cohort, sequence)
    }
    for metric, value in expected.items():
        assert found[metric] == pytest.approx(value, abs=1e-9), metric
    assert found["subjects_without_lesion"] == 0 and found["subjects"] == len(lesions)


@pytest.mark.parametrize("model", ["2d-patch-noise", "3d-cube-noise"])
@pytest.mark.parametrize("cohort", ["brats", "atlas"])
def test_table_1_prints_the_metrics_in_percent(study, model, cohort):
    metrics = {
        row["metric"]: float(row["value"])
        for row in rows_of(study.results / "evaluate/metrics.csv")
        if (row["model"], row["cohort"], row["sequence"]) == (model, cohort, "t1")
    }
    (row,) = (
        row
        for row in rows_of(study.results / "report/tables/table_1.csv")
        if (row["model"], row["cohort"]) == (model, cohort)
    )
    for column, metric in {
        "dice_dataset_percent": "dice_dataset",
        "dice_subject_mean_percent": "dice_subject_mean",
        "dice_subject_std_percent": "dice_subject_std",
        "auprc_percent": "average_precision",
    }.items():
        assert float(row[column]) == pytest.approx(100 * metrics[metric], rel=1e-6)


def test_slices_are_scored_by_their_sum_and_called_abnormal_by_the_lesion_before_downsampling(study):
    folder = study.results / "evaluate/3d-cube-noise/fraction-100/seed-1/atlas-t1"
    volumes = np.load(study.results / "preprocess/atlas/volumes.npz")
    scored = np.load(study.results / "score/3d-cube-noise/fraction-100/seed-1/atlas-t1/test.npz")
    maps, lesions = score_maps(volumes, scored, sequence="t1")
    slices = np.load(folder / "slices.npz")
    np.testing.assert_allclose(slices["score"], maps.sum(axis=(1, 2)), rtol=1e-4)
    assert (slices["abnormal"] >= lesions.any(axis=(1, 2))).all()
    ap = average_precision_score(slices["abnormal"].ravel(), slices["score"].ravel())
    (row,) = (row for row in rows_of(folder / "metrics.csv") if row["metric"] == "slice_average_precision")
    assert float(row["value"]) == pytest.approx(ap, abs=1e-9)
