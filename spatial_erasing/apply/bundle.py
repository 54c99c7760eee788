"""A model that left its study: one zip with weights, settings, healthy reference and model card."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.apply.archive import read_archive, read_json, readable, refuse, unpack_arrays

FORMAT = 1  # of the bundle; raised when an older version of this software could not use it
EXAMPLE_MODEL = Path(__file__).parent / "models" / "example.zip"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: every file in it matched its checksum.

    Args:
        path: of the zip.
        sha256: of the whole zip.
        metadata: what it is, its training population and its metrics.
        settings: how a scan is prepared and scored, see `settings.read_settings`.
        files: name to content.
    """

    path: Path
    sha256: str
    metadata: dict[str, Any]
    settings: dict[str, Any]
    files: Mapping[str, bytes]

    @cached_property
    def healthy(self) -> dict[str, np.ndarray]:
        """The arrays of `healthy.npz`."""
        with readable(self.path, "healthy.npz"):
            return unpack_arrays(self.files["healthy.npz"])

    @property
    def weights(self) -> list[str]:
        """The files of weights: one a member of the ensemble."""
        return sorted(name for name in self.files if name.startswith("weights/"))


def open_bundle(path: str | Path | None = None) -> Bundle:
    """Open a bundle, or the example model of this package; torch is not needed.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is damaged, hostile, or of a newer format.
    """
    if path is None and not EXAMPLE_MODEL.exists():
        raise FileNotFoundError(
            "this installation holds no example model. Give the bundle of a study with --model; "
            "`spatial-erasing bundle` writes one."
        )
    path = Path(path or EXAMPLE_MODEL)
    files = read_archive(path)
    metadata, settings = read_json(path, files, "metadata.json"), read_json(path, files, "settings.json")
    stated = metadata.get("bundle_format")
    if not isinstance(stated, int) or stated < 1:
        raise refuse(path, f"its metadata.json states the bundle_format {stated!r}")
    if stated > FORMAT:
        raise ValueError(
            f"{path} is a bundle of format {stated}; this version reads up to {FORMAT}. "
            "Install a newer one: pip install --upgrade spatial-erasing"
        )
    bundle = Bundle(path, sha256(path.read_bytes()).hexdigest(), metadata, settings, files)
    if not bundle.weights:
        raise refuse(path, "it holds no weights")
    return bundle


def describe(bundle: Bundle) -> str:
    """The model card, then what identifies the file."""
    members = ", ".join(name.removeprefix("weights/") for name in bundle.weights)
    return (
        f"{bundle.files['README.md'].decode(errors='replace')}\n"
        f"File: {bundle.path}\nSHA-256: {bundle.sha256}\nWeights: {members}\n"
    )


def settings_text(settings: Mapping[str, Any]) -> bytes:
    """JSON as it lies in a bundle."""
    return (json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
