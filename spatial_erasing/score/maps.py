"""Anomaly score maps of a split, one subject at a time: a score, then the common post-processing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.cohorts import Split, read_split
from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.jobs.results import open_arrays
from spatial_erasing.registry import SCORES
from spatial_erasing.score.postprocess import post_process

RECONSTRUCTION, MAP = "reconstruction", "map"  # content of a file of the score stage


@dataclass(frozen=True)
class Scoring:
    """A score and its post-processing: one entry of `scores`, and the section `score`."""

    score: Mapping[str, Any]
    post_processing: Mapping[str, int]  # keywords of `post_process`


def make_score(values: Mapping[str, Any]) -> Any:
    """The `Score` of a kind, from an entry of `scores`; an unknown kind is a ValueError."""
    settings = {key: value for key, value in values.items() if key not in ("kind", "title")}
    return SCORES.load(values["kind"]).Score(**settings)


def stored_as(values: Mapping[str, Any]) -> str:
    """The content stored for a score: reconstructions, or its maps if it reads the network."""
    return RECONSTRUCTION if SCORES.literal(values["kind"], "READS") == RECONSTRUCTION else MAP


def bounded(distance: Any) -> Any:
    """Distances d from 0 to infinity as d / (1 + d): in the same order, in [0, 1), where thresholds are."""
    return distance / (1 + distance)


def score_maps(scans: Split, stored: np.ndarray, scoring: Scoring) -> Iterator[np.ndarray]:
    """Post-processed score maps, float16, in the order of `scans`.

    `stored` has the reconstructions or raw maps of the split (see `stored_as`), in the shape of its scans.
    """
    score = make_score(scoring.score) if stored_as(scoring.score) == RECONSTRUCTION else None
    for scan, volume, brain in zip(scans.scans, stored, scans.brain, strict=True):
        if score is not None and scan.shape != volume.shape:
            raise ValueError(
                f"scan {scan.shape} and reconstruction {volume.shape} must be on one grid. Score the model "
                "again on the current preprocessed volumes."
            )
        raw = volume if score is None else score.score_map(scan, volume, brain)
        yield post_process(raw, brain, **scoring.post_processing)


def save_stored(path: str | Path, scans: Split, stored: np.ndarray, *, what: str, made_by: str) -> None:
    """Write the reconstructions or raw maps of a split; `what` is RECONSTRUCTION or MAP."""
    arrays: dict[str, Any] = {"subject": [subject for _, subject in scans.subjects], what: stored}
    with replaced_when_complete(path) as unfinished:
        np.savez(unfinished, **arrays, made_by=made_by)


def load_stored(path: str | Path, scans: Split, scoring: Scoring) -> np.ndarray:
    """What `save_stored` wrote for a split; a ValueError if the subjects of the file are others."""
    with open_arrays(path) as arrays:
        subjects, stored = arrays["subject"].tolist(), arrays[stored_as(scoring.score)]
    # maps are matched by position, so that one added subject would shift all others
    if subjects != [name for _, name in scans.subjects]:
        raise ValueError(
            f"the subjects in {path} differ from its split. Delete it and run the same command again."
        )
    return stored


def read_score_maps(
    files: tuple[str, str, str], *, split: str, sequence: str, scoring: Scoring
) -> tuple[Split, Iterator[np.ndarray]]:
    """A split of one cohort, and the score map of each of its subjects.

    Files are the cohort's `volumes.npz`, the table of splits, and what `save_stored` wrote.
    """
    volumes, splits, stored = files
    scans = read_split([volumes], splits, split=split, sequence=sequence)
    return scans, score_maps(scans, load_stored(stored, scans, scoring), scoring)
