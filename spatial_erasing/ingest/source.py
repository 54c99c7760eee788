"""Signatures of a cohort's raw files, which detect new and changed files before any job starts.

A cohort's list is kept for the time when its data are gone: Snakemake removes a list before it is made anew.
Needs no other package: a head node that plans the study may have Snakemake alone.
"""

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from spatial_erasing.ingest import atlas, bids, bids_names, brats, ixi, table
from spatial_erasing.ingest.records import OF_CONTENT, Row, find_files
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.results import read_record
from spatial_erasing.paths import expand_path, require_part_of_disk

SYNTHETIC = "synthetic"
UNSEEN = "not seen"
ABSENT = None  # the size of a file that is not there
SOURCE = ("reader", "path", "sequences", "skull_strip")  # settings of a cohort that its list depends on
ASKED = {"subject", "status", "reason"}  # of each row
READERS = {"atlas": atlas, "bids": bids, "brats": brats, "ixi": ixi, "table": table}


def download_of(path: str) -> str | None:
    """The entry of ingest.downloads in which a cohort's path lies, or None if it lies elsewhere."""
    parts = PurePosixPath(path).parts
    return parts[3] if parts[:3] == ("results", "ingest", "downloads") and len(parts) > 3 else None


def source_signature(
    reader: str, path: str, *, sequences: Sequence[str], listed: Path
) -> tuple[str, str | None]:
    """A hash of names and sizes of a cohort's files, and a warning if a file is newer though both agree.

    A file that could not be read when it was listed counts as another once its owner has opened it. Times do
    not count, so that a study copied to another machine does not train again. A file whose disk is gone
    counts with its size of when it was listed, and where nothing can be seen, because data were removed,
    unmounted or closed, it is the hash of then: a finished study needs its raw data no more.

    Args:
        listed: the cohort's list of scans, beside which the hash was recorded if it was made before.
    """
    if PurePosixPath(path).parts[:2] == ("results", "phantom"):
        return SYNTHETIC, None
    record = listed.with_suffix(".source")
    is_recorded = listed.exists() and record.exists()
    recorded = record.read_text(encoding="utf-8", errors="replace") if is_recorded else ""
    try:
        files = _named_files(reader, path, sequences)
        states = {name: _state(file) for name, file in files.items()}
    except (OSError, ValueError):  # list_scans says what is wrong, if it has to run
        return recorded or UNSEEN, None
    if all(size is ABSENT for size, _ in states.values()):
        return recorded or UNSEEN, None
    away = _files_away(reader, path, files, listed=listed)
    files |= {name: file for name, (file, _) in away.items()}
    states |= {name: (size, 0.0) for name, (_, size) in away.items()}
    signature = _hash_of(states)
    there = (name for name, (size, _) in states.items() if size is not ABSENT)
    closed = {name for name in there if not (os.access(files[name], os.R_OK) or name in away)}
    if closed and signature != recorded:  # else they were closed after they were listed, and nothing is lost
        signature = _hash_of(states, closed)
    newest = max(states, key=lambda name: states[name][1])
    if signature != recorded or states[newest][1] <= listed.stat().st_mtime:
        return signature, None
    return signature, (
        f"{files[newest]} is newer than {listed}, though names and sizes of the data are the same. "
        "If its content changed, add --forcerun list_scans to your command."
    )


def is_away(reader: str, file: Path) -> bool:
    """Whether a file is not there since its disk is not there: its path goes over a link that leads nowhere.

    Of a table's file it may also be that its folder is gone or empty, as a mount point is; below a folder
    that is read as a whole people do remove files and folders.
    """
    if file.exists():
        return False
    if any(place.is_symlink() and not place.exists() for place in (file, *file.parents)):
        return True
    return reader == "table" and not (file.parent.is_dir() and any(file.parent.iterdir()))


