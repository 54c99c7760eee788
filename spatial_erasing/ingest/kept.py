"""The list of a cohort, kept for the time when its data are not there any more.

Snakemake removes a list before it is made anew, so a copy lies beside it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from spatial_erasing.atomic import write_text
from spatial_erasing.ingest.exclusion import Row

SOURCE = ("reader", "path", "sequences", "skull_strip")  # settings of a cohort that its list depends on
OF_CONTENT = ("sha256", "voxels", "grid")


def kept_list(listed: Path) -> Path:
    """Where the copy of a cohort's list lies."""
    return listed.parent / ".kept" / f"{listed.stem}.json"


def keep_rows(listed: Path, rows: Sequence[Row], *, source: Mapping[str, object]) -> None:
    """Lay a copy of a cohort's rows beside its list, with the settings that they were made with."""
    write_text(kept_list(listed), json.dumps({"source": _plain(source), "rows": rows}, ensure_ascii=False))


def kept_rows(listed: Path, *, source: Mapping[str, object], exclude: Mapping[str, str]) -> list[Row] | None:
    """The rows of when a cohort was last listed, or None if it was listed with other settings.

    A subject may be left out later; one that was left out then was not looked at, and cannot come back.
    """
    try:
        kept = json.loads(kept_list(listed).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    if kept["source"] != _plain(source):
        return None
    comes_back = (
        row["reason"].startswith("excluded") and row["subject"] not in exclude for row in kept["rows"]
    )
    return None if any(comes_back) else [_excluded(row, exclude) for row in kept["rows"]]


def _plain(source: Mapping[str, object]) -> dict:
    """The settings as JSON gives them back."""
    return json.loads(json.dumps({name: source[name] for name in SOURCE}))


def _excluded(row: Row, exclude: Mapping[str, str]) -> Row:
    """The row as it is if its subject is left out, or unchanged."""
    if row["subject"] not in exclude:
        return row
    unknown = {name: "" for name in OF_CONTENT if name in row}
    return row | unknown | {"status": "skipped", "reason": f"excluded: {exclude[row['subject']]}"}
