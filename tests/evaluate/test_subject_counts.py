import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from spatial_erasing.evaluate.counts import count_dataset, count_scores
from spatial_erasing.evaluate.subject_counts import SubjectCounts, load_counts, save_counts

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


def test_two_data_sets_add_up_to_all_their_subjects(voxels, counts):
    parts = [
        SubjectCounts.collect(NAMES[part], map(count_scores, voxels[0][part], voxels[1][part]))
        for part in (slice(0, 1), slice(1, 4))
    ]
    both = parts[0] + parts[1]
    assert both.subjects == counts.subjects
    assert all(same(both.of(place), counts.of(place)) for place in range(4))


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
