from functools import partial

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from spatial_erasing.evaluate.counts import SubjectCounts, count_scores
from spatial_erasing.evaluate.curves import dice_at
from spatial_erasing.evaluate.diagnostics import (
    EXHAUSTIVE,
    GREEDY,
    UPPER_BOUND,
    diagnose_thresholds,
    diagnose_variant,
    precision_recall_points,
    variants_of,
)
from spatial_erasing.threshold.search import greedy_threshold

PROTOCOL = {"erosion_iterations": 2, "median_size_voxels": 5}
SEARCH = {"iterations": 10, "lower": 0.0, "upper": 1.0}


def split(seed, *, subjects=4, shape=(6, 6, 6), vanished=False):
    """Scores, lesions and their counts; with ties."""
    generator = np.random.default_rng(seed)
    lesions = generator.random((subjects, *shape)) < 0.1
    lesions[0] &= not vanished
    scores = (0.3 * lesions + 0.5 * generator.random((subjects, *shape))).round(2).astype(np.float16)
    names = [f"subject-{place}" for place in range(subjects)]
    return scores, lesions, SubjectCounts.collect(names, map(count_scores, scores, lesions))


def values_of(rows, source):
    return {row["metric"]: row["value"] for row in rows if row["threshold_from"] == source}


def test_variants_differ_from_the_protocol_in_one_value_and_none_comes_twice():
    variants = variants_of(PROTOCOL, median_sizes_voxels=[3, 5], erosion_iterations=[0, 1, 2, 3])
    assert variants[0] == PROTOCOL
    assert len(variants) == 1 + 3 + 1
    for variant in variants[1:]:
        assert sum(variant[name] != PROTOCOL[name] for name in PROTOCOL) == 1


@pytest.mark.parametrize("vanished", [False, True])
def test_a_variant_has_its_own_validation_threshold_and_scikit_learn_s_numbers(vanished):
    _, _, validation = split(1)
    scores, lesions, test = split(2, vanished=vanished)
    rows = diagnose_variant(validation, test, variant=PROTOCOL, search=SEARCH)

    found = values_of(rows, GREEDY)
    expected = greedy_threshold(partial(dice_at, validation.pooled()), **SEARCH)
    assert (found["threshold"], found["dice_validation"]) == (expected.threshold, expected.dice)
    predicted = scores >= np.float64(found["threshold"])
    assert found["dice_dataset"] == pytest.approx(f1_score(lesions.ravel(), predicted.ravel()))
    each = [f1_score(lesion.ravel(), mask.ravel()) for lesion, mask in zip(lesions, predicted, strict=True)]
    assert found["dice_subject_mean"] == pytest.approx(np.mean(each[1:] if vanished else each))
    assert found["average_precision"] == pytest.approx(
        average_precision_score(lesions.ravel(), scores.ravel())
    )
    assert all({name: row[name] for name in PROTOCOL} == PROTOCOL for row in rows)


def test_no_threshold_beats_the_exhaustive_one_on_validation_nor_the_upper_bound_on_test():
    _, _, validation = split(3)
    _, _, test = split(4)
    greedy = values_of(diagnose_variant(validation, test, variant=PROTOCOL, search=SEARCH), GREEDY)
    rows = diagnose_thresholds(validation, test, variant=PROTOCOL, others={"own-t1": 0.41, "own-t1ce": 0.2})

    best, bound = values_of(rows, EXHAUSTIVE), values_of(rows, UPPER_BOUND)
    assert set(bound) == {"threshold", "dice_dataset"}
    assert best["dice_validation"] >= greedy["dice_validation"]
    for source in (EXHAUSTIVE, "own-t1", "own-t1ce"):
        assert values_of(rows, source)["dice_dataset"] <= bound["dice_dataset"]
    assert values_of(rows, "own-t1")["threshold"] == 0.41
    tried = [f1_score(split(4)[1].ravel(), (split(4)[0] >= t).ravel()) for t in np.unique(split(4)[0])]
    assert bound["dice_dataset"] == pytest.approx(max(tried))


def test_labels_of_test_subjects_reach_the_upper_bound_alone():
    _, _, validation = split(5)
    scores, lesions, test = split(6)
    relabelled = SubjectCounts.collect(test.subjects, map(count_scores, scores, np.roll(lesions, 3, axis=1)))

    def thresholds(counts):
        rows = diagnose_variant(validation, counts, variant=PROTOCOL, search=SEARCH)
        rows += diagnose_thresholds(validation, counts, variant=PROTOCOL, others={"own-t1": 0.4})
        return {row["threshold_from"]: row["value"] for row in rows if row["metric"] == "threshold"}

    before, after = thresholds(test), thresholds(relabelled)
    assert {source for source in before if before[source] != after[source]} == {UPPER_BOUND}


def test_points_of_precision_and_recall_lie_on_scikit_learn_s_curve():
    scores, lesions, test = split(7, subjects=9, shape=(9, 9, 9))
    precision, recall, _ = precision_recall_curve(lesions.ravel(), scores.ravel())
    points = set(zip(recall.round(12).tolist(), precision.round(12).tolist(), strict=True))
    for number in (8, 10_000):
        thin_recall, thin_precision = precision_recall_points(test, points=number)
        assert len(thin_recall) <= number and (np.diff(thin_recall) >= 0).all()
        kept = zip(thin_recall.round(12).tolist(), thin_precision.round(12).tolist(), strict=True)
        assert set(kept) <= points
        assert (thin_recall[0], thin_recall[-1]) == (0.0, 1.0)
