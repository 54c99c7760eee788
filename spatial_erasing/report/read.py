"""The study's CSV files as tables of pandas."""

import io
from pathlib import Path

import pandas as pd

from spatial_erasing.jobs.results import read_table_text

NAMES = ("cohort", "subject", "threshold_from")  # chosen by people, who may call a subject NA or 007
MISSING = ("", "nan")  # a number that there is not


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV file with its numbers as numbers and its names as texts.

    Pandas by itself takes the names NA, None, nan and null for missing ones, and 007 for the number 7.
    """
    text = read_table_text(path)
    columns = pd.read_csv(io.StringIO(text), nrows=0).columns
    missing = {column: MISSING for column in columns if column not in NAMES}
    names = dict.fromkeys(NAMES, str)
    return pd.read_csv(io.StringIO(text), dtype=names, keep_default_na=False, na_values=missing)
