import numpy as np
import pytest

from spatial_erasing.cohorts import Split
from spatial_erasing.evaluate.counts import count_scores
from spatial_erasing.evaluate.dataset import evaluate
from spatial_erasing.evaluate.metrics import metrics_of_counts, slice_average_precision, slice_scores
from spatial_erasing.score.maps import Scoring

NAMES = {"method": "3d-none", "percent": "100", "seed": "1", "cohort": "brats", "sequence": "t1"}
THRESHOLD = {"threshold": 0.25, "dice": 0.5}
# maps as a score of the network stores them, without post-processing
SCORING = Scoring({"kind": "several"}, {"erosion_iterations": 0, "median_size_voxels": 1})


@pytest.fixture
def split():
    rng = np.random.default_rng(4)
    lesion = rng.random((4, 6, 5, 7)) < 0.1
    lesion[2] = False
    scores = np.abs(0.3 * lesion + rng.normal(scale=0.2, size=lesion.shape)).astype(np.float16)
    subjects = [("brats", f"s{k}") for k in range(4)]
    return scores, Split(subjects, scores, lesion | True, lesion, lesion.any(axis=(1, 2)))


def test_one_pass_over_the_maps_gives_all_that_is_reported(split):
    scores, scans = split
    found = evaluate(scans, scores, scoring=SCORING, names=NAMES, threshold=THRESHOLD)
    metrics, subjects = metrics_of_counts(map(count_scores, scores, scans.lesion), threshold=0.25)
    reported = {row["metric"]: row["value"] for row in found.metrics}
    assert reported == metrics | {
        "threshold": 0.25,
        "dice_validation": 0.5,
        "slice_average_precision": slice_average_precision(slice_scores(scores), scans.lesion_slices),
    }
    run = {"model": "3d-none", "fraction_percent": "100", "seed": "1", "cohort": "brats", "sequence": "t1"}
    np.testing.assert_equal(
        found.subjects, [run | {"subject": f"s{k}"} | row for k, row in enumerate(subjects)]
    )
    np.testing.assert_array_equal(found.slices, slice_scores(scores))
    assert found.counts.subjects == ("s0", "s1", "s2", "s3")
    assert found.counts.pooled().lesion_voxels == scans.lesion.sum()


def test_maps_of_other_subjects_are_an_error(split):
    scores, scans = split
    with pytest.raises(ValueError, match="shorter"):
        evaluate(scans, scores[:3], scoring=SCORING, names=NAMES, threshold=THRESHOLD)
