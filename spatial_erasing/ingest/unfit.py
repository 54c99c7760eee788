"""Scans that are taken out of use: listed twice, of a shared lesion, or of an incomplete subject."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from spatial_erasing.ingest.files import describe_voxels, is_linear_change, sha256_of
from spatial_erasing.ingest.records import SAME_BRAIN, Row, content_of, found_rows, name_of

SAME_VOXELS, SAME_UP_TO_SCALE = "the same voxels as", "the same voxels up to a factor and an offset as"
# Rounding to whole numbers from 0 to 1000 moves a moment by 0.6 % at most, and hardly ever the count.
COUNT_SHARE = 1e-4
MOMENT_SHARE = 0.01
WITHOUT_VOXELS = f"{0:016x}"


def skip_unfit(rows: list[Row], sequences: Sequence[str]) -> None:
    """Mark as skipped what repeats another scan and what belongs to an incomplete subject.

    Afterwards the found rows hold each subject once a sequence, with all sequences or none, and no content
    twice. Of two alike the first in the order of `rows` is kept.
    """
    _skip_repeated(rows)
    _skip_incomplete(rows, sequences)  # before contents are compared: the twin of an unusable scan is welcome
    # one brain as two subjects could lie in two splits
    for kept, row, common in same_brains(found_rows(rows)):
        _skip(
            row,
            f"same content: {row['path']} has {common} {kept['path']} ({kept['subject']} "
            f"{kept['sequence']}), which is kept. Remove one, or fetch the right file",
        )
    _skip_incomplete(rows, sequences)


def same_brains(rows: Iterable[Row]) -> list[tuple[Row, Row, str]]:
    """Scans of one brain: the one that comes first, the one that repeats it, and what they have in common."""
    rows = list(rows)
    first: dict[str, int] = {}  # by content, the place of the row in the list
    repeats: dict[int, tuple[int, str]] = {}
    for place, row in enumerate(rows):
        if row["sha256"] and (kept := first.setdefault(content_of(row), place)) != place:
            repeats[place] = kept, SAME_VOXELS
    repeats |= {place: (kept, SAME_UP_TO_SCALE) for kept, place in _up_to_scale(rows, first.values())}
    return [(rows[kept], rows[place], common) for place, (kept, common) in sorted(repeats.items())]


def mark_rescaled(rows: Iterable[Row]) -> None:
    """Write into each scan which earlier one, of any cohort, it repeats in another unit, or ""; in place."""
    rows = list(rows)
    for row in rows:
        row[SAME_BRAIN] = ""
    for kept, row, common in same_brains(found_rows(rows)):
        row[SAME_BRAIN] = name_of(kept) if common == SAME_UP_TO_SCALE else ""


def skip_shared_lesions(rows: list[Row]) -> None:
    """Mark as skipped all subjects that share a mask, by path or bytes; an empty one may be shared."""
    masks = [(row, mask) for row in found_rows(rows) for mask in json.loads(row["lesion"])]
    contents = _contents({mask for _, mask in masks})
    owners = defaultdict(list)
    for row, mask in masks:
        owners[contents[mask]].append((row, mask))
    for pairs in owners.values():
        if len({row["subject"] for row, _ in pairs}) > 1 and not _is_empty(Path(pairs[0][1])):
            for row, mask in pairs:
                other, its = next((one, its) for one, its in pairs if one["subject"] != row["subject"])
                _skip(
                    row,
                    f"same lesion: {mask} of {row['subject']} is the lesion mask of {other['subject']} too "
                    f"({its}). Expected a mask of its own for each subject. Name the right one for both",
                )


def _skip(row: Row, reason: str) -> None:
    row.update(status="skipped", reason=reason)


def _skip_repeated(rows: list[Row]) -> None:
    """Keep the first of several files for one sequence of a subject, and the first spelling of a name.

    Brains of names that differ in large and small letters alone would lie in one folder on a disk that does
    not tell the two apart, as that of a Mac.
    """
    first: dict[tuple[str, str], Row] = {}
    names: dict[str, str] = {}
    for row in found_rows(rows):
        kept = first.setdefault((row["subject"], row["sequence"]), row)
        name = names.setdefault(row["subject"].casefold(), row["subject"])
        if kept is not row:
            _skip(
                row,
                f"repeated: {row['path']} is one more {row['sequence']} of {row['subject']}; {kept['path']} "
                "is kept. Delete one, or list the one to use in a table",
            )
        elif name != row["subject"]:
            _skip(
                row,
                f"subject name: {row['path']} is of {row['subject']}, which differs from {name} in large "
                "and small letters alone; on some disks both would share a folder. Rename one",
            )


def _skip_incomplete(rows: list[Row], sequences: Sequence[str]) -> None:
    """Leave out subjects of which a sequence is not usable: sequences share brain mask, crop and split."""
    usable = defaultdict(set)
    for row in found_rows(rows):
        usable[row["subject"]].add(row["sequence"])
    for row in found_rows(rows):
        if lacking := ", ".join(sorted(set(sequences) - usable[row["subject"]])):
            _skip(
                row,
                f"incomplete subject: {row['path']} is of {row['subject']}, which has no usable {lacking}, "
                f"and the cohort needs {', '.join(sequences)} of each subject. See its row, or take "
                f"{lacking} out of the cohort's sequences",
            )


def _up_to_scale(rows: Sequence[Row], places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Places of two rows: their moments are alike, and the voxels of the later correlate with the other's."""
    known = sorted(_moments(rows[place], place) for place in places if rows[place].get("moments"))
    repeated = set()
    for number, (count, place, moments) in enumerate(known):
        for other_count, other_place, other_moments in known[number + 1 :]:
            if other_count > count * (1 + COUNT_SHARE):
                break
            kept, later = sorted((place, other_place))
            if later in repeated or not _are_near(moments, other_moments):
                continue
            if is_linear_change(Path(rows[kept]["path"]), Path(rows[later]["path"])):
                repeated.add(later)
                yield kept, later


def _moments(row: Row, place: int) -> tuple[float, int, list[float]]:
    count, *moments = map(float, row["moments"].split())
    return count, place, moments


def _are_near(first: list[float], second: list[float]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(abs(a - b) <= MOMENT_SHARE * max(abs(a), abs(b), 1) for a, b in pairs)


def _contents(masks: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of masks of which another has the same size, and the path of all others."""
    sizes = defaultdict(list)
    for mask in masks:
        sizes[Path(mask).stat().st_size].append(mask)
    return {
        mask: sha256_of(Path(mask)) if len(alike) > 1 else mask for alike in sizes.values() for mask in alike
    }


def _is_empty(mask: Path) -> bool:
    try:
        return describe_voxels(mask)[0] == WITHOUT_VOXELS
    except ValueError:
        return False
