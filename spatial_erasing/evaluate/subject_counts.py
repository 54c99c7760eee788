"""The counts of every subject of a data set in a small file: what is evaluated later touches no voxel again.

A subject's scores take some thousands of the 31,744 values that there are; only those are kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spatial_erasing.evaluate.counts import PATTERNS, ScoreCounts
from spatial_erasing.evaluate.curves import first_pattern
from spatial_erasing.jobs.results import open_arrays


@dataclass(frozen=True, eq=False)
class SubjectCounts:
    """Score counts of each subject, one entry for each score that the subject has.

    Args:
        subjects: names, in the order of the split.
        owner: place of the entry's subject in `subjects`, ascending, int32, shape (entries,).
        pattern: place of the entry's score in `SCORE_VALUES`, ascending in each subject, uint16, same shape.
        lesion: voxels inside lesions with this score, uint32, same shape.
        normal: all other voxels with this score, uint32, same shape.
    """

    subjects: tuple[str, ...]
    owner: np.ndarray
    pattern: np.ndarray
    lesion: np.ndarray
    normal: np.ndarray

    @classmethod
    def collect(cls, subjects: Sequence[str], counts: Iterable[ScoreCounts]) -> "SubjectCounts":
        """Keep the entries of each subject that are not empty, one subject in memory at a time."""
        entries = [_entries(of_subject) for of_subject in counts]
        owner = np.repeat(np.arange(len(entries), dtype=np.int32), [len(part[0]) for part in entries])
        nobody = _entries(ScoreCounts.empty())
        columns = (np.concatenate(column) for column in zip(nobody, *entries, strict=True))
        if len(entries) != len(subjects):
            raise ValueError(
                f"{len(entries)} score maps for {len(subjects)} subjects; expected one each. Score the model "
                "again on the volumes that are preprocessed now."
            )
        return cls(tuple(subjects), owner, *columns)

    def __len__(self) -> int:
        return len(self.subjects)

    def __add__(self, other: "SubjectCounts") -> "SubjectCounts":
        """The subjects of both, those of `other` behind."""
        owner = np.concatenate([self.owner, other.owner + len(self)])
        names = ("pattern", "lesion", "normal")
        rest = (np.concatenate([getattr(self, name), getattr(other, name)]) for name in names)
        return SubjectCounts(self.subjects + other.subjects, owner, *rest)

    def of(self, place: int) -> ScoreCounts:
        """The counts of one subject, at every score."""
        entries = slice(*np.searchsorted(self.owner, [place, place + 1]))
        counts = ScoreCounts.empty()
        counts.lesion[self.pattern[entries]] = self.lesion[entries]
        counts.normal[self.pattern[entries]] = self.normal[entries]
        return counts

    def pooled(self, times: np.ndarray | None = None) -> ScoreCounts:
        """The counts of all subjects together.

        Args:
            times: how often each subject is in the pool, shape (subjects,); once by default.
        """
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
    arrays = {name: getattr(counts, name) for name in ("owner", "pattern", "lesion", "normal")}
    np.savez_compressed(path, subject=np.array(counts.subjects, dtype=str), threshold=threshold, **arrays)


def load_counts(path: str | Path) -> tuple[SubjectCounts, float]:
    """The counts and the threshold of a file that `save_counts` wrote."""
    with open_arrays(path) as arrays:
        columns = (arrays[name] for name in ("owner", "pattern", "lesion", "normal"))
        return SubjectCounts(tuple(arrays["subject"].tolist()), *columns), float(arrays["threshold"])


def _entries(counts: ScoreCounts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pattern, lesion voxels and normal voxels of every score that occurs."""
    pattern = np.flatnonzero(counts.voxels)
    return (
        pattern.astype(np.uint16),
        counts.lesion[pattern].astype(np.uint32),
        counts.normal[pattern].astype(np.uint32),
    )
