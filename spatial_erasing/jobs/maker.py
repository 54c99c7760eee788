"""What made weights, arrays or brains: Python, packages, code and device, kept inside or beside them."""

import json
import platform
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from spatial_erasing.jobs.results import open_arrays, read_cells, read_record


def describe_maker(code: str | None, *, device: str | None = None) -> str:
    """This process as a JSON text, for what it writes: a later version must not claim to have made it.

    Args:
        code: fingerprint of the code that made the content.
        device: name of the device that it was computed on, where that is not any processor.
    """
    maker = {"code": code, "python": platform.python_version(), "packages": _packages(), "device": device}
    return json.dumps(maker)


@cache
def _packages() -> dict[str, str]:
    """Name to version of every package; looked up once, since it takes longer than writing a brain."""
    packages: dict[str, str] = {}
    for found in distributions():
        packages.setdefault(found.name, found.version)  # the first one is the one that is imported
    return dict(sorted(packages.items()))


def maker_of_arrays(path: str | Path) -> str | None:
    """What made a file of arrays; None if it does not say so."""
    with open_arrays(path) as arrays:
        return str(arrays["made_by"]) if "made_by" in arrays else None


def makers_of_brains(table: str | Path) -> list[str]:
    """What made the brains that a batch's table lists, each maker once; none of brains that are removed.

    Brains that are kept from an earlier run may have been made by other packages than their neighbours.
    """
    makers = {}
    for row in read_cells(table):
        record = Path(row["folder"]) / "record.json"
        if row["folder"] and record.exists():
            made_by = (read_record(record) or {}).get("made_by")
            makers[json.dumps(made_by)] = made_by
    return [text for text, made_by in makers.items() if made_by]
