"""The test subjects of Figure 7, at fixed percentiles of DICE_S, with their volumes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.jobs.results import open_arrays
from spatial_erasing.score.maps import Scoring, score_maps, stored_as


@dataclass(frozen=True, eq=False)
class Example:
    """One test subject of Figure 7; all volumes RAS, shape (X, Y, Z)."""

    cohort: str
    subject: str
    scan: np.ndarray  # intensities in [0, 1]
    reconstruction: np.ndarray  # same unit
    difference: np.ndarray  # score map after post-processing, in the unit of the threshold
    lesion: np.ndarray  # truth, bool
    dice: float  # DICE_S in [0, 1]
    threshold: float  # of its test set, from validation subjects


def choose_examples(
    subject_rows: Sequence[Mapping[str, str]], *, percentiles: Sequence[float] = (50, 75)
) -> list[str]:
    """The test subjects of one test set nearest to these percentiles of DICE_S.

    Ranked by DICE_S, then by name. Subjects without DICE_S (no lesion voxel on the grid) are left out; two
    percentiles that meet in one subject give it once.
    """
    dice = {row["subject"]: float(row["dice"] or "nan") for row in subject_rows}
    ranked = sorted((value, subject) for subject, value in dice.items() if not math.isnan(value))
    if not ranked:
        return []
    ranks = [round(percentile / 100 * (len(ranked) - 1)) for percentile in percentiles]
    return list(dict.fromkeys(ranked[rank][1] for rank in ranks))


def examples_of_cohort(
    subject_rows: Sequence[Mapping[str, str]],
    files: tuple[str | Path, str | Path, str | Path],
    *,
    sequence: str,
    percentiles: Sequence[float],
    threshold: float,
    scoring: Scoring,
) -> list[Example]:
    """The examples of one lesion cohort, scored as they were evaluated.

    Args:
        subject_rows: `subjects.csv` of the run that is shown, on this cohort.
        files: `volumes.npz` of the cohort, in a folder of its name; the model's reconstructions of the test
            split; the maps stored for the score, or the same reconstructions if the score reads those.
    """
    volumes, reconstructions, stored = files
    cohort = Path(volumes).parent.name
    dice = {row["subject"]: float(row["dice"] or "nan") for row in subject_rows}
    examples = []
    for subject in choose_examples(subject_rows, percentiles=percentiles):
        arrays = _arrays_of(volumes, subject, (sequence, "brain", "lesion", "lesion_slices"))
        (reconstruction,) = _arrays_of(reconstructions, subject, ("reconstruction",))
        (raw,) = _arrays_of(stored, subject, (stored_as(scoring.score),))
        # a split of one subject, so that its map is the one that was evaluated
        alone = Split([(cohort, subject)], *(array[None] for array in arrays))
        (difference,) = score_maps(alone, raw[None], scoring)
        images = (arrays[0], reconstruction, difference, arrays[2])
        examples.append(Example(cohort, subject, *images, dice[subject], threshold))
    return examples


def save_examples(path: str | Path, examples: Sequence[Example]) -> None:
    """Write examples into one npz file, some MB at 64³; an empty list is a ValueError."""
    if not examples:
        raise ValueError(
            "no test subject has a DICE_S, so there is no example to show; expected a lesion voxel on the "
            "grid in one at least. Choose a finer preprocess.grid_voxels, or test on more subjects."
        )
    names = [field.name for field in fields(Example)]
    listed = zip(*map(astuple, examples), strict=True)
    columns: dict[str, Any] = dict(zip(names, map(np.array, listed), strict=True))
    with replaced_when_complete(path) as unfinished:
        np.savez_compressed(unfinished, **columns)


def load_examples(path: str | Path) -> list[Example]:
    """The examples of a file of `save_examples`; intensities float32."""
    with open_arrays(path) as arrays:
        columns = {field.name: arrays[field.name] for field in fields(Example)}
    for name in ("scan", "reconstruction", "difference"):
        columns[name] = columns[name].astype(np.float32)
    for name in ("cohort", "subject", "dice", "threshold"):
        columns[name] = columns[name].tolist()
    return [Example(*row) for row in zip(*columns.values(), strict=True)]


def _arrays_of(path: str | Path, subject: str, names: Sequence[str]) -> list[np.ndarray]:
    """A subject's part of these arrays of a file."""
    with open_arrays(path) as arrays:
        index = arrays["subject"].tolist().index(subject)
        return [arrays[name][index] for name in names]
