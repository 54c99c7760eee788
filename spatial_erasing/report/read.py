"""The study's CSV files as tables of pandas."""

from pathlib import Path

import pandas as pd

NAMES = (
    "cohort",
    "subject",
    "sequence",
    "threshold_from",
)  # chosen by people, who may call a subject NA or 007
MISSING = ("", "nan")  # a number that there is not


def read_table(path: str | Path, *, sequence: str | None = None) -> pd.DataFrame:
    """A CSV file with its numbers as numbers and its names as texts.

    Pandas by itself takes the names NA, None, nan and null for missing ones, and 007 for the number 7.

    Args:
        path: of the file.
        sequence: whose rows are wanted; None for all rows.
    """
    columns = pd.read_csv(path, nrows=0).columns
    missing = {column: MISSING for column in columns if column not in NAMES}
    table = pd.read_csv(path, dtype=dict.fromkeys(NAMES, str), keep_default_na=False, na_values=missing)
    return table if sequence is None else table[table["sequence"] == sequence]
