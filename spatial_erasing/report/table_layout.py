"""Tables for print: cells, best values, caption and notes, and their files.

CSV is for programs, Markdown for the report, HTML for its page and LaTeX for a paper.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.report.paper import PAPER_COHORTS
from spatial_erasing.report.templates import fill_template, write_filled

# Column title -> mean and, where the paper prints one, standard deviation.
PRINTED = {
    "DICE_D": ("dice_dataset_percent", None),
    "DICE_S": ("dice_subject_mean_percent", "dice_subject_std_percent"),
    "AUPRC": ("auprc_percent", None),
}
DECIMALS = 2
NO_NUMBER = "–"


@dataclass(frozen=True)
class Column:
    """A printed column."""

    title: str
    cells: tuple[str, ...]  # one a row
    best: tuple[bool, ...]  # which of them are the highest, as printed
    intervals: tuple[str, ...] = ()  # "26.10–31.05" for each row; empty where there are none


@dataclass(frozen=True)
class Block:
    """The part of a table that belongs to one cohort."""

    heading: str  # cohort, number of test subjects, prevalence
    labels: dict[str, tuple[str, ...]]  # title -> what names each row
    groups: dict[str, list[Column]]  # whose numbers, "ours" and perhaps "paper" -> columns
    baselines: tuple[bool, ...]  # which rows have no network

    @property
    def columns(self) -> list[Column]:
        """All columns, from the left to the right."""
        return [column for group in self.groups.values() for column in group]


def write_table(
    table: pd.DataFrame, files: Any, *, title: str, grid: tuple[int, ...], borrowed: Mapping[str, str]
) -> None:
    """Write a table of `table_1` or `table_2` with its caption and notes.

    Args:
        files: paths with the attributes csv, md, html and tex.
        title: first sentence of the caption, without a full stop.
        grid: voxels of the evaluated volumes.
        borrowed: cohort to the cohort whose threshold it takes.
    """
    write_csv(table, files.csv)
    caption = table_caption(table, title=title, grid=grid, borrowed=borrowed)
    write_blocks(printed_blocks(table), files, caption=caption, footnotes=baseline_notes(table))


def write_blocks(blocks: Sequence[Block], files: Any, *, caption: str, footnotes: Sequence[str]) -> None:
    """Write blocks with a caption above and notes below: as `files` md, html and tex.

    The LaTeX is a float that needs the package booktabs, with a tabular for each block.
    """
    values = {"title": Path(files.html).stem, "caption": caption, "blocks": blocks, "footnotes": footnotes}
    write_filled((files.md, files.html, files.tex), "table", **values)


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, one row a cohort and model, with every number that we have."""
    blocks = []
    for cohort in cohorts_of(table):
        block = table[cohort].drop(columns=["is_baseline", "sequence_title"], errors="ignore").reset_index()
        block.insert(0, "name", block.pop("name"))
        block.insert(0, "cohort", cohort)
        blocks.append(block)
    with replaced_when_complete(path) as unfinished:
        pd.concat(blocks).to_csv(unfinished, index=False, float_format="%.8g")


def printed_blocks(table: pd.DataFrame) -> list[Block]:
    """Lay out a table of `table_1` or `table_2` for print, one block a cohort."""
    return [_block(table[cohort], cohort) for cohort in cohorts_of(table)]


def cohorts_of(table: pd.DataFrame) -> list[str]:
    """The cohorts of a table, in its order."""
    return list(dict.fromkeys(table.columns.get_level_values("cohort")))


def is_baseline(table: pd.DataFrame) -> np.ndarray:
    """Which rows have no network, shape (rows,)."""
    return table[cohorts_of(table)[0], "is_baseline"].to_numpy(dtype=bool)


