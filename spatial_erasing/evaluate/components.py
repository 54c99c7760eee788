"""Lesion-wise detection: connected components of truth and prediction, and marks at any threshold (FROC)."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from spatial_erasing.evaluate.counts import anomaly_mask

COMPONENT_COLUMNS = ("subject", "kind", "voxels", "overlap_voxels", "is_detected")
LESION, FALSE_POSITIVE = "lesion", "false positive"
FALSE_POSITIVES_A_SCAN = (1, 2, 4, 8)  # of the FROC's sensitivities
_RANKS = {6: 1, 18: 2, 26: 3}  # neighbours of a voxel -> how many axes it may differ in


def components_of(
    lesion: np.ndarray, predicted: np.ndarray, *, connectivity: int, minimum_overlap_percent: float
) -> list[dict[str, object]]:
    """Every lesion of a subject, and every predicted component that touches none.

    A lesion is detected if at least one of its voxels and at least this share of them is predicted. A
    component of the prediction that holds a single lesion voxel is no false positive, however large it is.

    Args:
        lesion: truth, bool, shape (X, Y, Z); so is the predicted mask.
        connectivity: neighbours that belong together: 6, 18 or 26.
        minimum_overlap_percent: of a lesion's voxels, from 0 to 100.
    """
    if lesion.shape != predicted.shape:
        raise ValueError(f"lesion {lesion.shape} and prediction {predicted.shape} must lie on one grid.")
    neighbours = ndimage.generate_binary_structure(3, _RANKS[connectivity])
    rows = []
    for kind, mask, other in ((LESION, lesion, predicted), (FALSE_POSITIVE, predicted, lesion)):
        labels, _ = ndimage.label(mask, structure=neighbours)
        sizes = np.bincount(labels.ravel())[1:]
        # one pass for all components instead of a mask for each
        overlaps = np.bincount(labels.ravel(), weights=other.ravel(), minlength=len(sizes) + 1)[1:]
        for size, overlap in zip(sizes.tolist(), overlaps.astype(int).tolist(), strict=True):
            is_detected = kind == LESION and overlap > 0 and 100 * overlap >= minimum_overlap_percent * size
            if kind == LESION or overlap == 0:
                row = {"kind": kind, "voxels": size, "overlap_voxels": overlap}
                rows.append(row | {"is_detected": int(is_detected)})
    return rows


def components_of_split(
    maps: Iterable[np.ndarray],
    lesions: Iterable[np.ndarray],
    subjects: Sequence[str],
    *,
    threshold: float,
    rule: Mapping[str, Any],
) -> list[dict[str, object]]:
    """The components of every subject of a split; predicted is score >= threshold.

    The rule has the keywords of `components_of`.
    """
    return [
        {"subject": subject} | row
        for subject, score, lesion in zip(subjects, maps, lesions, strict=True)
        for row in components_of(lesion, anomaly_mask(score, threshold), **rule)
    ]


class Marks(NamedTuple):
    """The local maxima of one score map."""

    scores: np.ndarray  # float32, shape (marks,)
    lesions: np.ndarray  # number of the lesion around each mark, from 1 on; 0 for a false positive
    lesion_count: int


def marks_of(score: np.ndarray, lesion: np.ndarray, *, connectivity: int) -> Marks:
    """Mark each voxel above 0 that no neighbour exceeds; a plateau of equal scores is one mark, or none.

    Unlike components at a threshold, marks do not merge when the threshold falls. Scores are at least 0, the
    lesion is bool, both (X, Y, Z); a voxel has 6, 18 or 26 neighbours.
    """
    if score.shape != lesion.shape:
        raise ValueError(f"score map {score.shape} and lesion {lesion.shape} must lie on one grid.")
    neighbours = ndimage.generate_binary_structure(3, _RANKS[connectivity])
    score = score.astype(np.float32)  # ndimage has no float16
    highest = (score == ndimage.maximum_filter(score, footprint=neighbours)) & (score > 0)
    marks, count = ndimage.label(highest, structure=neighbours)
    lesions, lesion_count = ndimage.label(lesion, structure=neighbours)
    # next to a voxel of equal score that is not highest, the whole plateau touches a higher one
    beside = ndimage.maximum_filter(np.where(highest, -1, score), footprint=neighbours)
    places = np.setdiff1d(np.arange(1, count + 1), marks[highest & (beside == score)])
    found = [np.asarray(ndimage.maximum(values, marks, places)) for values in (score, lesions)]
    return Marks(found[0], found[1].astype(int), lesion_count)


def timed_marks(
    maps: Iterable[np.ndarray], lesions: np.ndarray, *, connectivity: int
) -> tuple[list[Marks], float]:
    """The marks of every subject, and the mean seconds in which an iterator computes a map."""
    waiting, marks, seconds = iter(maps), [], 0.0
    for lesion in lesions:
        began = time.perf_counter()
        score_map = next(waiting)
        seconds += time.perf_counter() - began
        marks.append(marks_of(score_map, lesion, connectivity=connectivity))
    return marks, seconds / max(len(marks), 1)


def sensitivities(marks: Sequence[Marks]) -> dict[str, float]:
    """The share of lesions with a mark at 1, 2, 4 and 8 false positives a scan (FROC); NaN without a lesion.

    Bunch et al. 1978, "A free response approach to the measurement and characterization of radiographic
    observer performance". For each number, the threshold is the lowest that keeps the mean number of false
    positives a scan at or below it. The marks are those of each subject.
    """
    false = np.sort(np.concatenate([part.scores[part.lesions == 0] for part in marks]))[::-1]
    best = [
        part.scores[part.lesions == number].max(initial=0)
        for part in marks
        for number in range(1, part.lesion_count + 1)
    ]
    found = {}
    for allowed in FALSE_POSITIVES_A_SCAN:
        count = allowed * len(marks)
        # a lesion counts if its highest mark is above the first false positive beyond the number allowed
        limit = false[count] if count < len(false) else 0
        found[f"sensitivity_at_{allowed}"] = float(np.mean(np.array(best) > limit)) if best else float("nan")
    return found
