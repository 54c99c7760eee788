"""Paths as people write them in config.yaml and in tables of scans."""

import os
import re
from collections.abc import Collection
from pathlib import Path

from spatial_erasing.jobs.provenance import ROOT

DATA_VARIABLE, WORKFLOW_VARIABLE = "SPATIAL_ERASING_DATA", "WORKFLOW"
TABLE_VARIABLES = (DATA_VARIABLE, WORKFLOW_VARIABLE)  # the only ones that cells of a table may name


def anchor_data_folder() -> None:
    """Let a relative SPATIAL_ERASING_DATA count from where the command was typed, if it is there.

    With `--directory` Snakemake has changed into the run's directory before the first line is read; only the
    shell's PWD still knows the other.
    """
    value, typed_in = os.environ.get(DATA_VARIABLE), os.environ.get("PWD")
    if value and typed_in and Path(typed_in, value).exists():
        os.environ[DATA_VARIABLE] = str(Path(typed_in, value))


def expand_path(text: str, *, base: Path, allowed: Collection[str] | None = None) -> Path:
    """The absolute path that `text` means, with `~` and `${VARIABLE}` replaced.

    Args:
        text: absolute, relative to `base`, or starting with `~` or a variable; a variable's own relative
            value counts from the current directory. `${WORKFLOW}` is the folder of the Snakefile, whatever
            the directory of the run.
        base: the folder that relative paths start from.
        allowed: the variables that may be replaced; None for all, as in config.yaml.

    Raises:
        ValueError: a variable is not allowed or not set, there is no such user, or it can be no path.
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
            f"{text} begins with the home of a user who is not known here. Expected ~/ for your own. "
            "Write the whole path."
        ) from error


def require_part_of_disk(place: Path, *, named: str = "") -> None:
    """Refuse the folder of a data set that holds the whole disk, or all homes: to walk it would take hours.

    Args:
        place: the folder, as `expand_path` gives it.
        named: the key that names it and a colon, for the error.

    Raises:
        ValueError: it is the root of the file system, or a folder around the user's home.
    """
    real = Path(os.path.realpath(place))
    try:
        around_home = list(Path.home().resolve().parents)
    except RuntimeError:  # a user without a home, as in some containers
        around_home = []
    if real in (Path(real.anchor), *around_home):
        raise ValueError(
            f"{named}{place} holds much more than a data set, among it the homes or the system of this "
            f"machine. Expected the data set's own folder. Write its path into config.yaml (docs/data.md "
            f"shows the layout of each)."
        )


def _value_of(variable: str, text: str, allowed: Collection[str] | None) -> str:
    """What a variable holds.

    Raises:
        ValueError: it is not allowed or not set.
    """
    if allowed is not None and variable not in allowed:
        raise ValueError(
            f"{text} names the variable {variable}. Expected a path without it: a table may come from "
            "someone else, and what a variable holds would be written into the results, so there only "
            f"{' and '.join(f'${{{name}}}' for name in allowed)} are replaced. Write the whole path, or "
            f"export {DATA_VARIABLE}=/path/to/data and write ${{{DATA_VARIABLE}}}/..."
        )
    value = str(ROOT) if variable == WORKFLOW_VARIABLE else os.environ.get(variable)
    if not value:
        raise ValueError(
            f"{text} needs the environment variable {variable}, which is not set. "
            f"Set it (export {variable}=/path/to/data), or write the whole path."
        )
    return value
