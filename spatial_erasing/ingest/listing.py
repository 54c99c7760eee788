"""A cohort listed from its data, or from its last list where nothing of the data is left."""

import logging
from collections.abc import Mapping
from pathlib import Path

from spatial_erasing.ingest.exclusion import Row
from spatial_erasing.ingest.kept import keep_rows, kept_rows
from spatial_erasing.ingest.scans import list_scans
from spatial_erasing.ingest.source import is_gone

logger = logging.getLogger(__name__)


def list_or_keep(
    listed: Path, *, source: Mapping[str, object], cohort: str, exclude: Mapping[str, str]
) -> list[Row]:
    """The cohort's rows; where nothing of its data is left, those of the last time it was listed.

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
        keep_rows(listed, rows, source=source)
    return rows
