"""Paths as people write them in config.yaml and in tables of scans."""

import os
import re
from pathlib import Path

from spatial_erasing.provenance import ROOT

DATA_VARIABLE = "SPATIAL_ERASING_DATA"


def anchor_data_folder() -> None:
    """Let a relative SPATIAL_ERASING_DATA count from where the command was typed, if it is there.

    With `--directory` Snakemake has changed into the run's directory before the first line is read; only the
    shell's PWD still knows the other.
    """
    value, typed_in = os.environ.get(DATA_VARIABLE), os.environ.get("PWD")
    if value and typed_in and Path(typed_in, value).exists():
        os.environ[DATA_VARIABLE] = str(Path(typed_in, value))


def expand_path(text: str, *, base: Path) -> Path:
    """The absolute path that `text` means, with `~` and `${VARIABLE}` replaced.

    Args:
        text: absolute, relative to `base`, or starting with `~` or a variable; a variable's own relative
            value counts from the current directory. `${WORKFLOW}` is the folder of the Snakefile, whatever
            the directory of the run.
        base: the folder that relative paths start from.

    Raises:
        ValueError: the variable is not set.
    """
    variables = os.environ | {"WORKFLOW": str(ROOT)}

    def value(match: re.Match) -> str:
        """What the variable holds."""
        if not variables.get(match[1]):
            raise ValueError(
                f"{text} needs the environment variable {match[1]}, which is not set. "
                f"Set it (export {match[1]}=/path/to/data), or write the whole path."
            )
        return variables[match[1]]

    start = Path.cwd() if text.startswith("${") else base
    return start.absolute() / Path(re.sub(r"\$\{(\w+)\}", value, text)).expanduser()
