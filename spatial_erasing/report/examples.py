"""Which test subjects Figure 7 shows: fixed percentiles of DICE_S, never picked by hand."""

import pandas as pd


def choose_examples(
    subject_rows: pd.DataFrame,
    *,
    model: str = "3d-cube-noise",
    sequence: str = "t1",
    fraction_percent: int = 100,
    percentiles: tuple[float, ...] = (50, 75),
) -> dict[str, list[str]]:
    """Per cohort, the test subjects nearest to these percentiles of DICE_S.

    Ranked by DICE_S, then by name; of several seeds, the lowest counts. Subjects without DICE_S (no lesion
    voxel on the grid) are left out; two percentiles that meet in one subject give it once.

    Args:
        subject_rows: model, fraction_percent, seed, cohort, sequence, subject, dice; as `subjects.csv`.

    Raises:
        ValueError: there is no row to choose from.
    """
    chosen = (
        (subject_rows["model"] == model)
        & (subject_rows["sequence"] == sequence)
        & (subject_rows["fraction_percent"] == fraction_percent)
    )
    rows = subject_rows[chosen & subject_rows["dice"].notna()]
    if rows.empty:
        raise ValueError(
            f"subjects.csv has no DICE_S of {model} at {fraction_percent} % on {sequence}; expected one row "
            "a test subject. Evaluate this model before drawing its examples."
        )
    rows = rows[rows["seed"] == rows["seed"].min()]
    return {
        cohort: _nearest_subjects(of_cohort, percentiles)
        for cohort, of_cohort in rows.groupby("cohort", sort=False)
    }


def _nearest_subjects(rows: pd.DataFrame, percentiles: tuple[float, ...]) -> list[str]:
    """Names at the rounded rank of each percentile, each name once."""
    ranked = rows.sort_values(["dice", "subject"])["subject"].tolist()
    ranks = [round(percentile / 100 * (len(ranked) - 1)) for percentile in percentiles]
    return list(dict.fromkeys(ranked[rank] for rank in ranks))