def sizes_now(reader: str, path: str, *, sequences: Sequence[str], listed: Path) -> dict[str, int]:
    """Bytes of each file that the list depends on; as when it was listed where its disk is gone."""
    files = _named_files(reader, path, sequences)
    sizes = {str(file): _state(file)[0] for file in files.values()}
    sizes |= {str(file): size for file, size in _files_away(reader, path, files, listed=listed).values()}
    return {name: size for name, size in sizes.items() if size is not ABSENT}


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


def _files_away(
    reader: str, path: str, files: Mapping[str, Path], *, listed: Path
) -> dict[str, tuple[Path, int | None]]:
    """Files whose disk is not there, by their names, with their sizes of when they were listed."""
    known = kept_sizes(listed)
    missing = {name: file for name, file in files.items() if _state(file)[0] is ABSENT}
    if reader != "table":  # what lies behind a dead link is not among the files that are found
        place = str(expand_path(path, base=Path.cwd()))
        unseen = set(known) - {str(file) for file in files.values()}
        missing |= {name[len(place) + 1 :]: Path(name) for name in unseen if name.startswith(f"{place}/")}
    away = {name: file for name, file in missing.items() if is_away(reader, file)}
    return {name: (file, known.get(str(file), ABSENT)) for name, file in away.items()}


def is_gone(reader: str, path: str, *, sequences: Sequence[str]) -> bool:
    """Whether nothing of a cohort's data is left: removed, unmounted, or an empty mount point."""
    try:
        files = _named_files(reader, path, sequences)
        return all(_state(file)[0] is ABSENT for file in files.values())
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # something is there, and list_scans says what is wrong with it
        return False


def _hash_of(states: Mapping[str, tuple[int | None, float]], closed: Collection[str] = ()) -> str:
    """A hash of names and sizes, and of which files may not be read."""
    lines = []
    for name, (size, _) in sorted(states.items()):
        lines.append(f"{name}\t{size}\tclosed" if name in closed else f"{name}\t{size}")
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _named_files(reader: str, path: str, sequences: Sequence[str]) -> dict[str, Path]:
    """The files that the list depends on, each under a name that stays when the data set is moved."""
    place = expand_path(path, base=Path.cwd())
    if reader == "table":  # the table itself is an input of the workflow
        lines = enumerate(table.find_scans(place, sequences=sequences))
        return {f"{line} {number}": file for line, scan in lines for number, file in enumerate(scan.files)}
    require_part_of_disk(place)
    is_bids = reader == "bids"
    files = bids_names.counting_files(place, sequences=sequences) if is_bids else find_files(place)
    start = len(str(place)) + 1
    return {str(file)[start:]: file for file in files}


def _state(file: Path) -> tuple[int | None, float]:
    """Size in bytes and time of the last change; a link to nothing has no size."""
    try:
        found = os.stat(file)  # noqa: PTH116 - a third faster than Path.stat, for thousands of files
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT, 0.0
    return found.st_size, found.st_mtime


def _kept(listed: Path) -> dict:
    """What was laid beside a list; nothing if it is missing or damaged."""
    kept = read_record(kept_list(listed), keys=("source", "rows", "sizes")) or {"rows": None, "sizes": None}
    if not isinstance(kept["rows"], list) or not isinstance(kept["sizes"], dict):
        return {}
    is_whole = all(isinstance(row, dict) and row.keys() >= ASKED for row in kept["rows"])
    return kept if is_whole else {}


def _plain(source: Mapping[str, object]) -> dict:
    """The settings as JSON gives them back."""
    return json.loads(json.dumps({name: source[name] for name in SOURCE}))


def _excluded(row: Row, exclude: Mapping[str, str]) -> Row:
    """The row as it is if its subject is left out, or unchanged."""
    if row["subject"] not in exclude:
        return row
    unknown = {name: "" for name in OF_CONTENT if name in row}
    return row | unknown | {"status": "skipped", "reason": f"excluded: {exclude[row['subject']]}"}
