"""Other labels of the test subjects move nothing but printed numbers."""

from dataclasses import replace

import numpy as np
import pytest
from networks_to_score import network_of, split_of
from paper_study import CONFIG

from spatial_erasing.evaluate.components import marks_of, sensitivities
from spatial_erasing.registry import BASELINES
from spatial_erasing.run import evaluate, find_threshold, reconstruct_scans
from spatial_erasing.score.maps import Scoring, score_maps

HEALTHY, VALIDATION, TEST = split_of(3, 1, cohort="healthy"), split_of(3, 2), split_of(3, 3)
RELABELLED = replace(TEST, lesion=np.roll(TEST.lesion, 3, axis=1))
POST_PROCESSING = {"erosion_iterations": 0, "median_size_voxels": 1}
SEARCH = {"iterations": 10, "lower": 0.0, "upper": 1.0}
RUN = {"method": "any", "percent": 100, "seed": 1, "cohort": "own", "sequence": "t1"}


def study_of(model, score, test):
    """Everything that a study computes of one method, in the order of its stages."""
    stored = [reconstruct_scans(model, scans, HEALTHY, score=score) for scans in (VALIDATION, test, HEALTHY)]
    scoring = Scoring(score, POST_PROCESSING)
    threshold = find_threshold(VALIDATION, stored[0], scoring=scoring, search=SEARCH)
    metrics = evaluate(test, stored[1], scoring=scoring, names=RUN, threshold=threshold).metrics
    maps = list(score_maps(test, stored[1], scoring))
    marks = [marks_of(*pair, connectivity=26) for pair in zip(maps, test.lesion, strict=True)]
    numbers = {row["metric"]: row["value"] for row in metrics} | sensitivities(marks)
    return np.stack(stored), maps, threshold, numbers


@pytest.mark.parametrize("name", [*CONFIG["scores"], *BASELINES.kinds()])
def test_maps_and_thresholds_stay_and_numbers_move(name):
    score = CONFIG["scores"].get(name, CONFIG["scores"]["residual"])
    model = network_of(3) if name in CONFIG["scores"] else name
    (stored, maps, threshold, numbers), others = (study_of(model, score, test) for test in (TEST, RELABELLED))
    np.testing.assert_array_equal(stored, others[0])
    np.testing.assert_array_equal(maps, others[1])
    assert threshold == others[2]
    assert numbers["average_precision"] != others[3]["average_precision"]
    kept = ("threshold", "dice_validation")
    assert [numbers[key] for key in kept] == [others[3][key] for key in kept]
