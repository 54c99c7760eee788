"""A cohort listed from its data, or from its last list where no data are left, and what is said of lists."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from spatial_erasing.ingest.exclusion import unmet_exclusions
from spatial_erasing.ingest.records import Row, found_rows, masks_of
from spatial_erasing.ingest.scans import list_scans
from spatial_erasing.ingest.source import is_away, is_gone, keep_rows, kept_rows, rows_as_listed, sizes_now
from spatial_erasing.ingest.unfit import skip_unfit

logger = logging.getLogger(__name__)


def list_or_keep(
    listed: Path, *, source: Mapping[str, Any], cohort: str, exclude: Mapping[str, str]
) -> list[Row]:
    """The cohort's rows; where nothing of its data is left, those of the last time it was listed.

    Where one of several disks is gone, its subjects keep their rows.
    """
    data = {name: source[name] for name in ("reader", "path", "sequences")}
    gone = is_gone(**data)
    kept = kept_rows(listed, source=source, exclude=exclude) if gone else None
    if kept is not None:
        logger.warning("%s: nothing is left at %s; its list is kept", cohort, source["path"])
        return kept
    rows = list_scans(**source, cohort=cohort, exclude=exclude)
    if not gone:  # a table whose files are all missing must not take the place of what was found once
        known = rows_as_listed(listed, source=source)
        rows = _with_absent(rows, known, source, cohort)
        sizes = sizes_now(**data, listed=listed)
        keep_rows(listed, _with_excluded(rows, known), source=source, sizes=sizes)
    return rows


def _with_absent(rows: list[Row], known: Sequence[Row], source: Mapping[str, Any], cohort: str) -> list[Row]:
    """The rows, of which a subject whose disk is gone has those of when it was found."""
    now, then = _grouped(rows, "subject"), _grouped(known, "subject")
    reader = source["reader"]
    absent = {name: was for name, was in then.items() if _is_absent(now.get(name), was, reader=reader)}
    if not absent:
        return rows
    logger.warning("%s: the disk of %d subjects is gone; their rows are kept", cohort, len(absent))
    merged = [row for _, kept in sorted((now | absent).items()) for row in kept]
    skip_unfit(merged, source["sequences"])  # a copy of a scan that is kept was new to the list
    return merged


def _is_absent(rows: Sequence[Row] | None, known: Sequence[Row], *, reader: str) -> bool:
    """Whether nothing speaks against a subject that was found but that the disk of a file is gone."""
    if not all(row["status"] == "found" for row in known):
        return False
    if not any(is_away(reader, file) for row in known for file in _files_of(row)):
        return False
    lacking = all(row["reason"].startswith(("missing file", "incomplete subject")) for row in rows or ())
    if reader == "table":
        return rows is not None and lacking and [*map(_files_of, rows)] == [*map(_files_of, known)]
    return lacking or [row["path"] for row in rows or ()] == [row["path"] for row in known]


def _with_excluded(rows: Sequence[Row], known: Sequence[Row]) -> list[Row]:
    """The rows, of which a subject that is left out has those of when it was found: it may come back."""
    place = itemgetter("subject", "sequence", "path")
    found = {place(row): row for row in found_rows(known)}
    return [found.get(place(row), row) if row["reason"].startswith("excluded") else row for row in rows]


def _files_of(row: Row) -> list[Path]:
    return [Path(row["path"]), *masks_of(row)]


def _grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    """The rows with each value of a column, in their order."""
    groups = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return dict(groups)


def cohorts_summary(rows: Iterable[Row], *, excluded: Mapping[str, Mapping[str, str]]) -> str:
    """The lines of every cohort, in the order of the rows."""
    cohorts = _grouped(rows, "cohort").items()
    return "\n".join(count_summary(scans, excluded=excluded.get(cohort, {})) for cohort, scans in cohorts)


def count_summary(rows: Iterable[Row], *, excluded: Mapping[str, str]) -> str:
    """How many scans of a cohort were found, and how many skipped for which reason, with an example."""
    rows = list(rows)
    kinds = defaultdict(list)  # by the word that a reason begins with
    for row in rows:
        if row["status"] == "skipped":
            kinds[row["reason"].partition(": ")[0]].append(row)
    lines = [f"{_found_summary(rows)}, {sum(map(len, kinds.values()))} skipped"]
    for kind, skipped in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])):
        example = f"{skipped[0]['subject']} {skipped[0]['sequence']}"
        lines.append(f"  {len(skipped)} × {kind}, such as {example}")
    lines += [f"  {warning}" for warning in unmet_exclusions(rows, excluded)]
    return "\n".join(lines)


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
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
