"""Scans that are taken out of use: listed by the user, repeated, or of an incomplete subject."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from spatial_erasing.ingest.duplicates import same_brains
from spatial_erasing.ingest.records import Row, found_rows, normalised_name
from spatial_erasing.ingest.table import checked_columns, did_you_mean, read_lines, surplus_problem

COLUMNS = ("cohort", "subject", "reason")
LAYOUT = (
    "a text file such as\n"
    "    cohort,subject,reason\n"
    "    healthy,IXI012,moved during the scan\n"
    "with one line for each subject to leave out"
)


def read_exclusions(table: Path, *, cohorts: Collection[str]) -> dict[str, dict[str, str]]:
    """Cohort to the subjects that are left out of it, each with its reason and the table's name.

    Raises:
        ValueError: the table is not there or cannot be read, has other columns, or a line names no subject or
            a cohort that does not exist.
    """
    try:
        lines = read_lines(table, expected=LAYOUT)
    except OSError as error:
        raise ValueError(
            f"{table} (ingest.exclude) cannot be read: {error.strerror}. Expected {LAYOUT}. Correct the path "
            "under ingest.exclude in config.yaml, or write null to exclude no subject."
        ) from error
    columns = checked_columns(
        lines[0][1], table, allowed=COLUMNS, required=COLUMNS, rule="all three are required"
    )
    excluded: dict[str, dict[str, str]] = {}
    for number, cells in lines[1:]:
        row = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=False))
        if problem := surplus_problem(cells, columns) or _line_problem(row, cohorts):
            raise ValueError(f"{table} (ingest.exclude) line {number} {problem}.")
        reason = " ".join(row["reason"].split()) or "no reason given"
        subject = normalised_name(row["subject"])
        excluded.setdefault(row["cohort"], {}).setdefault(subject, f"{reason} ({table.name})")
    return excluded


def unmet_exclusions(rows: Iterable[Mapping[str, str]], excluded: Mapping[str, str]) -> list[str]:
    """A warning for each line of the table that meets no subject of its cohort."""
    subjects = {row["subject"] for row in rows}
    return [
        f"warning: {subject} is to be excluded, {reason}, but no subject has that name"
        f"{did_you_mean(subject, sorted(subjects))}"
        for subject, reason in excluded.items()
        if subject not in subjects
    ]


def skip_unfit(rows: list[Row], sequences: Sequence[str]) -> None:
    """Mark as skipped what repeats another scan and what belongs to an incomplete subject.

    Afterwards the found rows hold each subject once a sequence, with all sequences or none, and no content
    twice. Of two alike the first in the order of `rows` is kept.
    """
    _skip_repeated(rows)
    _skip_one_folder(rows)
    _skip_incomplete(rows, sequences)  # before contents are compared: the twin of an unusable scan is welcome
    _skip_same_content(rows)
    _skip_incomplete(rows, sequences)


def _line_problem(row: Mapping[str, str], cohorts: Collection[str]) -> str:
    """What is wrong with a line; "" if nothing."""
    if not row["subject"]:
        return "names no subject. Fill the cell, with a name of results/ingest/scans.csv"
    if row["cohort"] not in cohorts:
        return (
            f"names the cohort {row['cohort']!r}, which ingest.cohorts does not have"
            f"{did_you_mean(row['cohort'], cohorts)}. Expected one of {', '.join(cohorts)}. Correct the cell"
        )
    return ""


def _skip(row: Row, reason: str) -> None:
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
