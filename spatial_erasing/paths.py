"""Paths as people write them in config.yaml and in tables of scans."""

import os
import re
from pathlib import Path

from spatial_erasing.provenance import ROOT


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
        if not variables.get(match[1]):
            raise ValueError(
                f"{text} needs the environment variable {match[1]}, which is not set. "
                f"Set it (export {match[1]}=/path/to/data), or write the whole path."
            )
        return variables[match[1]]

    start = Path.cwd() if text.startswith("${") else base
    return start.absolute() / Path(re.sub(r"\$\{(\w+)\}", value, text)).expanduser()
