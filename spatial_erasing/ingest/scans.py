"""The list of a cohort's scans: what was found, what was skipped, and why."""

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from operator import itemgetter
from pathlib import Path

from spatial_erasing.ingest.files import describe_grid, describe_voxels, sha256_of
from spatial_erasing.ingest.records import OF_CONTENT, PUNCTUATION, Row, Scan, name_problem, normalised_name
from spatial_erasing.ingest.source import READERS
from spatial_erasing.ingest.unfit import skip_shared_lesions, skip_unfit
from spatial_erasing.jobs.faults import one_line, remedy
from spatial_erasing.paths import expand_path, require_part_of_disk

SKULL_STRIPS = ("deepbet", "robex", "hd-bet", "given", "none")
COLUMNS = (
    *("cohort", "subject", "scanner", "sequence", "path", "lesion", "brain_mask", "skull_strip"),
    *("sha256", "voxels", "moments", "grid", "status", "reason"),
)


def list_scans(
    reader: str,
    path: str | Path,
    *,
    sequences: Sequence[str],
    skull_strip: str,
    cohort: str,
    exclude: Mapping[str, str] | None = None,
) -> list[Row]:
    """One row a scan of the cohort, sorted by subject and sequence: found, or skipped with the reason.

    A pure function of the folder. Every header is read, every scan is hashed as a file and by its voxels.
    The found rows hold each subject once per sequence, with all sequences or none, and no two with the same
    content (`unfit.skip_unfit`).

    Args:
        reader: how the data set is laid out: a name in READERS.
        path: its folder, or the CSV file for "table"; `~` and `${VARIABLE}` are expanded.
        skull_strip: how brains are extracted where a row does not say it: one of SKULL_STRIPS.

    Raises:
        FileNotFoundError: `path` does not exist.
        ValueError: a setting is unknown, or nothing in `path` looks like this data set.
    """
    _require_settings(reader, sequences, skull_strip, cohort)
    place = expand_path(str(path), base=Path.cwd())
    require_part_of_disk(place, named=f"ingest.cohorts.{cohort}.path: ")
    if not place.exists():
        raise FileNotFoundError(f"{place} does not exist. {_advice(reader, cohort)}")
    if place.is_dir() == (reader == "table"):
        found = "a folder" if place.is_dir() else "a file (unpack an archive first)"
        raise ValueError(f"{place} is {found}. {_advice(reader, cohort)}")
    scans = READERS[reader].find_scans(place, sequences=tuple(dict.fromkeys(sequences)))
    if not scans:
        raise ValueError(f"{place} holds no scan that the reader {reader!r} knows. {_advice(reader, cohort)}")
    row_of = partial(_row, skull_strip=skull_strip, cohort=cohort, exclude=exclude or {})
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        rows = sorted(threads.map(row_of, scans), key=itemgetter("subject", "sequence"))
    skip_unfit(rows, sequences)
    skip_shared_lesions(rows)
    return rows


def _advice(reader: str, cohort: str) -> str:
    """What the reader expects, with an example, and which lines to change."""
    return (
        f"The reader {reader!r} expects {READERS[reader].LAYOUT}. "
        f"Correct `path:` (or `reader:`) under ingest.cohorts.{cohort} in config.yaml."
    )


def _require_settings(reader: str, sequences: Sequence[str], skull_strip: str, cohort: str) -> None:
    """Refuse settings that mean nothing."""
    known = READERS[reader].SEQUENCES if reader in READERS else None  # None: columns of any name
    unknown = [name for name in sequences if known is not None and name not in known]
    checks = {
        "reader": (reader not in READERS, reader, READERS),
        "sequences": (bool(unknown) or not sequences, sequences, known or ["one at least"]),
        "skull_strip": (skull_strip not in SKULL_STRIPS, skull_strip, SKULL_STRIPS),
    }
    for setting, (wrong, value, allowed) in checks.items():
        if wrong:
            raise ValueError(
                f"cohort {cohort} has {setting}: {value!r}. Allowed: {', '.join(allowed)}. "
                f"Correct `{setting}:` under ingest.cohorts.{cohort} in config.yaml."
            )


def _row(scan: Scan, *, skull_strip: str, cohort: str, exclude: Mapping[str, str]) -> Row:
    """The scan's row, with its content hashed if nothing speaks against using it."""
    strip, subject = scan.skull_strip or skull_strip, normalised_name(scan.subject)
    excluded = f"excluded: {exclude[subject]}" if subject in exclude else ""
    content: dict[str, str] = {}
    reason = excluded or scan.problem or _setting_problem(scan, strip)
    if not reason:
        content, reason = _checked_files(scan)
    row = {
        "cohort": cohort,
        "subject": subject,
        "scanner": " ".join(scan.scanner.split()),
        "sequence": scan.sequence,
        "path": str(scan.path),
        "lesion": json.dumps([str(path) for path in scan.lesion], ensure_ascii=False),
        "brain_mask": str(scan.brain_mask or ""),
        "skull_strip": strip,
        **{name: content.get(name, "") for name in OF_CONTENT},
        "status": "skipped" if reason else "found",
        "reason": reason,
    }
    return {name: _as_utf8(cell) for name, cell in row.items()}


def _as_utf8(text: str) -> str:
    r"""The text with bytes of a file name that are not UTF-8 as \xff, since a table could not hold them."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _setting_problem(scan: Scan, skull_strip: str) -> str:
    """What is wrong before any file is opened; "" if nothing."""
    for path in scan.files:
        if _as_utf8(str(path)) != str(path):
            return f"file name: {path} is not UTF-8. Expected a name that a table can hold. Rename it"
    if found := name_problem(normalised_name(scan.subject)):
        return (
            f"subject name: {scan.path} belongs to {scan.subject!r}, a name that {found}. Names become "
            f"folders and files: use letters, digits and {' '.join(PUNCTUATION)} alone. Rename the subject"
        )
    if skull_strip not in SKULL_STRIPS:
        return (
            f"skull_strip: {scan.path} has skull_strip {skull_strip!r}. Expected one of "
            f"{', '.join(SKULL_STRIPS)}. Correct the cell, or leave it empty for the cohort's setting"
        )
    if skull_strip == "given" and scan.brain_mask is None:
        return (
            f"no brain mask: {scan.path} shall be stripped with a given mask and has none. Add brain_mask in "
            "a table (BIDS: ..._desc-brain_mask.nii.gz), or set skull_strip: deepbet"
        )
    return ""


def _checked_files(scan: Scan) -> tuple[dict[str, str], str]:
    """What the scan holds, by the names of OF_CONTENT, and what is wrong with its files.

    A lesion on another grid than its scan is left to preprocessing, and so are damaged voxels.
    """
    content: dict[str, str] = {}
    try:
        content["grid"], *_ = [describe_grid(path) for path in scan.files]
        with suppress(ValueError):
            content["voxels"], content["moments"] = describe_voxels(scan.path)
        content["sha256"] = sha256_of(scan.path)
    except FileNotFoundError as error:
        return {}, f"missing file: {error}"
    except (ValueError, PermissionError) as error:
        return {}, f"unreadable: {error}"
    except OSError as error:  # of the disk: it says nothing about the scan
        raise OSError(f"{scan.path} cannot be checked: {one_line(error)}. {remedy(error)}") from error
    return content, ""
