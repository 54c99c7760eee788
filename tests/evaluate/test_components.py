import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter
from skimage.measure import label
from skimage.morphology import local_maxima

from spatial_erasing.evaluate.components import (
    FALSE_POSITIVE,
    LESION,
    components_of,
    components_of_split,
    marks_of,
    sensitivities,
    timed_marks,
)

RULE = {"connectivity": 26, "minimum_overlap_percent": 0}
SKIMAGE = {6: 1, 18: 2, 26: 3}


def masks(seed, *, share=0.12, shape=(7, 8, 6)):
    generator = np.random.default_rng(seed)
    return generator.random(shape) < share, generator.random(shape) < share


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("seed", range(4))
def test_lesions_and_false_positives_are_the_components_of_scikit_image(connectivity, seed):
    lesion, predicted = masks(seed)
    rows = components_of(lesion, predicted, connectivity=connectivity, minimum_overlap_percent=0)

    def parts(mask, other):
        labels = label(mask, connectivity=SKIMAGE[connectivity])
        return [(labels == place, other[labels == place]) for place in range(1, labels.max() + 1)]

    lesions = [row for row in rows if row["kind"] == LESION]
    assert sorted((row["voxels"], row["overlap_voxels"], row["is_detected"]) for row in lesions) == sorted(
        (part.sum(), inside.sum(), int(inside.any())) for part, inside in parts(lesion, predicted)
    )
    false = [row["voxels"] for row in rows if row["kind"] == FALSE_POSITIVE]
    assert sorted(false) == sorted(
        part.sum() for part, inside in parts(predicted, lesion) if not inside.any()
    )


@given(seed=st.integers(0, 10_000), share=st.floats(0, 100))
@settings(max_examples=50, deadline=None)
def test_a_stricter_rule_detects_no_more_and_every_lesion_voxel_is_in_one_lesion(seed, share):
    lesion, predicted = masks(seed)
    loose, strict = (
        components_of(lesion, predicted, connectivity=26, minimum_overlap_percent=percent)
        for percent in (0, share)
    )
    assert [row["voxels"] for row in loose] == [row["voxels"] for row in strict]
    assert all(row["is_detected"] <= other["is_detected"] for row, other in zip(strict, loose, strict=True))
    assert sum(row["voxels"] for row in loose if row["kind"] == LESION) == lesion.sum()


def test_the_share_that_detects_a_lesion_is_reached_exactly():
    lesion, predicted = np.zeros((2, 4, 4, 4), bool)
    lesion[1, 1, :], predicted[1, 1, :1] = True, True  # a quarter of it
    for percent, detected in ((25, 1), (25.1, 0), (0, 1)):
        (row,) = components_of(lesion, predicted, connectivity=6, minimum_overlap_percent=percent)
        assert row == {"kind": LESION, "voxels": 4, "overlap_voxels": 1, "is_detected": detected}


def test_empty_masks_give_nothing_and_a_mask_without_lesion_only_false_positives():
    empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    assert components_of(empty, empty, **RULE) == []
    assert [row["kind"] for row in components_of(empty, full, **RULE)] == [FALSE_POSITIVE]
    (missed,) = components_of(full, empty, **RULE)
    assert missed["is_detected"] == 0
    with pytest.raises(ValueError, match="one grid"):
        components_of(empty, np.zeros((3, 3, 4), bool), **RULE)


def test_a_score_at_the_threshold_is_marked():
    lesion = np.zeros((3, 3, 3), bool)
    lesion[1, 1, 1] = True
    score = np.where(lesion, 0.25, 0.125).astype(np.float16)
    for threshold, detected in ((0.25, 1), (0.2501, 0)):
        (row,) = components_of_split([score], [lesion], ["a"], threshold=threshold, rule=RULE)
        assert (row["subject"], row["is_detected"]) == ("a", detected)


