"""Voxel counts per score value, from which curves and overlaps follow, in constant memory.

A finite float16 that is not negative is one of 31,744 bit patterns, and these patterns, read as integers,
have the order of the values. Counting voxels by pattern therefore loses nothing, costs about a
millisecond a volume, and the counts of two subjects add. Of a whole test set the counts of every subject are
kept in a small file: a subject's scores take some thousands of these values, and what is evaluated later
touches no voxel again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spatial_erasing.jobs.results import open_arrays

# Patterns from 0x7C00 on are infinity and NaN, from 0x8000 on the negative numbers.
PATTERNS = 0x7C00
NEGATIVE_ZERO = 0x8000
SCORE_VALUES = np.arange(PATTERNS, dtype=np.uint16).view(np.float16).astype(np.float64)
LARGEST_SCORE = float(SCORE_VALUES[-1])  # 65504
_ARRAYS = ("owner", "pattern", "lesion", "normal")  # of `SubjectCounts`


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """Number of voxels at each value of `SCORE_VALUES`, for one subject or many."""

    lesion: np.ndarray  # voxels inside lesions, int64, shape (31744,)
    normal: np.ndarray  # all other voxels of the grid, background included

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
        """Share of lesion voxels among all voxels: the AUPRC at chance level. NaN if empty."""
        total = int(self.voxels.sum())
        return self.lesion_voxels / total if total else float("nan")


def count_scores(scores: np.ndarray, lesion: np.ndarray) -> ScoreCounts:
    """Count the voxels of a subject by score, apart for lesion (bool, same shape) and normal tissue.

    Raises:
        ValueError: shapes differ, scores are not float16, or some are negative, NaN or infinite.
    """
    if scores.shape != lesion.shape:
        raise ValueError(
            f"scores {scores.shape} and lesion {lesion.shape} differ in shape, but must lie on one grid. "
            "Score the model again on the current preprocessed volumes."
        )
    if scores.dtype != np.float16:
        raise ValueError(
            f"scores are {scores.dtype}, but are counted as float16. Take them from `anomaly_score`, "
            "or round them once with .astype(numpy.float16)."
        )
    patterns = np.ascontiguousarray(scores).view(np.uint16).ravel()
    # -0 has a pattern of its own and is a score of 0
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


def first_pattern(threshold: float) -> int:
    """Place of the smallest float16 that is not below the threshold."""
    if np.isnan(threshold):
        raise ValueError(
            "the threshold is NaN, but must be a number. It comes from a validation split "
            "without a lesion voxel: give that split more subjects."
        )
    return int(np.searchsorted(SCORE_VALUES, threshold, side="left"))


def anomaly_mask(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return where the score reaches the threshold (>=), compared without rounding the threshold.

    numpy would round a Python float to the float16 of the scores and shift the mask by up to one score.
    """
    return scores >= np.float64(threshold)


@dataclass(frozen=True, eq=False)
class SubjectCounts:
    """Score counts of each subject, one entry for each score that the subject has; arrays (entries,)."""

    subjects: tuple[str, ...]  # in the order of the split
    owner: np.ndarray  # index of the subject, ascending, int32
    pattern: np.ndarray  # of the score, see `SCORE_VALUES`, ascending in each subject, uint16
    lesion: np.ndarray  # voxels inside lesions with this score, uint32
    normal: np.ndarray  # all other voxels with this score, uint32

    @classmethod
    def collect(cls, subjects: Sequence[str], counts: Iterable[ScoreCounts]) -> "SubjectCounts":
        """Keep the entries of each subject that are not empty, one subject in memory at a time."""
        entries = [_entries(of_subject) for of_subject in counts]
        owner = np.repeat(np.arange(len(entries), dtype=np.int32), [len(part[0]) for part in entries])
        # gives a split without subjects arrays of the right types
        nobody = _entries(ScoreCounts.empty())
        columns = (np.concatenate(column) for column in zip(nobody, *entries, strict=True))
        if len(entries) != len(subjects):
            raise ValueError(
                f"{len(entries)} score maps for {len(subjects)} subjects; expected one each. Score the model "
                "again on the current preprocessed volumes."
            )
        return cls(tuple(subjects), owner, *columns)

    def __len__(self) -> int:
        return len(self.subjects)

    def of(self, place: int) -> ScoreCounts:
        """The counts of one subject, at every score."""
        entries = slice(*np.searchsorted(self.owner, [place, place + 1]))
        counts = ScoreCounts.empty()
        counts.lesion[self.pattern[entries]] = self.lesion[entries]
        counts.normal[self.pattern[entries]] = self.normal[entries]
        return counts

    def pooled(self, times: np.ndarray | None = None) -> ScoreCounts:
        """The counts of all subjects together, each so many `times`, shape (subjects,); once by default."""
        weight = np.ones(len(self.owner)) if times is None else np.asarray(times, np.float64)[self.owner]
        lesion, normal = (
            np.bincount(self.pattern, weight * voxels, minlength=PATTERNS).astype(np.int64)
            for voxels in (self.lesion, self.normal)
        )
        return ScoreCounts(lesion, normal)

    def at_threshold(self, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hits, predicted voxels and lesion voxels of each subject; predicted is score >= threshold."""
        is_predicted = self.pattern >= first_pattern(threshold)
        hits = self._sum(self.lesion * is_predicted)
        return hits, hits + self._sum(self.normal * is_predicted), self._sum(self.lesion)

    def _sum(self, voxels: np.ndarray) -> np.ndarray:
        return np.bincount(self.owner, voxels, minlength=len(self)).astype(np.int64)


def save_counts(path: str | Path, counts: SubjectCounts, *, threshold: float) -> None:
    """Write the counts of a test split and the threshold that validation gave."""
    arrays = {name: getattr(counts, name) for name in _ARRAYS}
    np.savez_compressed(path, subject=np.array(counts.subjects, dtype=str), threshold=threshold, **arrays)


def load_counts(path: str | Path) -> tuple[SubjectCounts, float]:
    """The counts and the threshold of a file that `save_counts` wrote."""
    with open_arrays(path) as arrays:
        columns = (arrays[name] for name in _ARRAYS)
        return SubjectCounts(tuple(arrays["subject"].tolist()), *columns), float(arrays["threshold"])


def _entries(counts: ScoreCounts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pattern, lesion voxels and normal voxels of every score that occurs."""
    pattern = np.flatnonzero(counts.voxels)
    return (
        pattern.astype(np.uint16),
        counts.lesion[pattern].astype(np.uint32),
        counts.normal[pattern].astype(np.uint32),
    )
