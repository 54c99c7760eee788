"""Any data set, listed in a table that its user writes: one line a subject."""

import csv
import io
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from spatial_erasing.ingest.records import Scan, normalised_name
from spatial_erasing.paths import expand_path

REQUIRED = ("subject", "scanner", "t1")
COLUMNS = (*REQUIRED, "t1ce", "lesion", "brain_mask", "skull_strip")
LAYOUT = (
    "a text file such as\n"
    "    subject,scanner,t1,lesion\n"
    "    patient-01,Prisma,scans/patient-01_T1w.nii.gz,scans/patient-01_lesion.nii.gz\n"
    "with paths relative to the file's own folder"
)


def find_scans(table: Path, *, sequences: Iterable[str]) -> list[Scan]:
    """The scans that a CSV lists, in its order; a line that cannot be used carries its problem.

    Cells may be separated by commas, semicolons or tabs. Paths are relative to the table's folder; `~` and
    `${VARIABLE}` are expanded. Several lesion files are separated by ";" within their cell.

    Raises:
        ValueError: the table as a whole cannot be read, a column is missing, unknown or twice, or a variable
            is not set.
    """
    lines = _read_lines(table)
    columns = _checked_columns(lines[0][1], table, sequences)
    scans, first_lines = [], {}
    for number, cells in lines[1:]:
        row = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=False))
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

    def paths(cell: str) -> tuple[Path, ...]:
        return tuple(expand_path(part.strip(), base=table.parent) for part in cell.split(";") if part.strip())

    if not row[sequence]:
        problem = problem or (
            f"missing file: {table} names no {sequence} of {row['subject']}. Fill the cell, or take "
            f"{sequence} out of the cohort's sequences"
        )
    return Scan(
        normalised_name(row["subject"]),
        sequence,
        expand_path(row[sequence], base=table.parent),
        scanner=row["scanner"] or "unknown",
        lesion=paths(row["lesion"]),
        brain_mask=next(iter(paths(row["brain_mask"])), None),
        skull_strip=row["skull_strip"].lower(),
        problem=problem,
    )


def _read_lines(table: Path) -> list[tuple[int, list[str]]]:
    """Number and cells of every line that is not blank, the header first."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{table} is not UTF-8 text ({error}). Save it as CSV with encoding UTF-8."
        ) from error
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = next((sign for sign in ",;\t" if sign in header), ",")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise ValueError(
            f"{table} line {reader.line_num}: {error}. Expected cells separated by {delimiter!r}. "
            "Close the quotes, or save the table again from your spreadsheet."
        ) from error
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if not lines:
        raise ValueError(f"{table} is empty. Expected {LAYOUT}. Write the header and one line a subject.")
    return lines


def _checked_columns(header: list[str], table: Path, sequences: Iterable[str]) -> list[str]:
    """The columns' names in lower case, refused if one is unknown, twice or missing."""
    columns = [name.lower() for name in header]
    while columns and not columns[-1]:  # spreadsheets end lines with empty cells
        columns.pop()
    unknown = [name for name in columns if name not in COLUMNS]
    hints = [
        f"{name!r} (did you mean {near[0]!r}?)"
        for name in unknown
        if (near := get_close_matches(name, COLUMNS))
    ]
    problems = {
        "unknown columns": hints + [repr(name) for name in unknown if not get_close_matches(name, COLUMNS)],
        "missing columns": [name for name in dict.fromkeys((*REQUIRED, *sequences)) if name not in columns],
        "columns that come twice": sorted({name for name in columns if columns.count(name) > 1}),
    }
    found = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names)
    if found:
        raise ValueError(
            f"{table} has {found}. Allowed are {', '.join(COLUMNS)}; the first three are required, and a "
            "column for each of the cohort's sequences. Rename, add or delete the columns."
        )
    return columns


def _line_problem(cells: list[str], columns: list[str]) -> str:
    """What is wrong with a line as such; "" if nothing."""
    if any(cells[len(columns) :]):
        return f"has {len(cells)} cells for {len(columns)} columns. Quote the cell that contains a separator"
    if (
        len(
            [
                part
                for part in dict(zip(columns, cells, strict=False)).get("brain_mask", "").split(";")
                if part
            ]
        )
        > 1
    ):
        return "names several brain masks. Name one"
    return ""
