"""Standardise by landmarks: percentiles of a brain go to the mean percentiles of the training brains.

Nyúl, Udupa and Zhang (2000), "New variants of a method of MRI scale standardization", IEEE Transactions on
Medical Imaging 19(2), 143-150: the standard scale is learned once, and every scan is mapped onto it piecewise
linearly. As the outer percentiles of a brain are 0 and 1 already, only the inner landmarks are learned.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.parallel import map_in_processes
from spatial_erasing.jobs.results import damaged, read_json
from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap, through_knots
from spatial_erasing.preprocess.subject import read_brain_mask, read_prepared


@dataclass(frozen=True)
class Landmarks:
    """A standard scale."""

    percentiles: tuple[float, ...]  # of a brain's intensities, rising, between 0 and 100
    values: tuple[float, ...]  # where they go, in [0, 1]
    learned_from: str  # sequence of the training scans
    brains: int  # how many of them


def to_landmarks(values: np.ndarray, target: Landmarks) -> IntensityMap:
    """The piecewise linear map of a brain's percentiles onto the standard scale."""
    return through_knots(np.percentile(values, target.percentiles), target.values)


def learn_landmarks(
    folders: Iterable[Path], *, sequence: str, percentiles: Sequence[float], cores: int = 1
) -> Landmarks:
    """The mean of each percentile over the training brains (Nyúl et al. 2000, section II, training)."""
    measure = partial(_percentiles_of, sequence=sequence, percentiles=tuple(percentiles))
    found = dict(map_in_processes(measure, sorted(folders), workers=cores, name=str))
    if not found:
        raise ValueError(
            "no training brain to learn landmarks from. See results/split/healthy.csv and the reasons in "
            "results/preprocess/*/batch-*.csv."
        )
    # in the order of names: a sum of floats depends on its order
    mean = np.mean([found[folder] for folder in sorted(found)], axis=0)
    return Landmarks(tuple(percentiles), tuple(mean.tolist()), sequence, len(found))


def learn_scales(
    folders: Sequence[Path],
    *,
    sequences: Iterable[str],
    learned_from: Sequence[str],
    percentiles: Sequence[float],
    cores: int = 1,
) -> dict[str, Landmarks]:
    """The standard scale of every sequence of a study.

    A sequence that the training subjects lack, such as T1 with contrast agent, goes onto the scale of the
    sequence that the networks are trained on: what they know of healthy tissue has no other contrast.

    Args:
        learned_from: sequences of the training subjects, the one that networks are trained on first.
    """
    learn = partial(learn_landmarks, folders, percentiles=percentiles, cores=cores)
    learned = {name: learn(sequence=name) for name in learned_from}
    return {name: learned.get(name, learned[learned_from[0]]) for name in sequences}


def _percentiles_of(folder: Path, *, sequence: str, percentiles: Sequence[float]) -> tuple[Path, np.ndarray]:
    brain = read_brain_mask(folder)
    return folder, np.percentile(read_prepared(folder, sequence)[brain], percentiles)


def write_landmarks(path: str | Path, landmarks: Mapping[str, Landmarks]) -> None:
    """Write the standard scale of each sequence as JSON."""
    scales = {sequence: asdict(scale) for sequence, scale in landmarks.items()}
    write_text(path, json.dumps(scales, indent=1) + "\n")


def read_landmarks(path: str | Path) -> dict[str, Landmarks]:
    """The standard scales that `write_landmarks` wrote; an OSError where the file is damaged."""
    scales = read_json(path)
    try:
        return {sequence: _from_json(scale) for sequence, scale in scales.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise damaged(path, f"no landmarks as they are learned: {error}") from error


def _from_json(scale: dict[str, Any]) -> Landmarks:
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in scale.items()}
    landmarks = Landmarks(**values)
    percentiles, targets = np.array([landmarks.percentiles, landmarks.values], dtype=float)
    # a falling value would be raised to the one before it, and the scale be another without a word
    is_rising = (np.diff(percentiles) > 0).all() and (np.diff(targets) >= 0).all()
    if not (is_rising and targets.min() >= 0 and targets.max() <= 1):
        raise ValueError(f"{list(landmarks.values)} do not rise from 0 to 1 at {list(landmarks.percentiles)}")
    return landmarks
