"""Which scanner a BIDS scan came from."""

import csv
import json
import logging
import os
from pathlib import Path
from typing import Any

from spatial_erasing.ingest.bids_names import SUFFIXES, parse_name
from spatial_erasing.ingest.records import Scan

logger = logging.getLogger(__name__)

COLUMNS = ("scanner", "scanner_id", "site", "site_id", "center", "centre", "institution")  # in this order
UNKNOWN = {"", "n/a", "na", "nan"}


def read_participants(root: Path) -> dict[str, str]:
    """The scanner of each subject as participants.tsv tells it; empty if it has no such column.

    A broken file costs the scanners' names, with a warning in the log, and no scan.
    """
    path = root / "participants.tsv"
    if not os.path.lexists(path):
        return {}
    try:
        lines = list(csv.DictReader(_read_text(path).splitlines(), delimiter="\t"))
    except (PermissionError, ValueError, csv.Error) as error:  # an error of the disk is none of the file
        _warn(path, error, expected="tab-separated text in UTF-8")
        return {}
    scanners = {}
    for line in lines:
        cells = {key.strip().lower(): (value or "").strip() for key, value in line.items() if key}
        known = [cells[name] for name in COLUMNS if cells.get(name, "").lower() not in UNKNOWN]
        if known:
            scanners["sub-" + cells.get("participant_id", "").removeprefix("sub-")] = known[0]
    return scanners


def scanner_of(scan: Scan, root: Path, participants: dict[str, str]) -> str:
    """The scanner by participants.tsv, else model, field strength and serial number of the sidecar JSON."""
    if scan.subject in participants:
        return participants[scan.subject]
    sidecar = _read_sidecars(scan.path, root, suffix=SUFFIXES[scan.sequence])
    field = sidecar.get("MagneticFieldStrength")
    parts = [
        str(sidecar.get("ManufacturersModelName", "")).strip(),
        f"{field}T" if field not in (None, "") else "",
        str(sidecar.get("DeviceSerialNumber", "")).strip(),
    ]
    return " ".join(part for part in parts if part.lower() not in UNKNOWN) or "unknown"


def _read_sidecars(scan: Path, root: Path, *, suffix: str) -> dict:
    """What the JSON files above a scan say of it; the nearest wins (BIDS' inheritance principle)."""
    entities = parse_name(scan).entities.items()
    said: dict[str, Any] = {}
    for folder in reversed([place for place in scan.parents if place == root or root in place.parents]):
        for path in sorted(folder.glob(f"*{suffix}.json")):
            if parse_name(path.with_suffix(".nii")).entities.items() <= entities:
                said |= _read_json(path)
    return said


def _read_json(path: Path) -> dict:
    """The content of a sidecar; nothing if it is broken, because a scan is worth more than its scanner."""
    try:
        content = json.loads(_read_text(path))
    except (PermissionError, ValueError, RecursionError) as error:
        _warn(path, error, expected="an object in JSON")
        return {}
    return content if isinstance(content, dict) else {}


def _read_text(path: Path) -> str:
    """A text file; a pipe or a device would be read for ever.

    Raises:
        PermissionError: it may not be read.
        ValueError: it is no file, a link to nothing, or not UTF-8.
    """
    if not path.is_file():
        raise ValueError("it is no file, or a link to nothing")
    return path.read_text(encoding="utf-8-sig")


def _warn(path: Path, error: Exception, *, expected: str) -> None:
    """Say in the log why a scanner has no name."""
    logger.warning(
        "%s cannot be read (%s: %s). Expected %s. A scanner that it alone names is listed as unknown; mend "
        "it and run again with --forcerun list_scans to stratify splits by it.",
        *(path, type(error).__name__, error, expected),
    )
