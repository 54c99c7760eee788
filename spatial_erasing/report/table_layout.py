"""The layout of a printed table: cells, their order, the best values, caption and footnotes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from spatial_erasing.report.paper import PAPER_COHORTS

# Column title -> mean and, where the paper prints one, standard deviation.
PRINTED = {
    "DICE_D": ("dice_dataset_percent", None),
    "DICE_S": ("dice_subject_mean_percent", "dice_subject_std_percent"),
    "AUPRC": ("auprc_percent", None),
}
DECIMALS = 2
NO_NUMBER = "–"
VALIDATION_THRESHOLD = "a greedy search on the validation split of the same cohort and sequence"


@dataclass(frozen=True)
class Column:
    """A printed column: its cells and which of them are the highest, as printed.

    Args:
        title: of the column.
        cells: one a row.
        best: which of them are the highest.
        intervals: "26.10–31.05" for each row; empty where there are none.
    """

    title: str
    cells: tuple[str, ...]
    best: tuple[bool, ...]
    intervals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """The part of a table that belongs to one cohort.

    Args:
        heading: cohort, number of test subjects, prevalence.
        labels: title -> what names each row.
        groups: whose numbers, "ours" and perhaps "paper" -> columns.
        baselines: which rows have no network.
    """

    heading: str
    labels: dict[str, tuple[str, ...]]
    groups: dict[str, list[Column]]
    baselines: tuple[bool, ...]


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
    return Block(heading, _row_labels(rows), groups, tuple(rows["is_baseline"]))


def _row_labels(rows: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    labels = {"Input & Erasing": tuple(rows["name"])}
    if "sequence_title" in rows:
        labels["Sequence"] = tuple(rows["sequence_title"])
    return labels


def _columns(rows: pd.DataFrame, *, prefix: str) -> list[Column]:
    """Means (with standard deviations), each followed by its range over seeds where there is one."""
    columns = []
    for title, (quantity, spread) in PRINTED.items():
        means = rows[prefix + quantity]
        spreads = rows[prefix + spread] if spread else [None] * len(rows)
        cells = tuple(_cell(*pair) for pair in zip(means, spreads, strict=True))
        columns.append(Column(title, cells, tuple(is_highest(means)), _intervals(rows, prefix + quantity)))
        if f"{prefix}{quantity}_lowest" in rows:
            limits = zip(rows[f"{quantity}_lowest"], rows[f"{quantity}_highest"], rows["seeds"], strict=True)
            ranges = tuple(_range(*limit) for limit in limits)
            columns.append(Column(f"{title} range", ranges, (False,) * len(rows)))
    return columns


def is_highest(values: pd.Series) -> np.ndarray:
    """Which values are the highest as printed: equal digits are equally good. Shape (rows,)."""
    printed = values.round(DECIMALS)
    return (printed == printed.max()).to_numpy()


def _number(value: float) -> str:
    return NO_NUMBER if np.isnan(value) else f"{value:.{DECIMALS}f}"


def _range(lowest: float, highest: float, seeds: int) -> str:
    """Lowest and highest of several seeds: "28.10–29.40"."""
    return f"{_number(lowest)}–{_number(highest)}" if seeds > 1 else NO_NUMBER


def _intervals(rows: pd.DataFrame, quantity: str) -> tuple[str, ...]:
    """Both ends of every row's interval over test subjects, or nothing where the table has none."""
    if f"{quantity}_lower" not in rows:
        return ()
    ends = zip(rows[f"{quantity}_lower"], rows[f"{quantity}_upper"], strict=True)
    return tuple(f"{_number(lower)}–{_number(upper)}" for lower, upper in ends)


def _cell(mean: float, spread: float | None) -> str:
    """A number, with its standard deviation if the column has one: "28.80 ± 13.74"."""
    if spread is None or np.isnan(mean):
        return _number(mean)
    return f"{_number(mean)} ± {_number(spread)}"


def table_caption(
    table: pd.DataFrame,
    *,
    title: str,
    grid: tuple[int, ...],
    split: str = "test",
    threshold_source: str = VALIDATION_THRESHOLD,
) -> str:
    """One paragraph: what was measured, on how many subjects, on which grid, over how many seeds.

    Args:
        table: of `table_1` or `table_2`.
        title: the first sentence, without a full stop.
        grid: voxels of the evaluated volumes.
        threshold_source: where each model's threshold comes from.
    """
    cohorts = cohorts_of(table)
    subjects = ", ".join(f"{cohort} n = {int(table[cohort, 'test_subjects'].iloc[0])}" for cohort in cohorts)
    sentences = [
        f"{title}.",
        f"Split: {split} ({subjects}).",
        f"All voxels of the {' × '.join(map(str, grid))} grid, background included.",
        _seeds_sentence(table),
        f"Each model's threshold comes from {threshold_source}.",
        "DICE_D pools the voxels of a cohort; DICE_S is mean ± standard deviation over subjects.",
        *filter(None, (_lost_lesions_sentence(table, cohort) for cohort in cohorts)),
        "All numbers in percent; bold: highest of its column.",
    ]
    if table.columns.get_level_values("quantity").str.endswith("_lower").any():
        sentences.append("Intervals over resampled test subjects stand in the CSV and on the HTML page.")
    if "paper_cohort" in table.columns.get_level_values("quantity"):
        sentences.append("Paper: the numbers printed by Bengs et al. (2021), on their own data and splits.")
    return " ".join(sentences)


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


def _seeds_sentence(table: pd.DataFrame) -> str:
    seeds = table.xs("seeds", axis=1, level="quantity")
    fewest, most = int(seeds.min(axis=None)), int(seeds.max(axis=None))
    if most == 1:
        return "One seed."
    count = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"Mean of {count} seeds; ranges are the lowest and the highest seed."


def _lost_lesions_sentence(table: pd.DataFrame, cohort: str) -> str | None:
    lost = table[cohort, "test_subjects_without_lesion"].iloc[0]
    if not lost:
        return None
    return (
        f"Subjects of {cohort} whose lesion has no voxel on the grid: {int(lost)}; they count in DICE_D "
        "and AUPRC only."
    )
