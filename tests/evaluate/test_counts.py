import numpy as np
import pytest

from spatial_erasing.evaluate.counts import PATTERNS, SCORE_VALUES, ScoreCounts, count_dataset, count_scores


@pytest.fixture
def subjects():
    rng = np.random.default_rng(2)
    lesions = rng.random((5, 6, 7, 8)) < 0.1
    lesions[3] = False
    return np.abs(rng.normal(size=lesions.shape)).round(1).astype(np.float16), lesions


def test_values_are_all_finite_non_negative_float16_in_order():
    every_pattern = np.arange(2**16, dtype=np.uint16).view(np.float16)
    wanted = every_pattern[np.isfinite(every_pattern) & ~np.signbit(every_pattern)]
    assert len(SCORE_VALUES) == PATTERNS == 31744
    np.testing.assert_array_equal(SCORE_VALUES, np.sort(wanted).astype(np.float64))


def test_counts_are_those_of_numpy_unique(subjects):
    scores, lesions = subjects
    counts = count_scores(scores, lesions)
    for counted, selected in ((counts.lesion, scores[lesions]), (counts.normal, scores[~lesions])):
        values, expected = np.unique(selected, return_counts=True)
        assert counted.dtype == np.int64 and counted.sum() == selected.size
        np.testing.assert_array_equal(SCORE_VALUES[counted > 0], values)
        np.testing.assert_array_equal(counted[counted > 0], expected)


def test_counts_of_subjects_add_up_in_any_order(subjects):
    scores, lesions = subjects
    whole = count_scores(scores, lesions)
    for order in (range(5), [4, 2, 0, 1, 3]):
        pooled = count_dataset((scores[i] for i in order), (lesions[i] for i in order))
        np.testing.assert_array_equal(pooled.lesion, whole.lesion)
        np.testing.assert_array_equal(pooled.normal, whole.normal)


def test_counts_ignore_the_order_of_voxels_and_memory(subjects):
    scores, lesions = subjects
    order = np.random.default_rng(0).permutation(scores.size)
    whole = count_scores(scores, lesions)
    for other in (
        count_scores(scores.ravel()[order], lesions.ravel()[order]),
        count_scores(np.asfortranarray(scores), lesions),
        count_scores(scores[::-1], lesions[::-1]),
    ):
        np.testing.assert_array_equal(other.lesion, whole.lesion)
        np.testing.assert_array_equal(other.normal, whole.normal)


def test_prevalence_is_the_share_of_lesion_voxels(subjects):
    scores, lesions = subjects
    assert count_scores(scores, lesions).prevalence == pytest.approx(lesions.mean(), abs=1e-15)
    assert np.isnan(ScoreCounts.empty().prevalence)


def test_no_subject_and_no_voxel_count_nothing():
    for counts in (
        ScoreCounts.empty(),
        count_dataset([], []),
        count_scores(np.zeros(0, "f2"), np.zeros(0, bool)),
    ):
        assert counts.lesion.shape == counts.normal.shape == (PATTERNS,)
        assert counts.voxels.sum() == 0


def test_extremes_are_counted_at_their_own_value():
    smallest, largest = np.nextafter(np.float16(0), np.float16(1)), np.finfo(np.float16).max
    scores = np.array([-0.0, 0.0, smallest, largest], np.float16)
    counts = count_scores(scores, np.zeros(4, bool))
    assert counts.normal[0] == 2 and counts.normal[1] == 1 and counts.normal[-1] == 1


@pytest.mark.parametrize("value", [-1e-7, -1.0, np.nan, np.inf, -np.inf])
def test_impossible_scores_are_errors(value):
    scores = np.array([0.5, value, 0.25], np.float16)
    with pytest.raises(ValueError, match="1 scores are negative, NaN or infinite"):
        count_scores(scores, np.zeros(3, bool))


def test_other_types_and_grids_are_errors():
    with pytest.raises(ValueError, match="scores are float32"):
        count_scores(np.zeros(3, np.float32), np.zeros(3, bool))
    with pytest.raises(ValueError, match="differ in shape"):
        count_scores(np.zeros((3, 1), np.float16), np.zeros((1, 3), bool))


def test_a_lesion_without_its_scores_is_an_error(subjects):
    scores, lesions = subjects
    with pytest.raises(ValueError, match="shorter"):
        count_dataset(scores, lesions[:-1])
