"""What made a file of weights or arrays: Python, packages, code and device, kept inside the file."""

import json
import platform
from importlib.metadata import distributions
from pathlib import Path

import numpy as np


def describe_maker(code: str | None, *, device: str | None = None) -> str:
    """This process as a JSON text, for what it writes: a later version must not claim to have made it.

    Args:
        code: fingerprint of the code that made the content.
        device: name of the device that it was computed on, where that is not any processor.
    """
    packages: dict[str, str] = {}
    for found in distributions():
        packages.setdefault(found.name, found.version)  # the first one is the one that is imported
    maker = {
        "code": code,
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items())),
        "device": device,
    }
    return json.dumps(maker)


def maker_of_arrays(path: str | Path) -> str | None:
    """What made a file of arrays; None if it does not say so."""
    with np.load(path) as arrays:
        return str(arrays["made_by"]) if "made_by" in arrays.files else None
