"""Paths in config.yaml and in tables of scans, with `~` and variables."""

import os
import re
from collections.abc import Collection
from pathlib import Path

from spatial_erasing.jobs.provenance import ROOT

DATA_VARIABLE, WORKFLOW_VARIABLE = "SPATIAL_ERASING_DATA", "WORKFLOW"
TABLE_VARIABLES = (DATA_VARIABLE, WORKFLOW_VARIABLE)  # the only variables allowed in cells of a table


def anchor_data_folder() -> None:
    """Resolve a relative SPATIAL_ERASING_DATA against the shell's directory, if it exists there.

    With `--directory` Snakemake changes into the run's directory before it reads the Snakefile; only PWD
    still has the shell's directory.
    """
    value, typed_in = os.environ.get(DATA_VARIABLE), os.environ.get("PWD")
    if value and typed_in and Path(typed_in, value).exists():
        os.environ[DATA_VARIABLE] = str(Path(typed_in, value))


def expand_path(text: str, *, base: Path, allowed: Collection[str] | None = None) -> Path:
    """The absolute path of `text`, with `~` and `${VARIABLE}` replaced.

    Args:
        text: absolute, relative to `base`, or starting with `~` or a variable; a relative value of a variable
            is relative to the current directory. `${WORKFLOW}` is the folder of the Snakefile.
        base: folder of relative paths.
        allowed: the variables that may be replaced; None for all, as in config.yaml.

    Raises:
        ValueError: a variable is not allowed or not set, the user of `~user` is unknown, or a NUL character.
    """
    start = Path.cwd() if text.startswith("${") else base
    if "\0" in text:
        raise ValueError(
            f"{text!r} contains a NUL character. Expected the path of a file. Write it in a text editor."
        )
    path = Path(re.sub(r"\$\{(\w+)\}", lambda match: _value_of(match[1], text, allowed), text))
    try:
        return start.absolute() / path.expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"{text} begins with the home of an unknown user. Expected ~/ for your own home. "
            "Write the whole path."
        ) from error


def _value_of(variable: str, text: str, allowed: Collection[str] | None) -> str:
    """The value of a variable.

    Raises:
        ValueError: the variable is not allowed or not set.
    """
    if allowed is not None and variable not in allowed:
        raise ValueError(
            f"{text} names the variable {variable}. Expected a path without it: a table may come from "
            "someone else, and the value of a variable would appear in the results, so tables may only use "
            f"{' and '.join(f'${{{name}}}' for name in allowed)}. Write the whole path, or "
            f"export {DATA_VARIABLE}=/path/to/data and write ${{{DATA_VARIABLE}}}/..."
        )
    value = str(ROOT) if variable == WORKFLOW_VARIABLE else os.environ.get(variable)
    if not value:
        raise ValueError(
            f"{text} needs the environment variable {variable}, which is not set. "
            f"Set it (export {variable}=/path/to/data), or write the whole path."
        )
    return value
