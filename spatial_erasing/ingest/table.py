"""Any data set, listed in a table that its user writes: one line a subject."""

from collections.abc import Sequence
from pathlib import Path

from spatial_erasing.ingest import bids
from spatial_erasing.ingest.cells import checked_columns, read_lines, surplus_problem
from spatial_erasing.ingest.records import Scan, normalised_name
from spatial_erasing.paths import TABLE_VARIABLES, expand_path

SEQUENCES = None  # a column of any name
REQUIRED = ("subject", "scanner")
OPTIONAL = ("lesion", "brain_mask", "skull_strip")
LAYOUT = (
    "a text file such as\n"
    "    subject,scanner,t1,lesion\n"
    "    patient-01,Prisma,scans/patient-01_T1w.nii.gz,scans/patient-01_lesion.nii.gz\n"
    "with paths relative to the file's own folder"
)


def find_scans(table: Path, *, sequences: Sequence[str]) -> list[Scan]:
    """The scans that a CSV lists, in its order; a line that cannot be used carries its problem.

    Cells may be separated by commas, semicolons or tabs. Paths are relative to the table's folder; `~`,
    `${SPATIAL_ERASING_DATA}` and `${WORKFLOW}` are expanded. Several lesion files are separated by ";"
    within their cell.

    Raises:
        ValueError: the table as a whole cannot be read, a column is missing, unknown or twice, or a path
            cannot be expanded.
    """
    lines = read_lines(table, expected=LAYOUT)
    # scans of other common sequences may be listed for another cohort
    allowed = tuple(dict.fromkeys((*REQUIRED, *sequences, *bids.SEQUENCES, *OPTIONAL)))
    columns = checked_columns(
        lines[0][1],
        table,
        allowed=allowed,
        required=(*REQUIRED, *sequences),
        rule="subject and scanner are required, and a column for each of the cohort's sequences",
    )
    scans = []
    first_lines: dict[str, int] = {}
    for number, cells in lines[1:]:
        row = dict.fromkeys(allowed, "") | dict(zip(columns, cells, strict=False))
        subject = normalised_name(row["subject"])
        problem = _line_problem(cells, columns)
        if subject and subject in first_lines:
            problem = (
                f"lists {subject} again, first in line {first_lines[subject]}. Give each subject one line"
            )
        first_lines.setdefault(subject, number)
        problem = problem and f"table line: {table} line {number} {problem}"
        try:
            scans += [_scan(row, sequence, table=table, problem=problem) for sequence in sequences]
        except ValueError as error:
            raise ValueError(f"{table} line {number}: {error}") from error
    return scans


def _scan(row: dict[str, str], sequence: str, *, table: Path, problem: str) -> Scan:
    """One sequence of one line."""

    def path(cell: str) -> Path:
        return expand_path(cell, base=table.parent, allowed=TABLE_VARIABLES)

    def paths(cell: str) -> tuple[Path, ...]:
        return tuple(path(part.strip()) for part in cell.split(";") if part.strip())

    if not row[sequence]:
        problem = problem or (
            f"missing file: {table} names no {sequence} of {row['subject']}. Fill the cell, or take "
            f"{sequence} out of the cohort's sequences"
        )
    return Scan(
        normalised_name(row["subject"]),
        sequence,
        path(row[sequence]),
        scanner=row["scanner"] or "unknown",
        lesion=paths(row["lesion"]),
        brain_mask=next(iter(paths(row["brain_mask"])), None),
        skull_strip=row["skull_strip"].lower(),
        problem=problem,
    )


def _line_problem(cells: list[str], columns: list[str]) -> str:
    """What is wrong with a line as such; "" if nothing."""
    brain_mask = dict(zip(columns, cells, strict=False)).get("brain_mask", "")
    if len([part for part in brain_mask.split(";") if part]) > 1:
        return "names several brain masks. Name one"
    if len(cells) < len(columns):  # its last cells would count as empty: no lesion
        return (
            f"has {len(cells)} cells for {len(columns)} columns. Write every cell, also those that are empty"
        )
    return surplus_problem(cells, columns)