def _block(rows: pd.DataFrame, cohort: str) -> Block:
    subjects, prevalence = rows["test_subjects"].iloc[0], rows["prevalence_percent"].iloc[0]
    heading = f"{cohort}: {int(subjects)} test subjects, {prevalence:.2f} % of voxels are lesion"
    groups = {"ours": _columns(rows, prefix="")}
    if "paper_cohort" in rows:
        paper = PAPER_COHORTS[rows["paper_cohort"].iloc[0]]
        heading += f"; paper: {paper.title}, {paper.test_subjects} test subjects"
        groups["paper"] = _columns(rows, prefix="paper_")
    labels = {"Input & Erasing": tuple(rows["name"])}
    if "sequence_title" in rows:
        labels["Sequence"] = tuple(rows["sequence_title"])
    return Block(heading, labels, groups, tuple(rows["is_baseline"]))


def _columns(rows: pd.DataFrame, *, prefix: str) -> list[Column]:
    """Means (with standard deviations), each followed by its range over seeds where there is one."""
    columns = []
    for title, (quantity, spread) in PRINTED.items():
        means = rows[prefix + quantity]
        spreads = rows[prefix + spread] if spread else [None] * len(rows)
        cells = tuple(_cell(*pair) for pair in zip(means, spreads, strict=True))
        intervals = _spans(rows, f"{prefix}{quantity}_lower", f"{prefix}{quantity}_upper")
        columns.append(Column(title, cells, tuple(is_highest(means)), intervals))
        if ranges := _spans(rows, f"{prefix}{quantity}_lowest", f"{prefix}{quantity}_highest"):
            is_range = rows["seeds"] > 1
            cells = tuple(np.where(is_range, ranges, NO_NUMBER).tolist())
            columns.append(Column(f"{title} range", cells, (False,) * len(rows)))
    return columns


def is_highest(values: pd.Series) -> np.ndarray:
    """Which values are the highest as printed: equal digits are equally good. Shape (rows,)."""
    printed = values.round(DECIMALS)
    return (printed == printed.max()).to_numpy()


def _number(value: float) -> str:
    return NO_NUMBER if np.isnan(value) else f"{value:.{DECIMALS}f}"


def _spans(rows: pd.DataFrame, lower: str, upper: str) -> tuple[str, ...]:
    """Both ends in every row, "28.10–29.40"; nothing where the table has no such columns."""
    if lower not in rows:
        return ()
    return tuple(f"{_number(low)}–{_number(high)}" for low, high in rows[[lower, upper]].to_numpy())


def _cell(mean: float, spread: float | None) -> str:
    """A number, with its standard deviation if the column has one: "28.80 ± 13.74"."""
    if spread is None or np.isnan(mean):
        return _number(mean)
    return f"{_number(mean)} ± {_number(spread)}"


def table_caption(
    table: pd.DataFrame, *, title: str, grid: tuple[int, ...], borrowed: Mapping[str, str]
) -> str:
    """One paragraph: what was measured, on how many subjects, on which grid, over how many seeds."""
    seeds = table.xs("seeds", axis=1, level="quantity")
    quantities = table.columns.get_level_values("quantity")
    sentences = fill_template(
        "table_caption.txt",
        title=title,
        grid=grid,
        borrowed=borrowed,
        first={cohort: table[cohort].iloc[0] for cohort in cohorts_of(table)},
        seeds=count_range({int(seeds.min(axis=None)), int(seeds.max(axis=None))}),
        has_intervals=quantities.str.endswith("_lower").any(),
        has_paper="paper_cohort" in quantities,
    )
    return " ".join(sentences.splitlines())


def baseline_notes(table: pd.DataFrame) -> list[str]:
    """A sentence for every column of ours that a baseline without a network wins or shares."""
    baseline = is_baseline(table)
    notes = []
    for cohort in cohorts_of(table):
        for title, (quantity, _) in PRINTED.items():
            best = is_highest(table[cohort, quantity])
            if (best & baseline).any():
                verb = "shares" if (best & ~baseline).any() else "has"
                notes.append(f"A baseline without a network {verb} the highest {title} on {cohort}.")
    return notes


def count_range(counts: Collection[int]) -> str:
    """The count, or "2 to 3" where they differ."""
    fewest, most = min(counts), max(counts)
    return f"{most}" if fewest == most else f"{fewest} to {most}"