def maps_with_lesions(seed, *, values=30, shape=(9, 8, 7)):
    """Smooth score maps with ties, and lesions."""
    generator = np.random.default_rng(seed)
    scores = np.round(values * generator.random((3, *shape))).astype(np.float16) / values
    return scores, generator.random(scores.shape) < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_marks_are_the_local_maxima_of_scikit_image(seed):
    score, lesion = (array[0] for array in maps_with_lesions(seed, values=10_000))
    expected = local_maxima(score.astype("f4"), connectivity=3)
    marks = marks_of(score, lesion, connectivity=26)
    np.testing.assert_array_equal(np.sort(marks.scores), np.sort(score[expected]))
    assert (marks.lesions > 0).sum() == lesion[expected].sum()
    assert marks.lesion_count == label(lesion, connectivity=3).max()


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("seed", range(3))
def test_a_plateau_is_one_mark_as_in_scikit_image_and_none_beside_a_higher_voxel(seed, connectivity):
    score, lesion = (array[0] for array in maps_with_lesions(seed, values=9, shape=(16, 15, 14)))
    score = median_filter(score.astype("f4"), size=5)
    peaks = label(local_maxima(score, connectivity=SKIMAGE[connectivity]), connectivity=SKIMAGE[connectivity])
    expected = [score[peaks == place][0] for place in range(1, peaks.max() + 1)]
    marks = marks_of(score, lesion, connectivity=connectivity)
    np.testing.assert_array_equal(np.sort(marks.scores), np.sort([value for value in expected if value > 0]))
    line = np.zeros((7, 3, 3))
    line[1:6, 1, 1] = [0.5, 0.5, 0.6, 0.5, 0.5]
    assert marks_of(line, line > 0.5, connectivity=connectivity).lesions.tolist() == [1]


def froc_by_thresholds(scores, lesions):
    """The definition, threshold by threshold."""
    marks = [marks_of(*pair, connectivity=26) for pair in zip(scores, lesions, strict=True)]
    points = []
    for threshold in np.append(np.unique(scores), 2):
        false = sum((part.scores[part.lesions == 0] >= threshold).sum() for part in marks)
        hit = sum(len(set(part.lesions[(part.scores >= threshold)]) - {0}) for part in marks)
        points.append((false / len(marks), hit / sum(part.lesion_count for part in marks)))
    return {f"sensitivity_at_{k}": max(y for x, y in points if x <= k) for k in (1, 2, 4, 8)}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("values", [6, 10_000])
def test_sensitivities_are_the_best_of_all_thresholds_that_allow_so_many_false_positives(seed, values):
    scores, lesions = maps_with_lesions(seed, values=values)
    marks = [marks_of(*pair, connectivity=26) for pair in zip(scores, lesions, strict=True)]
    found = sensitivities(marks)
    assert found == pytest.approx(froc_by_thresholds(scores, lesions))
    assert list(found.values()) == sorted(found.values())


def test_a_map_of_the_truth_finds_every_lesion_and_an_empty_one_none():
    lesions = maps_with_lesions(3)[1]
    for scores, sensitivity in ((lesions, 1.0), (np.zeros_like(lesions), 0.0)):
        marks = [
            marks_of(score.astype(np.float16), lesion, connectivity=26)
            for score, lesion in zip(scores, lesions, strict=True)
        ]
        assert set(sensitivities(marks).values()) == {sensitivity}
    nothing = marks_of(np.zeros((3, 3, 3), np.float16), np.zeros((3, 3, 3), bool), connectivity=6)
    assert np.isnan(list(sensitivities([nothing]).values())).all()
    with pytest.raises(ValueError, match="must lie on one grid"):
        marks_of(np.zeros((3, 3, 3)), np.zeros((3, 3, 4), bool), connectivity=6)


def test_only_the_time_of_the_maps_is_counted():
    lesions = np.zeros((2, 4, 4, 4), bool)
    lesions[:, 1, 1, 1] = True

    def slow():
        for place in (0, 1):
            time.sleep(0.05)
            yield lesions[place].astype(np.float16)

    marks, seconds = timed_marks(slow(), lesions, connectivity=26)
    assert [of_subject.lesions.tolist() for of_subject in marks] == [[1], [1]] and 0.05 <= seconds < 1
    assert timed_marks(iter(()), lesions[:0], connectivity=26) == ([], 0.0)
