"""The row of a scan in `scans.csv`, and `run.json`, which describes the whole call."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spatial_erasing import __version__
from spatial_erasing.apply.advice import for_the_command
from spatial_erasing.apply.bundle import Bundle
from spatial_erasing.apply.inputs import Input
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.faults import one_line, remedy

COLUMNS = (
    "name",
    "path",
    "status",
    "reason",
    "total_ml",
    "unusual_percent",
    "candidates",
    "warnings",
    "seconds",
)
DONE, KEPT, FAILED = "done", "kept", "failed"
LEFT = "left"  # by a fault of the machine: nothing is known about the scan


def finished_row(scan: Input, status: str, summary: dict[str, Any], begin: float) -> dict[str, Any]:
    """The row of a scan with results.

    Args:
        scan: the input.
        status: done, or kept from an earlier call.
        summary: content of its summary.json.
        begin: start of its examination, by `time.perf_counter`, in seconds.
    """
    names = [warning["name"] for warning in summary["warnings"]]
    return {
        "name": scan.name,
        "path": str(scan.path),
        "status": status,
        "reason": "",
        "total_ml": round(summary["total_ml"], 3),
        "unusual_percent": summary["unusual_percent"],
        "candidates": summary["candidates"],
        "warnings": "; ".join(dict.fromkeys(names)),
        "seconds": round(time.perf_counter() - begin, 2),
    }


def ended_row(scan: Input, status: str, error: BaseException) -> dict[str, Any]:
    """The row of a scan without results: the reason, and after a fault of the machine its remedy."""
    said = one_line(error) if status == FAILED else f"{one_line(error)} {remedy(error)}".rstrip()
    return {"name": scan.name, "path": str(scan.path), "status": status, "reason": for_the_command(said)}


def write_run(
    path: Path, rows: Sequence[Mapping], bundle: Bundle, *, options: Mapping[str, Any], begin: float
) -> None:
    """Write run.json: version, model, options, and the number of scans of each status."""
    statuses = [row["status"] for row in rows]
    content = {
        "version": __version__,
        "model": {"path": str(bundle.path), "sha256": bundle.sha256, "name": bundle.metadata.get("name")},
        "options": {name: str(value) for name, value in options.items()},
        "scans": {status: statuses.count(status) for status in (DONE, KEPT, FAILED, LEFT)},
        "seconds": round(time.time() - begin, 2),
    }
    write_text(path, json.dumps(content, indent=1) + "\n")
