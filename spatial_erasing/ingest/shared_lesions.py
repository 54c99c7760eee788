"""Lesion masks that two subjects of a cohort share: one of them has the lesion of someone else."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from spatial_erasing.ingest.exclusion import found_rows
from spatial_erasing.ingest.files import sha256_of, voxels_hash
from spatial_erasing.ingest.own_brains import Row

WITHOUT_VOXELS = f"{0:016x}"


def skip_shared_lesions(rows: list[Row]) -> None:
    """Mark as skipped all subjects that share a mask, by its path or its bytes; an empty one may be shared.

    Args:
        rows: changed in place.
    """
    owners = defaultdict(list)
    found = found_rows(rows)
    contents = _contents({mask for row in found for mask in json.loads(row["lesion"])})
    for row in found:
        for mask in json.loads(row["lesion"]):
            owners[contents[mask]].append((row, mask))
    for pairs in owners.values():
        if len({row["subject"] for row, _ in pairs}) > 1 and not _is_empty(Path(pairs[0][1])):
            for row, mask in pairs:
                other, its = next(
                    (one["subject"], its) for one, its in pairs if one["subject"] != row["subject"]
                )
                reason = (
                    f"same lesion: {mask} of {row['subject']} is the lesion mask of {other} too ({its}). "
                    "Expected a mask of its own for each subject. Name the right one for both"
                )
                row.update(status="skipped", reason=reason)


def _contents(masks: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of masks of which another has the same size, and the path of all others."""
    sizes = defaultdict(list)
    for mask in masks:
        sizes[Path(mask).stat().st_size].append(mask)
    return {
        mask: sha256_of(Path(mask)) if len(alike) > 1 else mask for alike in sizes.values() for mask in alike
    }


def _is_empty(mask: Path) -> bool:
    """Whether no voxel of a mask is marked."""
    try:
        return voxels_hash(mask) == WITHOUT_VOXELS
    except ValueError:
        return False
