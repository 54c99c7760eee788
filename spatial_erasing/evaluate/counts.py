"""How many voxels have which score: all that curves and overlaps need, in constant memory.

A finite float16 that is not negative is one of 31,744 bit patterns, and these patterns, read as integers,
have the order of the values. Counting voxels by pattern therefore loses nothing, costs about a
millisecond a volume, and the counts of two subjects add.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

# Patterns from 0x7C00 on are infinity and NaN, from 0x8000 on the negative numbers.
PATTERNS = 0x7C00
NEGATIVE_ZERO = 0x8000
SCORE_VALUES = np.arange(PATTERNS, dtype=np.uint16).view(np.float16).astype(np.float64)
LARGEST_SCORE = float(SCORE_VALUES[-1])  # 65504


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """Number of voxels at each value of `SCORE_VALUES`, for one subject or many.

    Args:
        lesion: voxels inside lesions, int64, shape (31744,).
        normal: all other voxels of the grid, background included, same shape.
    """

    lesion: np.ndarray
    normal: np.ndarray

    @classmethod
    def empty(cls) -> "ScoreCounts":
        """The counts of no subject: where a sum starts."""
        return cls(np.zeros(PATTERNS, np.int64), np.zeros(PATTERNS, np.int64))

    def __add__(self, other: "ScoreCounts") -> "ScoreCounts":
        return ScoreCounts(self.lesion + other.lesion, self.normal + other.normal)

    @property
    def voxels(self) -> np.ndarray:
        """Lesion and normal voxels at each score."""
        return self.lesion + self.normal

    @property
    def lesion_voxels(self) -> int:
        return int(self.lesion.sum())

    @property
    def prevalence(self) -> float:
        """Share of lesion voxels among all voxels: the AUPRC of a score that knows nothing. NaN if empty."""
        total = int(self.voxels.sum())
        return self.lesion_voxels / total if total else float("nan")


def count_scores(scores: np.ndarray, lesion: np.ndarray) -> ScoreCounts:
    """Count the voxels of a subject by score, apart for lesion and normal tissue.

    Args:
        scores: float16, finite and not negative, any shape.
        lesion: True inside lesions, same shape.

    Raises:
        ValueError: shapes differ, scores are not float16, or some are negative, NaN or infinite.
    """
    if scores.shape != lesion.shape:
        raise ValueError(
            f"scores {scores.shape} and lesion {lesion.shape} differ in shape, but must lie on one grid. "
            "Score the model again on the volumes that are preprocessed now."
        )
    if scores.dtype != np.float16:
        raise ValueError(
            f"scores are {scores.dtype}, but are counted as float16. Take them from `anomaly_score`, "
            "or round them once with .astype(numpy.float16)."
        )
    patterns = np.ascontiguousarray(scores).view(np.uint16).ravel()
    patterns = np.where(patterns == NEGATIVE_ZERO, 0, patterns)
    if patterns.max(initial=0) >= PATTERNS:
        found = scores[~((scores >= 0) & (scores <= LARGEST_SCORE))]
        raise ValueError(
            f"{found.size} scores are negative, NaN or infinite (the first is {found[0]}), but a score is a "
            "finite distance of at least 0. Look at the training's history.csv: it has probably diverged."
        )
    in_lesion = np.bincount(patterns[lesion.ravel().astype(bool)], minlength=PATTERNS)
    return ScoreCounts(in_lesion, np.bincount(patterns, minlength=PATTERNS) - in_lesion)


def count_dataset(scores: Iterable[np.ndarray], lesions: Iterable[np.ndarray]) -> ScoreCounts:
    """Pool the voxels of a whole data set, one subject in memory at a time."""
    pairs = zip(scores, lesions, strict=True)
    return sum((count_scores(score, lesion) for score, lesion in pairs), start=ScoreCounts.empty())
