import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from spatial_erasing.evaluate.bootstrap import IntervalRule, draw_weights
from spatial_erasing.evaluate.counts import SubjectCounts, count_scores, save_counts
from spatial_erasing.evaluate.metrics import metrics_of_counts
from spatial_erasing.evaluate.resamples import (
    Quantity,
    Resampling,
    interval_rows,
    load_resamples,
    resample_dataset,
    resample_slices,
    resample_study,
    save_resamples,
)

THRESHOLD = 0.3
SIZES = (33.3, 66.7)
NAMES = [f"s{k}" for k in range(7)]


def draw_voxels(seed):
    rng = np.random.default_rng(seed)
    lesions = rng.random((7, 5, 6, 4)) < rng.uniform(0.05, 0.4, (7, 1, 1, 1))
    lesions[1] = False
    scores = np.abs(0.2 * lesions + rng.normal(scale=0.25, size=lesions.shape)).round(2)
    return scores.astype(np.float16), lesions


def counts_of(scores, lesions):
    return SubjectCounts.collect(NAMES, map(count_scores, scores, lesions))


def test_every_resample_has_the_metrics_of_its_repeated_volumes():
    scores, lesions = draw_voxels(0)
    weights = draw_weights(7, samples=60, seed=1)
    found = resample_dataset(counts_of(scores, lesions), weights, threshold=THRESHOLD, size_percentiles=SIZES)
    for row, times in enumerate(weights):
        drawn = np.repeat(np.arange(7), times.astype(int))
        expected, _ = metrics_of_counts(map(count_scores, scores[drawn], lesions[drawn]), threshold=THRESHOLD)
        for metric in ("dice_dataset", "dice_subject_mean", "average_precision"):
            assert found[metric][0][row] == pytest.approx(expected[metric], abs=1e-9), metric


def test_sizes_are_those_of_the_test_set_and_their_means_those_of_their_subjects():
    scores, lesions = draw_voxels(2)
    weights = draw_weights(7, samples=30, seed=1)
    found = resample_dataset(counts_of(scores, lesions), weights, threshold=THRESHOLD, size_percentiles=SIZES)
    _, rows = metrics_of_counts(map(count_scores, scores, lesions), threshold=THRESHOLD)
    by_size = sorted(
        (row["lesion_voxels"], row["dice"], k) for k, row in enumerate(rows) if row["lesion_voxels"]
    )
    for size, members in zip(
        ("small", "middle", "large"), (by_size[:2], by_size[2:4], by_size[4:]), strict=True
    ):
        samples, subjects = found[f"dice_subject_mean_{size}"]
        assert subjects == 2 and samples[0] == pytest.approx(np.mean([dice for _, dice, _ in members]))
    assert found["dice_subject_mean"][1] == 6 and found["dice_dataset"][1] == 7


def test_slices_are_resampled_within_each_cohort_and_ranked_together():
    rng = np.random.default_rng(3)
    scores = [rng.random((4, 9)).round(1).astype(np.float32), rng.random((6, 9)).round(1).astype(np.float32)]
    abnormal = [rng.random(part.shape) < 0.3 for part in scores]
    weights = [draw_weights(len(part), samples=50, seed=len(part)) for part in scores]
    found = resample_slices(scores, abnormal, weights)
    for row, value in enumerate(found):
        drawn = [np.repeat(np.arange(len(w[row])), w[row].astype(int)) for w in weights]
        labels, ranks = (
            np.concatenate([part[chosen].ravel() for part, chosen in zip(parts, drawn, strict=True)])
            for parts in (abnormal, scores)
        )
        assert value == pytest.approx(average_precision_score(labels, ranks), abs=1e-9)


def test_weights_belong_to_names_and_differ_between_cohorts():
    resampling = Resampling(samples=40, seed=1, size_percentiles=SIZES)
    weights = resampling.weights_of("brats", NAMES)
    order = [4, 2, 6, 0, 1, 5, 3]
    turned = resampling.weights_of("brats", [NAMES[k] for k in order])
    np.testing.assert_array_equal(turned, weights[:, order])
    assert (resampling.weights_of("atlas", NAMES) != weights).any()


@pytest.fixture
def folders(tmp_path):
    """Two models, two cohorts, two seeds; the second model is the first with a better score."""
    paths = []
    for seed, cohort in ((1, "brats"), (2, "brats"), (1, "atlas"), (2, "atlas")):
        scores, lesions = draw_voxels(seed + 10 * len(cohort) + ord(cohort[0]))
        for model, gain in (("2d-none", 0.0), ("3d-none", 0.1)):
            folder = tmp_path / model / "fraction-100" / f"seed-{seed}" / f"{cohort}-t1"
            folder.mkdir(parents=True)
            maps = (scores + gain * lesions).astype(np.float16)
            save_counts(folder / "counts.npz", counts_of(maps, lesions), threshold=THRESHOLD)
            slices = maps.sum(axis=(1, 2), dtype=np.float64).astype(np.float32)
            np.savez(folder / "slices.npz", score=slices, abnormal=lesions.any(axis=(1, 2)))
            paths.append(folder)
    return paths


