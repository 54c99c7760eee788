"""The numbers of a small study of arrays, to the last digit: code that only moves changes none of them."""

import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.evaluate.dataset import evaluate
from spatial_erasing.score.maps import Scoring
from spatial_erasing.threshold.search import find_threshold

SCORING = Scoring(
    score={"kind": "absolute", "title": "absolute residual"},
    post_processing={"erosion_iterations": 1, "median_size_voxels": 3},
)
# of the code before methods were entries (3909ab3), and of all since
GOLDEN = {
    "dice_dataset": 0.64806867,
    "dice_dataset_best_possible": 0.83539823,
    "average_precision": 0.880336219,
    "auprc_trapezoid": 0.89163207,
    "prevalence": 0.015380859,
    "dice_subject_mean": 0.629881154,
    "dice_subject_std": 0.066539619,
    "subjects": 5,
    "subjects_without_lesion": 0,
    "dice_validation": 0.613445378,
    "slice_average_precision": 0.948452381,
}
THRESHOLD = 0.125
NAMES = {"method": "3d-none", "percent": 100, "seed": 1, "cohort": "brats", "sequence": "t1"}


def split_of(subjects, *, first):
    """Balls with a smooth pattern and a bright box as the lesion, from whole numbers: the same everywhere."""
    axes = np.arange(16)
    x, y, z = np.meshgrid(axes, axes, axes, indexing="ij")
    brain = (2 * x - 15) ** 2 + (2 * y - 15) ** 2 + (2 * z - 15) ** 2 < 200
    scans, lesions = [], []
    for number in range(first, first + subjects):
        pattern = ((7 * x + 11 * y + 13 * z + 5 * number) % 64 + 64) / 256
        lesion = (
            brain
            & (abs(x - 6 - number % 4) < 3)
            & (abs(y - 8) < 2 + number % 2)
            & (abs(z - 5 - number % 5) < 2)
        )
        scans.append(np.where(lesion, pattern + 0.25, pattern) * brain)
        lesions.append(lesion)
    brains = np.stack([brain] * subjects)
    lesion = np.stack(lesions)
    names = [("brats", f"case-{number}") for number in range(subjects)]
    return Split(names, np.stack(scans).astype(np.float16), brains, lesion, lesion.any(axis=(1, 2)))


def test_threshold_and_metrics_are_what_they_have_always_been():
    validation, test = split_of(3, first=0), split_of(5, first=3)
    outputs = [np.full(split.scans.shape, 0.375, np.float16) * split.brain for split in (validation, test)]
    search = {"iterations": 10, "lower": 0.0, "upper": 1.0}
    threshold = find_threshold(validation, outputs[0], scoring=SCORING, search=search)
    result = evaluate(test, outputs[1], scoring=SCORING, names=NAMES, threshold=threshold)
    found = {row["metric"]: row["value"] for row in result.metrics}
    assert {name: round(found[name], 9) for name in GOLDEN} == GOLDEN
    assert round(threshold["threshold"], 9) == THRESHOLD
