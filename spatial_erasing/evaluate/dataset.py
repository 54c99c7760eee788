"""The rows that one run leaves in the tables of results: numbers of the data set and of each subject."""

from collections.abc import Iterable, Mapping

import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.evaluate.metrics import dataset_metrics
from spatial_erasing.evaluate.slices import slice_average_precision, slice_scores

RUN_COLUMNS = ("model", "fraction_percent", "seed", "cohort", "sequence")
METRIC_COLUMNS = (*RUN_COLUMNS, "metric", "value")
SUBJECT_COLUMNS = (
    *RUN_COLUMNS,
    "subject",
    "dice",
    "lesion_voxels",
    "predicted_voxels",
    "average_precision",
)


def evaluate_dataset(
    maps: Iterable[np.ndarray], scans: Split, *, names: Mapping[str, str], threshold: Mapping[str, object]
) -> tuple[list[dict], list[dict], np.ndarray]:
    """Metrics of the data set (tidy), rows of its subjects, and the score of every axial slice.

    Args:
        maps: score maps of the test split, in the order of `scans`.
        scans: the test split.
        names: model, percent, seed, cohort and sequence, which stand in every row.
        threshold: the record of the validation search.
    """
    run = {"fraction_percent": names["percent"]} | {
        name: names[name] for name in RUN_COLUMNS if name in names
    }
    maps = list(maps)  # half a megabyte each at 64³
    slices = slice_scores(np.stack(maps))
    metrics, subjects = dataset_metrics(maps, scans.lesion, threshold=threshold["threshold"])
    metrics |= {
        "threshold": threshold["threshold"],
        "dice_validation": threshold["dice"],
        "slice_average_precision": slice_average_precision(slices, scans.lesion_slices),
    }
    metric_rows = [run | {"metric": metric, "value": value} for metric, value in metrics.items()]
    subject_rows = [
        run | {"subject": name} | row for (_, name), row in zip(scans.subjects, subjects, strict=True)
    ]
    return metric_rows, subject_rows, slices
