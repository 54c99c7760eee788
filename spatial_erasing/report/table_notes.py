"""What must stand beside a table so that its numbers are not misread: its caption and its footnotes."""

import pandas as pd

from spatial_erasing.report.table_layout import PRINTED, cohorts_of, is_baseline, is_highest

VALIDATION_THRESHOLD = "a greedy search on the validation split of the same cohort and sequence"


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
        f"Subjects of {cohort} whose lesion keeps no voxel on the grid: {int(lost)}; they count in DICE_D "
        "and AUPRC only."
    )
