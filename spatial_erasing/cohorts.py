"""Tables and arrays of cohorts: the subjects of a split and their volumes."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.jobs.results import Cells, open_arrays, read_cells, read_table_text

Subject = tuple[str, str]  # cohort, subject
# Spreadsheets run cells that begin with one of these characters, or a look-alike, as formulas; some ignore
# leading blanks, and some split cells at semicolons. A quote in front makes a cell text. A single dash, often
# written for "none", is not a formula.
_SIGNS = r"=+\-@\t\n\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
_BLANKS = r"\s\u200b-\u200f\u2060\ufeff"
_BEGINS = rf"([{_BLANKS}']*[{_SIGNS}])(?=.*[^{_SIGNS}{_BLANKS}';])"
FORMULA = re.compile(rf"(^|;){_BEGINS}", re.DOTALL)
QUOTED = re.compile(rf"(^|;)'{_BEGINS}", re.DOTALL)


@dataclass(frozen=True)
class Split:
    """The subjects of one split and their preprocessed volumes."""

    subjects: list[Subject]  # (cohort, subject), first axis of every array
    scans: np.ndarray  # intensities in [0, 1], float16, shape (subjects, X, Y, Z)
    brain: np.ndarray  # bool, same shape
    lesion: np.ndarray  # bool, same shape; empty for healthy subjects
    # bool, shape (subjects, Z): axial slices that the lesion touches before downsampling
    lesion_slices: np.ndarray


def read_rows(path: str | Path) -> list[Cells]:
    """The rows of a CSV file as the texts that `write_rows` was given."""
    return [Cells(((name, _as_given(cell)) for name, cell in row.items()), path) for row in read_cells(path)]


def write_rows(path: str | Path, rows: Sequence[Mapping[str, object]], *, columns: Iterable[str]) -> None:
    """Write a CSV file with these columns; other keys of a row are ignored.

    A text that a spreadsheet would run as a formula, such as `=cmd|...` in the name of a scanner, gets a
    quote in front.
    """
    with (
        replaced_when_complete(path) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as stream,
    ):
        # plain line feeds; the default of csv would end lines with a carriage return
        writer = csv.DictWriter(stream, list(columns), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _harmless(cell) for name, cell in row.items()} for row in rows)


def _harmless(cell: object) -> object:
    """The text written for a cell; numbers are unchanged, also numbers read as text."""
    if not isinstance(cell, str):
        return cell
    # csv only quotes line feeds, and a bare carriage return would begin a new row
    cell = cell.replace("\r", "\n")
    return cell if _is_number(cell) else FORMULA.sub(r"\1'\2", cell)


def _as_given(cell: str) -> str:
    """What a cell was before it was written."""
    return cell if _is_number(cell) else QUOTED.sub(r"\1\2", cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def rows_by_cohort(rows: Iterable[Mapping[str, str]]) -> dict[str, list[Mapping[str, str]]]:
    """The rows of each cohort, in their order."""
    cohorts: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        cohorts.setdefault(row["cohort"], []).append(row)
    return cohorts


def concatenate_tables(paths: Iterable[str | Path], target: str | Path) -> None:
    """Concatenate CSV files with the same columns."""
    tables = [(path, *read_table_text(path).partition("\n")) for path in paths]
    header = tables[0][1]
    for path, columns, _, _ in tables:
        if columns != header:
            raise ValueError(
                f"{path} does not have the columns {header}. Delete it and run the same command again."
            )
    rows = "".join(rows for _, _, _, rows in tables)
    Path(target).write_text(f"{header}\n{rows}", encoding="utf-8")


def members(split_rows: Iterable[Mapping[str, str]], *, split: str, fraction_percent: float) -> set[Subject]:
    """The subjects of a split; of the training split a nested fraction."""
    return {
        (row["cohort"], row["subject"])
        for row in split_rows
        if row["split"] == split
        and (split != "training" or float(row["training_rank"]) < fraction_percent / 100)
    }


def read_split(
    volumes: Sequence[str | Path],
    splits: str | Path,
    *,
    split: str,
    sequence: str,
    fraction_percent: float = 100,
) -> Split:
    """Read one split of one or more cohorts, and nothing of any other split."""
    wanted = members(read_rows(splits), split=split, fraction_percent=fraction_percent)
    subjects: list[Subject] = []
    parts: dict[str, list[np.ndarray]] = {}
    for path in map(Path, volumes):
        cohort = path.parent.name
        with open_arrays(path) as arrays:
            names = [(cohort, str(name)) for name in arrays["subject"]]
            subjects += [name for name in names if name in wanted]
            for name in (sequence, "brain", "lesion", "lesion_slices"):
                # subjects of other splits are dropped here, so that no test subject reaches a training
                rows = arrays.rows(name, [subject in wanted for subject in names])
                parts.setdefault(name, []).append(rows)
    # of a single cohort without a copy
    scans, *rest = (np.concatenate(rows) if len(rows) > 1 else rows[0] for rows in parts.values())
    return Split(subjects, scans, *rest)


def place_of(subject: str, split: Split) -> int:
    """Index of a subject along the first axis of a split's arrays."""
    names = [name for _, name in split.subjects]
    if subject not in names:
        raise ValueError(
            f"{subject} is not one of the {len(names)} subjects of this split, such as "
            f"{', '.join(names[:3])}. results/split/splits.csv lists its split."
        )
    return names.index(subject)


def voxel_size_mm(volumes: str | Path) -> tuple[float, ...]:
    """Edges of a voxel of a cohort's arrays; the median where they differ from subject to subject."""
    with open_arrays(volumes) as arrays:
        edges_mm = np.linalg.norm(arrays["affine"][:, :3, :3], axis=1)
    return tuple(np.median(edges_mm, axis=0).tolist())
