"""No brain in two cohorts: it could train a network and test it."""

from collections.abc import Iterable, Sequence

from spatial_erasing.ingest.records import Row

# column of results/ingest/scans.csv: the earlier scan that a row repeats in another unit
SAME_BRAIN = "same_brain"


def require_own_brains(rows: Iterable[Row]) -> None:
    """Refuse a scan that two cohorts hold.

    Raises:
        ValueError: what `shared_brains` says.
    """
    if found := shared_brains(rows):
        raise ValueError(found)


def shared_brains(rows: Iterable[Row]) -> str:
    """What is said of scans that two cohorts hold, with the lines that leave one of each out; "" if none.

    Args:
        rows: of all cohorts, in their order; `duplicates.mark_rescaled` has found those in another unit.
    """
    pairs = _pairs([row for row in rows if row["status"] == "found"])
    if not pairs:
        return ""
    files = [
        f"  {_named(kept)} and {_named(row)}"
        + (", in another unit" if content_of(kept) != content_of(row) else "")
        for kept, row in pairs
    ]
    lines = dict.fromkeys(_line_to_leave_out(kept, row) for kept, row in pairs)
    return "\n".join(
        [
            f"{len(pairs)} scan{'s lie' if len(pairs) > 1 else ' lies'} in two cohorts, by the same voxels:",
            *files,
            "Expected each brain in one cohort: else it could train a network and test it. Write these lines",
            "into a table, and its path under ingest.exclude in config.yaml, and run the same command again:",
            "  cohort,subject,reason",
            *lines,
        ]
    )


def _named(row: Row) -> str:
    """A scan for an error."""
    return f"{row['path']} ({name_of(row)})"


def _line_to_leave_out(kept: Row, repeated: Row) -> str:
    """The line of ingest.exclude for the one without a lesion mask; if both are alike, for the second."""
    out, other = sorted((repeated, kept), key=lambda row: row["lesion"] != "[]")
    return f"  {out['cohort']},{out['subject']},the same scan as {other['cohort']} {other['subject']}"


def content_of(row: Row) -> str:
    """What two scans with the same voxels have in common; their bytes where voxels are damaged."""
    return row["voxels"] or row["sha256"]


def name_of(row: Row) -> str:
    """A scan by its cohort, subject and sequence."""
    return f"{row['cohort']} {row['subject']} {row['sequence']}"


def _pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Each scan that repeats an earlier one, behind that one."""
    first: dict[str, Row] = {}
    names = {name_of(row): row for row in rows}
    pairs = []
    for row in rows:
        kept = first.setdefault(content_of(row), row) if row["sha256"] else row
        if kept is row:
            kept = names.get(row.get(SAME_BRAIN, ""), row)
        if kept is not row:
            pairs.append((kept, row))
    return pairs
