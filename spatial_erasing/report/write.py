"""What the report's rules share: a table in its formats and counts of subjects."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spatial_erasing.cohorts import members
from spatial_erasing.report.table_notes import VALIDATION_THRESHOLD, baseline_notes, table_caption
from spatial_erasing.report.table_page import write_html
from spatial_erasing.report.table_writers import write_csv, write_latex, write_markdown


def write_table(
    table: pd.DataFrame,
    files: Any,
    *,
    title: str,
    grid: tuple[int, ...],
    borrowed: Mapping[str, str],
) -> None:
    """Write a table as CSV, Markdown, HTML and LaTeX with its caption and notes.

    Args:
        table: of `table_1` or `table_2`.
        files: paths with the attributes csv, md, html and tex.
        title: first sentence of the caption.
        grid: voxels of the evaluated volumes.
        borrowed: cohort to the cohort whose threshold it takes.
    """
    source = VALIDATION_THRESHOLD
    if borrowed:
        source += ", but " + ", ".join(
            f"{cohort} takes that of {other}" for cohort, other in borrowed.items()
        )
    caption = table_caption(table, title=title, grid=grid, threshold_source=source)
    notes = baseline_notes(table)
    write_csv(table, files.csv)
    write_markdown(table, files.md, caption=caption, footnotes=notes)
    write_html(table, files.html, caption=caption, footnotes=notes)
    write_latex(table, files.tex, caption=caption, label=f"tab:{Path(files.tex).stem}", footnotes=notes)


def count_training_subjects(
    subject_rows: Sequence[Mapping[str, str]], *, percents: Sequence[int]
) -> dict[int, int]:
    """How many healthy subjects each share of the training split holds, of those that were preprocessed.

    Args:
        subject_rows: of `cohort_subjects.csv`.
        percents: shares of the training split.
    """
    done = [row for row in subject_rows if row["status"] == "done"]
    return {percent: len(members(done, split="training", fraction_percent=percent)) for percent in percents}
