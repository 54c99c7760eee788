"""Tables of scans that people write in an editor or a spreadsheet."""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from spatial_erasing.ingest import bids_names
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
    required = (*REQUIRED, *sequences)
    # scans of other common sequences may be listed for another cohort
    allowed = tuple(dict.fromkeys((*required, *bids_names.SUFFIXES, *OPTIONAL)))
    rule = "subject and scanner are required, and a column for each of the cohort's sequences"
    columns, lines = read_table(table, layout=LAYOUT, allowed=allowed, required=required, rule=rule)
    scans = []
    first_lines: dict[str, int] = {}
    for number, cells in lines:
        row = dict.fromkeys(allowed, "") | dict(zip(columns, cells, strict=False))
        subject = normalised_name(row["subject"])
        problem = _line_problem(cells, columns)
        first = first_lines.setdefault(subject, number)
        if subject and first != number:
            problem = f"lists {subject} again, first in line {first}. Give each subject one line"
        problem = problem and f"table line: {table} line {number} {problem}"
        try:
            scans += [_scan(row, sequence, table=table, problem=problem) for sequence in sequences]
        except ValueError as error:
            raise ValueError(f"{table} line {number}: {error}") from error
    return scans


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint in brackets for a word that was probably misspelt; "" if nothing known is like it."""
    near = get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def read_table(
    table: Path, *, layout: str, allowed: Collection[str], required: Iterable[str], rule: str
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The columns' names in lower case, then number and cells of every further line that is not blank.

    Raises:
        ValueError: it is empty or no CSV, or a column is unknown, twice or missing: `rule` in words.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{table} is not UTF-8 text ({error}). Save it as CSV with encoding UTF-8."
        ) from error
    lines = [(number, cells) for number, cells in _split_cells(text, table) if any(cells)]
    if not lines:
        raise ValueError(f"{table} is empty. Expected {layout}. Write the header and one line a subject.")
    columns = [name.lower() for name in lines[0][1]]
    while columns and not columns[-1]:  # spreadsheets end lines with empty cells
        columns.pop()
    problems = {
        "unknown columns": [
            f"{name!r}{did_you_mean(name, allowed)}" for name in columns if name not in allowed
        ],
        "missing columns": [name for name in dict.fromkeys(required) if name not in columns],
        "columns that come twice": sorted({name for name in columns if columns.count(name) > 1}),
    }
    found = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names)
    if found:
        raise ValueError(
            f"{table} has {found}. Allowed are {', '.join(allowed)}; {rule}. "
            "Rename, add or delete the columns."
        )
    return columns, lines[1:]


def _split_cells(text: str, table: Path) -> list[tuple[int, list[str]]]:
    """Number and cells of every line; what separates them is seen in the header."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = next((sign for sign in ",;\t" if sign in header), ",")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise ValueError(
            f"{table} line {reader.line_num}: {error}. Expected cells separated by {delimiter!r}. "
            "Close the quotes, or save the table again from your spreadsheet."
        ) from error


def surplus_problem(cells: Sequence[str], columns: Sequence[str]) -> str:
    """What is wrong with a line that has more cells than the header; "" if nothing."""
    if any(cells[len(columns) :]):
        return f"has {len(cells)} cells for {len(columns)} columns. Quote the cell that contains a separator"
    return ""


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
