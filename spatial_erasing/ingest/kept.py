"""The list of a cohort, kept for the time when its data are not there any more.

Snakemake removes a list before it is made anew, so a copy lies beside it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from spatial_erasing.ingest.own_brains import Row
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.results import read_record

SOURCE = ("reader", "path", "sequences", "skull_strip")  # settings of a cohort that its list depends on
ASKED = {"subject", "status", "reason"}  # of each row
OF_CONTENT = ("sha256", "voxels", "moments", "grid")


def kept_list(listed: Path) -> Path:
    """Where the copy of a cohort's list lies."""
    return listed.parent / ".kept" / f"{listed.stem}.json"


def keep_rows(
    listed: Path, rows: Sequence[Row], *, source: Mapping[str, object], sizes: Mapping[str, int]
) -> None:
    """Lay a copy of a cohort's rows beside its list, with their settings and the sizes of its files."""
    content = {"source": _plain(source), "rows": rows, "sizes": dict(sizes)}
    write_text(kept_list(listed), json.dumps(content, ensure_ascii=True))


def kept_sizes(listed: Path) -> dict[str, int]:
    """Bytes of each file when the cohort was last listed."""
    return _kept(listed).get("sizes", {})


def rows_as_listed(listed: Path, *, source: Mapping[str, object]) -> list[Row]:
    """The rows of when a cohort was last listed; none if it was listed with other settings."""
    kept = _kept(listed)
    return kept["rows"] if kept.get("source") == _plain(source) else []


def kept_rows(listed: Path, *, source: Mapping[str, object], exclude: Mapping[str, str]) -> list[Row] | None:
    """The rows of when a cohort was last listed, or None if it was listed with other settings.

    A subject may be left out later; one that was left out then was not looked at, and cannot come back.
    """
    rows = rows_as_listed(listed, source=source)
    comes_back = (row["reason"].startswith("excluded") and row["subject"] not in exclude for row in rows)
    return None if not rows or any(comes_back) else [_excluded(row, exclude) for row in rows]


def _kept(listed: Path) -> dict:
    """What was laid beside a list; nothing if there is none or it is broken."""
    kept = read_record(kept_list(listed), keys=("source", "rows", "sizes")) or {"rows": None}
    is_whole = isinstance(kept["rows"], list) and all(map(_is_row, kept["rows"]))
    return kept if is_whole and isinstance(kept["sizes"], dict) else {}


def _is_row(row: object) -> bool:
    """Whether a row has what is asked of each."""
    return isinstance(row, dict) and row.keys() >= ASKED


def _plain(source: Mapping[str, object]) -> dict:
    """The settings as JSON gives them back."""
    return json.loads(json.dumps({name: source[name] for name in SOURCE}))


def _excluded(row: Row, exclude: Mapping[str, str]) -> Row:
    """The row as it is if its subject is left out, or unchanged."""
    if row["subject"] not in exclude:
        return row
    unknown = {name: "" for name in OF_CONTENT if name in row}
    return row | unknown | {"status": "skipped", "reason": f"excluded: {exclude[row['subject']]}"}
