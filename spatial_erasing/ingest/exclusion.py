"""Rules that compare the scans of a cohort with each other and take some out of use."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from spatial_erasing.ingest.own_brains import Row
from spatial_erasing.ingest.same_brain import same_brains


def skip_unfit(rows: list[Row], sequences: Sequence[str]) -> None:
    """Mark as skipped what repeats another scan and what belongs to an incomplete subject.

    Afterwards the found rows hold each subject once a sequence, with all sequences or none, and no content
    twice. Of two alike the first in the order of `rows` is kept.

    Args:
        rows: changed in place; sorted.
        sequences: what the cohort needs of every subject.
    """
    _skip_repeated(rows)
    _skip_one_folder(rows)
    _skip_incomplete(rows, sequences)  # before contents are compared: the twin of an unusable scan is welcome
    _skip_same_content(rows)
    _skip_incomplete(rows, sequences)


def found_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows of scans that are used."""
    return [row for row in rows if row["status"] == "found"]


def _skip(row: Row, reason: str) -> None:
    """Take a scan out of use."""
    row.update(status="skipped", reason=reason)


def _skip_repeated(rows: list[Row]) -> None:
    """Of several files for one sequence of a subject keep the first."""
    first: dict[tuple[str, str], Row] = {}
    for row in found_rows(rows):
        kept = first.setdefault((row["subject"], row["sequence"]), row)
        if kept is not row:
            _skip(
                row,
                f"repeated: {row['path']} is one more {row['sequence']} of {row['subject']}; {kept['path']} "
                "is kept. Delete one, or list the one to use in a table",
            )


def _skip_one_folder(rows: list[Row]) -> None:
    """Of subjects whose names differ in large and small letters alone keep the first.

    Their brains would lie in one folder on a disk that does not tell the two apart, as those of a Mac.
    """
    first: dict[str, str] = {}
    for row in found_rows(rows):
        kept = first.setdefault(row["subject"].casefold(), row["subject"])
        if kept != row["subject"]:
            _skip(
                row,
                f"subject name: {row['path']} is of {row['subject']}, which differs from {kept} in large "
                "and small letters alone; on some disks both would share a folder. Rename one",
            )


def _skip_same_content(rows: list[Row]) -> None:
    """Of files with the same voxels keep the first: one brain as two subjects could lie in two splits."""
    for kept, row, common in same_brains(found_rows(rows)):
        _skip(
            row,
            f"same content: {row['path']} has {common} {kept['path']} ({kept['subject']} "
            f"{kept['sequence']}), which is kept. Remove one, or fetch the right file",
        )


def _skip_incomplete(rows: list[Row], sequences: Sequence[str]) -> None:
    """Leave out subjects of which a sequence is not usable: sequences share brain mask, crop and split."""
    usable = defaultdict(set)
    for row in found_rows(rows):
        usable[row["subject"]].add(row["sequence"])
    for row in found_rows(rows):
        if lacking := sorted(set(sequences) - usable[row["subject"]]):
            _skip(
                row,
                f"incomplete subject: {row['path']} is of {row['subject']}, which has no usable "
                f"{', '.join(lacking)}, and the cohort needs {', '.join(sequences)} of each subject. See its "
                f"row, or take {', '.join(lacking)} out of the cohort's sequences",
            )
