"""Paths as people write them in config.yaml and in tables of scans, and whether they lead to a file."""

import errno
import os
import re
import shlex
import stat
from collections.abc import Collection
from pathlib import Path

from spatial_erasing.jobs.provenance import ROOT

DATA_VARIABLE, WORKFLOW_VARIABLE = "SPATIAL_ERASING_DATA", "WORKFLOW"
TABLE_VARIABLES = (DATA_VARIABLE, WORKFLOW_VARIABLE)  # the only variables allowed in cells of a table
ABOUT_THE_PATH = {errno.ELOOP, errno.ENAMETOOLONG}  # errors of the system that no other disk would mend


def anchor_data_folder() -> None:
    """Resolve a relative SPATIAL_ERASING_DATA against the shell's directory, if it exists there."""
    # with `--directory` Snakemake has changed into the run's directory; only PWD still has the shell's
    value, typed_in = os.environ.get(DATA_VARIABLE), os.environ.get("PWD")
    if value and typed_in and Path(typed_in, value).exists():
        os.environ[DATA_VARIABLE] = str(Path(typed_in, value))


def expand_path(text: str, *, base: Path, allowed: Collection[str] | None = None) -> Path:
    """The absolute path of `text`, with `~` and `${VARIABLE}` replaced.

    Args:
        text: absolute, relative to `base`, or starting with `~` or a variable; a relative value of a variable
            is relative to the current directory. `${WORKFLOW}` is the folder of the Snakefile.
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


def path_in_run(path: Path, *, root: Path) -> str:
    """A path relative to the run's folder if possible, so that a run moved with its table keeps its input."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def require_part_of_disk(place: Path, *, named: str = "") -> None:
    """Refuse a folder that holds the whole disk, or all homes, as a data set: to walk it would take hours."""
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


def require_file(path: Path) -> None:
    """Refuse what is no file with content that this user may read.

    Raises:
        FileNotFoundError: there is no such file, or a link to nothing.
        PermissionError: this user may not read it.
        ValueError: it is a folder or a device, or it is empty.
    """
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):  # to open a pipe would wait for its other end
            path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(_absence(path)) from error
    except PermissionError as error:
        raise PermissionError(_prohibition(path, error)) from error
    except OSError as error:
        if error.errno not in ABOUT_THE_PATH:
            raise
        raise unreadable(path, str(error.strerror)) from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        raise ValueError(
            f"{path} is {kind}, not a file. Expected an image file. Name the file itself; it may lie inside."
        )
    if status.st_size == 0:
        raise unreadable(path, "it is empty, 0 bytes")


def may_exist(path: Path) -> bool:
    """Whether a file exists; one in a closed folder counts, since reading it says what to do."""
    try:
        return path.exists()
    except OSError:
        return True


def unreadable(path: Path, finding: str) -> ValueError:
    """The error of a file that is no whole image."""
    return ValueError(
        f"{path} cannot be read as an image ({' '.join(finding.split())}). Expected a whole NIfTI (.nii, "
        ".nii.gz) or MGH (.mgz, .mgh) file. Fetch or convert the file again."
    )


def first_closed_folder(path: Path) -> Path | None:
    """The topmost folder on the way to a path that this user may not enter; None if all are open."""
    folders = reversed(path.absolute().parents)
    return next((folder for folder in folders if not os.access(folder, os.X_OK)), None)


def _value_of(variable: str, text: str, allowed: Collection[str] | None) -> str:
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


def _absence(path: Path) -> str:
    if path.is_symlink():
        return (
            f"{path} is a link to {path.readlink()}, which is not there. "
            "Fetch its content (datalad get, git annex get) or mount the disk that holds it."
        )
    return f"{path} does not exist. Correct its row in the cohort's table or its folder in config.yaml."


def _prohibition(path: Path, error: PermissionError) -> str:
    closed = first_closed_folder(path)
    command = f"chmod a+rx {shlex.quote(str(closed))}" if closed else f"chmod a+r {shlex.quote(str(path))}"
    return (
        f"{path} may not be read ({error.strerror}, user {os.geteuid()}). Expected a file that the user of "
        f"the study may read. Let its owner run: {command}"
    )