@pytest.fixture
def resampled(folders):
    return resample_study(folders, sequence="t1", resampling=Resampling(80, 1, SIZES), workers=2)


def test_seeds_are_averaged_in_each_resample(folders, resampled):
    one_seed = [
        resample_study(
            [folder for folder in folders if folder.parent.name == seed],
            sequence="t1",
            resampling=Resampling(80, 1, SIZES),
            workers=1,
        )
        for seed in ("seed-1", "seed-2")
    ]
    assert one_seed[0].keys() == one_seed[1].keys() == resampled.keys()
    for quantity, result in resampled.items():
        parts = [found[quantity] for found in one_seed]
        np.testing.assert_allclose(result.samples, np.mean([part.samples for part in parts], axis=0))
        np.testing.assert_equal(result.by_seed, [part.samples[0] for part in parts])


def test_models_share_their_resamples_so_that_differences_are_paired(resampled):
    first, second = (
        resampled[Quantity(model, 100, "brats", "t1", "dice_subject_mean")].samples
        for model in ("2d-none", "3d-none")
    )
    assert (second - first).std() < 0.6 * np.hypot(first.std(), second.std())


def test_the_slices_of_all_cohorts_are_one_number_of_all_subjects(resampled):
    union = resampled[Quantity("3d-none", 100, "all", "t1", "slice_average_precision")]
    assert union.sizes == (14,) and len(union.samples) == 81


def test_over_all_test_sets_a_metric_is_the_mean_of_the_cohorts(resampled):
    for metric in ("dice_dataset", "dice_subject_mean", "average_precision"):
        both = [resampled[Quantity("3d-none", 100, cohort, "t1", metric)] for cohort in ("brats", "atlas")]
        mean = resampled[Quantity("3d-none", 100, "all", "t1", metric)]
        np.testing.assert_allclose(mean.samples, (both[0].samples + both[1].samples) / 2)
        np.testing.assert_allclose(mean.by_seed, np.add(both[0].by_seed, both[1].by_seed) / 2)
        assert mean.sizes == both[0].sizes + both[1].sizes and len(mean.sizes) == 2


def test_numbers_over_all_test_sets_are_of_one_sequence(folders, resampled):
    others = [folder.rename(folder.with_name(folder.name.replace("-t1", "-t1ce"))) for folder in folders]
    found = resample_study(others, sequence="t1ce", resampling=Resampling(80, 1, SIZES), workers=1)
    assert [quantity._replace(sequence="t1") for quantity in found] == list(resampled)
    none = resample_study(others, sequence="t1", resampling=Resampling(80, 1, SIZES), workers=1)
    assert {quantity.cohort for quantity in none} == {"brats", "atlas"}


def test_processes_and_the_order_of_folders_change_nothing(folders, resampled):
    again = resample_study(folders[::-1], sequence="t1", resampling=Resampling(80, 1, SIZES), workers=1)
    assert list(again) == list(resampled)
    for quantity, result in resampled.items():
        np.testing.assert_array_equal(again[quantity].samples, result.samples)


def test_a_file_gives_back_every_resample(tmp_path, resampled):
    save_resamples(tmp_path / "resamples.npz", resampled)
    found = load_resamples(tmp_path / "resamples.npz")
    assert list(found) == list(resampled)
    for quantity, result in resampled.items():
        np.testing.assert_array_equal(found[quantity].samples, result.samples)
        np.testing.assert_equal(found[quantity].by_seed, result.by_seed)
        assert found[quantity].sizes == result.sizes


def test_rows_hold_the_number_its_interval_and_the_range_of_seeds(resampled):
    rows = interval_rows(resampled, IntervalRule(confidence_percent=95, minimum_subjects=5))
    assert len(rows) == len(resampled)
    for row in rows:
        result = resampled[Quantity(*list(row.values())[:5])]
        assert row["lowest_seed"] <= row["value"] <= row["highest_seed"] and row["seeds"] == 2
        if row["subjects"] < 5:
            assert np.isnan([row["lower"], row["upper"]]).all()
        elif len(result.sizes) == 1:
            inside = (result.samples[1:] >= row["lower"]) & (result.samples[1:] <= row["upper"])
            assert inside.mean() == pytest.approx(0.95, abs=0.02)
        else:
            assert (row["lower"] + row["upper"]) / 2 == pytest.approx(row["value"])
