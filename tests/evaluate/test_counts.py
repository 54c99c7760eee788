import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from spatial_erasing.evaluate.counts import (
    PATTERNS,
    SCORE_VALUES,
    ScoreCounts,
    SubjectCounts,
    count_dataset,
    count_scores,
    load_counts,
    save_counts,
)


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


NAMES = ["s1", "s2", "s3", "s4"]
THRESHOLD = 0.30004


@pytest.fixture
def voxels():
    """Scores with many ties, one subject without a lesion and one whose scores are all 0."""
    rng = np.random.default_rng(5)
    lesions = rng.random((4, 6, 7, 8)) < 0.1
    lesions[1] = False
    scores = np.abs(0.3 * lesions + rng.normal(scale=0.2, size=lesions.shape)).round(2).astype(np.float16)
    scores[2] = 0
    return scores, lesions


@pytest.fixture
def counts(voxels):
    return SubjectCounts.collect(NAMES, map(count_scores, *voxels))


def same(first, second):
    return np.array_equal(first.lesion, second.lesion) and np.array_equal(first.normal, second.normal)


def test_pool_and_single_subjects_are_those_of_the_voxels(voxels, counts):
    assert same(counts.pooled(), count_dataset(*voxels))
    for place, pair in enumerate(zip(*voxels, strict=True)):
        assert same(counts.of(place), count_scores(*pair))


def test_a_pool_with_repetitions_is_that_of_repeated_volumes(voxels, counts):
    drawn = [3, 0, 3, 1]
    times = np.bincount(drawn, minlength=4)
    assert same(counts.pooled(times), count_dataset(voxels[0][drawn], voxels[1][drawn]))


def test_at_the_threshold_it_counts_as_sklearn_does_on_the_voxels(voxels, counts):
    hits, predicted, lesion = counts.at_threshold(THRESHOLD)
    for place, (score, truth) in enumerate(zip(*voxels, strict=True)):
        table = confusion_matrix(truth.ravel(), score.ravel().astype("f8") >= THRESHOLD, labels=[False, True])
        assert (hits[place], predicted[place], lesion[place]) == (
            table[1, 1],
            table[:, 1].sum(),
            table[1].sum(),
        )


def test_a_file_gives_back_what_was_counted(tmp_path, counts):
    save_counts(tmp_path / "counts.npz", counts, threshold=THRESHOLD)
    found, threshold = load_counts(tmp_path / "counts.npz")
    assert threshold == THRESHOLD and found.subjects == tuple(NAMES)
    assert all(same(found.of(place), counts.of(place)) for place in range(4))


def test_what_is_kept_grows_with_distinct_scores_and_not_with_voxels():
    rng = np.random.default_rng(0)
    for grid in (8, 32):
        scores = rng.integers(0, 50, (grid,) * 3).astype(np.float16)
        kept = SubjectCounts.collect(["s"], [count_scores(scores, scores > 40)])
        assert len(kept.pattern) == 50


def test_a_map_too_few_is_an_error(voxels):
    with pytest.raises(ValueError, match="3 score maps for 4 subjects"):
        SubjectCounts.collect(NAMES, map(count_scores, voxels[0][:3], voxels[1][:3]))


def test_no_subject_is_an_empty_pool():
    nobody = SubjectCounts.collect([], [])
    assert len(nobody) == 0 and nobody.pooled().lesion_voxels == 0
