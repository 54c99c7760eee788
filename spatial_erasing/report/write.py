"""What the report's rules share: a table in its formats, examples and counts of subjects from their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from spatial_erasing.cohorts import members, read_rows
from spatial_erasing.report.examples import choose_examples
from spatial_erasing.report.figure_examples import Example
from spatial_erasing.report.table_notes import VALIDATION_THRESHOLD, baseline_notes, table_caption
from spatial_erasing.report.table_page import write_html
from spatial_erasing.report.table_writers import write_csv, write_latex, write_markdown
from spatial_erasing.score.postprocess import anomaly_score


def write_table(
    table: pd.DataFrame,
    files: object,
    *,
    title: str,
    grid: tuple[int, int, int],
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


def read_examples(
    subject_tables: Sequence[str],
    volumes: Sequence[str],
    scores: Sequence[str],
    *,
    model: str,
    percentiles: tuple[float, ...],
    post_processing: Mapping[str, int],
) -> list[Example]:
    """The examples of Figure 7, chosen by percentile of DICE_S.

    Args:
        subject_tables: `subjects.csv` of one run, one a cohort.
        volumes: `volumes.npz` of the same cohorts.
        scores: their `test.npz`.
        model: whose examples.
        percentiles: of DICE_S among a cohort's test subjects.
        post_processing: the keywords of `anomaly_score`, as evaluated.
    """
    rows = pd.concat([pd.read_csv(path, dtype={"subject": str}) for path in subject_tables])
    dice = rows.set_index(["cohort", "subject"])["dice"]
    chosen = choose_examples(rows, model=model, percentiles=percentiles)
    examples = []
    for volume_path, score_path in zip(volumes, scores, strict=True):
        cohort = Path(volume_path).parent.name
        for subject in chosen.get(cohort, []):
            scan, brain, lesion = _arrays_of(volume_path, subject, ("t1", "brain", "lesion"))
            (reconstruction,) = _arrays_of(score_path, subject, ("reconstruction",))
            difference = anomaly_score(scan, reconstruction, brain, **post_processing)
            images = [image.astype(np.float32) for image in (scan, reconstruction, difference)]
            examples.append(Example(cohort, subject, *images, lesion, float(dice[cohort, subject])))
    return examples


def count_training_subjects(
    volumes: Sequence[str | Path], splits: str | Path, *, percents: Sequence[int]
) -> dict[int, int]:
    """How many healthy subjects each share of the training split holds, of those that were preprocessed.

    Args:
        volumes: `volumes.npz` of each healthy cohort, in a folder of the cohort's name.
        splits: the CSV file that assigns the subjects.
        percents: shares of the training split.
    """
    present = set()
    for path in map(Path, volumes):
        with np.load(path) as arrays:
            present |= {(path.parent.name, name) for name in arrays["subject"].tolist()}
    rows = read_rows(splits)
    return {
        percent: len(members(rows, split="training", fraction_percent=percent) & present)
        for percent in percents
    }


def _arrays_of(path: str, subject: str, names: Sequence[str]) -> list[np.ndarray]:
    """A subject's part of these arrays of a file."""
    with np.load(path) as arrays:
        index = arrays["subject"].tolist().index(subject)
        return [arrays[name][index] for name in names]
