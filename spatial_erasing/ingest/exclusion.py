"""The table of subjects that a user leaves out."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from spatial_erasing.ingest.records import normalised_name
from spatial_erasing.ingest.table import did_you_mean, read_table, surplus_problem

COLUMNS = ("cohort", "subject", "reason")
LAYOUT = (
    "a text file such as\n"
    "    cohort,subject,reason\n"
    "    healthy,IXI012,moved during the scan\n"
    "with one line for each subject to leave out"
)


def read_exclusions(table: Path, *, cohorts: Collection[str]) -> dict[str, dict[str, str]]:
    """Cohort to the subjects that are left out of it, each with its reason and the table's name.

    Raises:
        ValueError: the table is not there or cannot be read, has other columns, or a line names no subject or
            a cohort that does not exist.
    """
    rule = "all three are required"
    try:
        columns, lines = read_table(table, layout=LAYOUT, allowed=COLUMNS, required=COLUMNS, rule=rule)
    except OSError as error:
        raise ValueError(
            f"{table} (ingest.exclude) cannot be read: {error.strerror}. Expected {LAYOUT}. "
            "Correct the path under ingest.exclude in config.yaml, or write null to exclude no subject."
        ) from error
    excluded: dict[str, dict[str, str]] = {}
    for number, cells in lines:
        row = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=False))
        if problem := surplus_problem(cells, columns) or _line_problem(row, cohorts):
            raise ValueError(f"{table} (ingest.exclude) line {number} {problem}.")
        reason = " ".join(row["reason"].split()) or "no reason given"
        subject = normalised_name(row["subject"])
        excluded.setdefault(row["cohort"], {}).setdefault(subject, f"{reason} ({table.name})")
    return excluded


def unmet_exclusions(rows: Iterable[Mapping[str, str]], excluded: Mapping[str, str]) -> list[str]:
    """A warning for each line of the table that meets no subject of its cohort."""
    subjects = {row["subject"] for row in rows}
    return [
        f"warning: {subject} is to be excluded, {reason}, but no subject has that name"
        f"{did_you_mean(subject, sorted(subjects))}"
        for subject, reason in excluded.items()
        if subject not in subjects
    ]


def _line_problem(row: Mapping[str, str], cohorts: Collection[str]) -> str:
    """What is wrong with a line; "" if nothing."""
    if not row["subject"]:
        return "names no subject. Fill the cell, with a name of results/ingest/scans.csv"
    if row["cohort"] not in cohorts:
        return (
            f"names the cohort {row['cohort']!r}, which ingest.cohorts does not have"
            f"{did_you_mean(row['cohort'], cohorts)}. Expected one of {', '.join(cohorts)}. Correct the cell"
        )
    return ""
