"""What the report's rules share: a table in its formats, and the examples of Figure 7 from their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

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


def read_examples(  # noqa: PLR0913  the files of a figure and how its maps are made, by name
    subject_tables: Sequence[str],
    *,
    volumes: Sequence[str],
    scores: Sequence[str],
    model: str,
    spacing_mm: float,
    percentiles: tuple[float, ...],
    erosion_iterations: int,
    median_size_voxels: int,
) -> tuple[list[Example], tuple[float, ...]]:
    """The examples of Figure 7, chosen by percentile of DICE_S, and the size of their voxels in mm.

    Args:
        subject_tables: `subjects.csv` of the model, one a cohort.
        volumes: `volumes.npz` of the same cohorts.
        scores: their `test.npz`.
        model: whose examples.
        spacing_mm: of the padded grid.
        percentiles: of DICE_S among a cohort's test subjects.
        erosion_iterations: as evaluated.
        median_size_voxels: as evaluated.
    """
    rows = pd.concat([pd.read_csv(path, dtype={"subject": str}) for path in subject_tables])
    dice = rows.set_index(["cohort", "subject"])["dice"]
    chosen = choose_examples(rows, model=model, percentiles=percentiles)
    examples = []
    for volume_path, score_path in zip(volumes, scores, strict=True):
        cohort = Path(volume_path).parent.name
        with np.load(volume_path) as arrays, np.load(score_path) as reconstructed:
            names, scored = arrays["subject"].tolist(), reconstructed["subject"].tolist()
            padded_mm = arrays["padded_grid_voxels"] * spacing_mm
            for subject in chosen.get(cohort, []):
                index = names.index(subject)
                scan, brain = arrays["t1"][index].astype(np.float32), arrays["brain"][index]
                reconstruction = reconstructed["reconstruction"][scored.index(subject)].astype(np.float32)
                difference = anomaly_score(
                    scan,
                    reconstruction,
                    brain,
                    erosion_iterations=erosion_iterations,
                    median_size_voxels=median_size_voxels,
                )
                lesion = arrays["lesion"][index]
                examples.append(
                    Example(
                        cohort,
                        subject,
                        scan,
                        reconstruction,
                        difference.astype(np.float32),
                        lesion,
                        float(dice[cohort, subject]),
                    )
                )
            voxel_size_mm = tuple(padded_mm / arrays["t1"].shape[1:])
    return examples, voxel_size_mm
