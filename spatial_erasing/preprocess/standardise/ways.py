"""The ways to bring the brains of all scanners onto one contrast: a word of config.yaml to its function."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap
from spatial_erasing.preprocess.standardise.landmarks import read_landmarks, to_landmarks
from spatial_erasing.preprocess.standardise.median import to_median
from spatial_erasing.preprocess.standardise.two_quantiles import to_two_quantiles
from spatial_erasing.preprocess.standardise.value_range import keep_range
from spatial_erasing.preprocess.standardise.white_matter import to_white_matter

# Each finds the map of a scan from the intensities of its brain in [0, 1] and the target of its sequence.
WAYS: dict[str, Callable[[np.ndarray, Any], IntensityMap]] = {
    "range": keep_range,
    "median": to_median,
    "landmarks": to_landmarks,
    "two_quantiles": to_two_quantiles,
    "white_matter": to_white_matter,
}


@dataclass(frozen=True)
class Standard:
    """How each sequence is brought onto one contrast: one of `WAYS`, and its target; none for "range"."""

    ways: Mapping[str, str]
    targets: Mapping[str, object]

    def map_of(self, values: np.ndarray, *, sequence: str) -> IntensityMap:
        """The map of one scan from the intensities of its brain, in [0, 1]."""
        return WAYS[self.ways[sequence]](values, self.targets.get(sequence))


def read_standard(ways: Mapping[str, str], targets: Mapping[str, object], learned: Iterable[str]) -> Standard:
    """The standard of a study; `learned` are files of landmarks, none where no sequence needs them."""
    scales = {sequence: scale for path in learned for sequence, scale in read_landmarks(path).items()}
    needed = {sequence: scales[sequence] for sequence, way in ways.items() if way == "landmarks"}
    return Standard(ways, {**targets, **needed})
