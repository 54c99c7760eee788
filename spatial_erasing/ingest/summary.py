"""A summary of the scans found and skipped."""

from collections import Counter
from collections.abc import Iterable, Mapping

from spatial_erasing.ingest.exclusion import unmet_exclusions
from spatial_erasing.ingest.records import Row, found_rows


def cohorts_summary(rows: Iterable[Row], *, excluded: Mapping[str, Mapping[str, str]]) -> str:
    """The lines of every cohort, in the order of the rows.

    Args:
        rows: scans of all cohorts, found and skipped.
        excluded: cohort to the subjects that the user leaves out of it, with the reason of each.
    """
    cohorts: dict[str, list[Row]] = {}
    for row in rows:
        cohorts.setdefault(row["cohort"], []).append(row)
    return "\n".join(
        count_summary(of_cohort, excluded=excluded.get(cohort, {})) for cohort, of_cohort in cohorts.items()
    )


def count_summary(rows: Iterable[Row], *, excluded: Mapping[str, str]) -> str:
    """How many scans of a cohort were found and how many skipped, for which reason, with an example of each.

    Args:
        rows: the cohort's scans.
        excluded: subjects that the user leaves out, with the reason of each; one that meets nobody is a
            warning.
    """
    rows = list(rows)
    skipped = [row for row in rows if row["status"] == "skipped"]
    kinds = Counter(_kind(row) for row in skipped)
    lines = [f"{_found_summary(rows)}, {len(skipped)} skipped"]
    for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])):
        example = next(row for row in skipped if _kind(row) == kind)
        lines.append(f"  {count} × {kind}, such as {example['subject']} {example['sequence']}")
    lines += [f"  {warning}" for warning in unmet_exclusions(rows, excluded)]
    return "\n".join(lines)


def _kind(row: Row) -> str:
    """The word that a reason begins with."""
    return row["reason"].partition(": ")[0]


def _found_summary(rows: list[Row]) -> str:
    """What was found, by sequence, with how many lesion masks and scanners."""
    found = found_rows(rows)
    sequences = Counter(row["sequence"] for row in found)
    return (
        f"{', '.join(sorted({row['cohort'] for row in rows}))}: {_counted(len(found), 'scan')} of "
        f"{_counted(len({row['subject'] for row in found}), 'subject')} found "
        f"({', '.join(f'{name} {count}' for name, count in sorted(sequences.items())) or 'none'}; "
        f"{sum(row['lesion'] != '[]' for row in found)} with a lesion mask; "
        f"{_counted(len({row['scanner'] for row in found}), 'scanner')})"
    )


def _counted(count: int, word: str) -> str:
    """A number with its noun."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
