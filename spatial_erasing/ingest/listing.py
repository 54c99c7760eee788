"""A cohort listed from its data, or from its last list where nothing of the data is left."""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spatial_erasing.ingest.exclusion import Row, skip_unfit
from spatial_erasing.ingest.kept import keep_rows, kept_rows, kept_sizes, rows_as_listed
from spatial_erasing.ingest.scans import list_scans
from spatial_erasing.ingest.source import is_gone, is_unmounted, sizes_now

logger = logging.getLogger(__name__)


def list_or_keep(
    listed: Path, *, source: Mapping[str, Any], cohort: str, exclude: Mapping[str, str]
) -> list[Row]:
    """The cohort's rows; where nothing of its data is left, those of the last time it was listed.

    Where one of several disks is gone, its subjects keep their rows.

    Args:
        listed: the list that is to be written.
        source: the cohort's settings, those of SOURCE.
        cohort: its name.
        exclude: subjects that the user leaves out, with the reason of each.

    Raises:
        FileNotFoundError: the data are gone, and no list was kept for these settings.
    """
    gone = is_gone(source["reader"], source["path"], sequences=source["sequences"])
    kept = kept_rows(listed, source=source, exclude=exclude) if gone else None
    if kept is not None:
        logger.warning("%s: nothing is left at %s; its list is kept", cohort, source["path"])
        return kept
    rows = list_scans(**source, cohort=cohort, exclude=exclude)
    if not gone:  # a table whose files are all missing must not take the place of what was found once
        data = {"reader": source["reader"], "path": source["path"], "sequences": source["sequences"]}
        rows = _with_absent(rows, rows_as_listed(listed, source=source), source["sequences"], cohort)
        keep_rows(listed, rows, source=source, sizes=sizes_now(**data, known=kept_sizes(listed)))
    return rows


def _with_absent(rows: list[Row], known: Sequence[Row], sequences: Sequence[str], cohort: str) -> list[Row]:
    """The rows, of which a subject whose disk is gone has those of when it was found."""
    now, then = _by_subject(rows), _by_subject(known)
    absent = [subject for subject in now if _is_absent(now[subject], then.get(subject, []))]
    if not absent:
        return rows
    logger.warning("%s: the disk of %d subjects is gone; their rows are kept", cohort, len(absent))
    merged = [row for subject in now for row in (then if subject in absent else now)[subject]]
    skip_unfit(merged, sequences)  # a copy of a scan that is kept was new to the list
    return merged


def _is_absent(rows: Sequence[Row], known: Sequence[Row]) -> bool:
    """Whether nothing speaks against a subject that was found but that the disk of a file is gone."""
    paths = [[row["path"] for row in some] for some in (rows, known)]
    reasons = all(row["reason"].startswith(("missing file", "incomplete subject")) for row in rows)
    found = all(row["status"] == "found" for row in known)
    return reasons and found and paths[0] == paths[1] and any(map(_lacks_disk, rows))


def _lacks_disk(row: Row) -> bool:
    """Whether the disk of a scan or of a mask is gone."""
    files = [row["path"], *json.loads(row["lesion"]), *filter(None, [row["brain_mask"]])]
    return any(is_unmounted(Path(file)) for file in files)


def _by_subject(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each subject, in their order."""
    subjects = defaultdict(list)
    for row in rows:
        subjects[row["subject"]].append(row)
    return dict(subjects)
