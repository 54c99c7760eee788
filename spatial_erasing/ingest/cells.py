"""Tables that people write in an editor or a spreadsheet, read with every slip named."""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint in brackets for a word that was probably misspelt; "" if nothing known is like it."""
    near = get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def read_lines(table: Path, *, expected: str) -> list[tuple[int, list[str]]]:
    """Number and cells of every line that is not blank, the header first.

    Cells may be separated by commas, semicolons or tabs.

    Args:
        table: the file.
        expected: what it should look like, for the error.

    Raises:
        ValueError: the file is empty, not UTF-8 or has an open quote.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{table} is not UTF-8 text ({error}). Save it as CSV with encoding UTF-8."
        ) from error
    lines = [(number, cells) for number, cells in _split_cells(text, table) if any(cells)]
    if not lines:
        raise ValueError(f"{table} is empty. Expected {expected}. Write the header and one line a subject.")
    return lines


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


def checked_columns(
    header: Sequence[str], table: Path, *, allowed: Collection[str], required: Iterable[str], rule: str
) -> list[str]:
    """The columns' names in lower case.

    Args:
        header: cells of the first line.
        table: named in the error.
        allowed: every column that may be there.
        required: those that must be.
        rule: what is required, in words.

    Raises:
        ValueError: a column is unknown, twice or missing.
    """
    columns = [name.lower() for name in header]
    while columns and not columns[-1]:  # spreadsheets end lines with empty cells
        columns.pop()
    unknown = [f"{name!r}{did_you_mean(name, allowed)}" for name in columns if name not in allowed]
    problems = {
        "unknown columns": unknown,
        "missing columns": [name for name in dict.fromkeys(required) if name not in columns],
        "columns that come twice": sorted({name for name in columns if columns.count(name) > 1}),
    }
    found = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names)
    if found:
        raise ValueError(
            f"{table} has {found}. Allowed are {', '.join(allowed)}; {rule}. "
            "Rename, add or delete the columns."
        )
    return columns


def surplus_problem(cells: Sequence[str], columns: Sequence[str]) -> str:
    """What is wrong with a line that has more cells than the header; "" if nothing."""
    if any(cells[len(columns) :]):
        return f"has {len(cells)} cells for {len(columns)} columns. Quote the cell that contains a separator"
    return ""
