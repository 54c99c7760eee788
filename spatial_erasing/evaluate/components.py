"""Lesion-wise detection: connected components of truth and prediction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from spatial_erasing.evaluate.counts import anomaly_mask

COMPONENT_COLUMNS = ("subject", "kind", "voxels", "overlap_voxels", "is_detected")
LESION, FALSE_POSITIVE = "lesion", "false positive"
_RANKS = {6: 1, 18: 2, 26: 3}  # neighbours of a voxel -> how many axes it may differ in


def components_of(
    lesion: np.ndarray, predicted: np.ndarray, *, connectivity: int, minimum_overlap_percent: float
) -> list[dict[str, object]]:
    """Every lesion of a subject, and every predicted component that touches none.

    A lesion is detected if at least one of its voxels and at least this share of them is predicted. A
    component of the prediction that holds a single lesion voxel is no false positive, however large it is.

    Args:
        lesion: truth, bool, shape (X, Y, Z).
        predicted: mask, same shape.
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
    """The components of every subject of a split.

    Args:
        maps: score maps, one a subject.
        lesions: their truth.
        subjects: their names.
        threshold: predicted is score >= threshold.
        rule: the keywords of `components_of`.
    """
    return [
        {"subject": subject} | row
        for subject, score, lesion in zip(subjects, maps, lesions, strict=True)
        for row in components_of(lesion, anomaly_mask(score, threshold), **rule)
    ]
