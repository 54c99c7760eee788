"""One brain or one lesion that is listed twice: by the same voxels, or by the same in another unit."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from spatial_erasing.ingest.records import SAME_BRAIN, Row, content_of, found_rows, name_of

SAME_VOXELS, SAME_UP_TO_SCALE = "the same voxels as", "the same voxels up to a factor and an offset as"
# Rounding to whole numbers from 0 to 1000 moves a moment by 0.6 % at most, and hardly ever the count.
COUNT_SHARE = 1e-4
MOMENT_SHARE = 0.01
WITHOUT_VOXELS = f"{0:016x}"


def same_brains(rows: Iterable[Row]) -> list[tuple[Row, Row, str]]:
    """Scans of one brain: the one that comes first, the one that repeats it, and what they have in common."""
    first: dict[str, tuple[int, Row]] = {}
    found = []
    for place, row in enumerate(rows):
        kept = first.setdefault(content_of(row), (place, row))[1] if row["sha256"] else row
        if kept is not row:
            found.append((place, kept, row, SAME_VOXELS))
    found += [(place, kept, row, SAME_UP_TO_SCALE) for place, kept, row in _up_to_scale(list(first.values()))]
    found.sort(key=lambda one: one[0])
    return [(kept, row, common) for _, kept, row, common in found]


def mark_rescaled(rows: Iterable[Row]) -> None:
    """Write into each scan which earlier one, of any cohort, it repeats in another unit, or ""; in place."""
    rows = list(rows)
    for row in rows:
        row[SAME_BRAIN] = ""
    for kept, row, common in same_brains(row for row in rows if row["status"] == "found"):
        row[SAME_BRAIN] = name_of(kept) if common == SAME_UP_TO_SCALE else ""


def _up_to_scale(rows: list[tuple[int, Row]]) -> Iterator[tuple[int, Row, Row]]:
    """Scans whose moments are those of an earlier one, and whose voxels correlate with its voxels."""
    known = [(*_moments(row), place, row) for place, row in rows if row.get("moments")]
    known.sort(key=lambda one: (one[0], one[2]))
    repeated = set()
    for number, (count, moments, place, row) in enumerate(known):
        for other_count, other_moments, other_place, other in known[number + 1 :]:
            if other_count > count * (1 + COUNT_SHARE):
                break
            (_, kept), (later, repeats) = sorted([(place, row), (other_place, other)], key=lambda one: one[0])
            if (
                later not in repeated
                and _are_near(moments, other_moments)
                and _is_linear_change(kept, repeats)
            ):
                repeated.add(later)
                yield later, kept, repeats


def _moments(row: Row) -> tuple[float, list[float]]:
    count, *moments = map(float, row["moments"].split())
    return count, moments


def _are_near(first: list[float], second: list[float]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(abs(a - b) <= MOMENT_SHARE * max(abs(a), abs(b), 1) for a, b in pairs)


def _is_linear_change(kept: Row, repeats: Row) -> bool:
    from spatial_erasing.ingest.files import is_linear_change  # noqa: PLC0415

    return is_linear_change(Path(kept["path"]), Path(repeats["path"]))


def skip_shared_lesions(rows: list[Row]) -> None:
    """Mark as skipped all subjects that share a mask, by path or bytes; an empty one may be shared."""
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
    from spatial_erasing.ingest.files import sha256_of  # noqa: PLC0415  a planning node may lack numpy

    sizes = defaultdict(list)
    for mask in masks:
        sizes[Path(mask).stat().st_size].append(mask)
    return {
        mask: sha256_of(Path(mask)) if len(alike) > 1 else mask for alike in sizes.values() for mask in alike
    }


def _is_empty(mask: Path) -> bool:
    from spatial_erasing.ingest.files import voxels_hash  # noqa: PLC0415

    try:
        return voxels_hash(mask) == WITHOUT_VOXELS
    except ValueError:
        return False
