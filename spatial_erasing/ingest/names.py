"""Image files of a data set: found below a folder, and what their names mean.

Needs no other package, so that the workflow can look for new scans before any job has started.
"""

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from spatial_erasing.paths import first_closed_folder


def find_images(folder: Path) -> list[Path]:
    """Every NIfTI file below a folder, in natural order (2 before 10).

    Raises:
        OSError: a folder may not be read; passing it over would lose subjects silently.
    """
    return sorted(find_files(folder, is_image_name), key=natural_order)


def find_files(folder: Path, is_wanted: Callable[[str], bool]) -> list[Path]:
    """Every file below a folder whose name is wanted, in no order; links to folders are followed.

    Hidden files and `__MACOSX` folders are left out: archives packed on a Mac hold a `._` double of each
    scan.

    Raises:
        OSError: a folder may not be read.
    """
    found, visited = [], set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        place = os.path.realpath(parent)
        if place in visited:  # a link that leads back would be walked for ever
            folders.clear()
            continue
        visited.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        found += [Path(parent, name) for name in names if is_wanted(name) and name[0] != "."]
    return found


def is_image_name(name: str) -> bool:
    """Whether a file is named like NIfTI."""
    return name.lower().endswith((".nii", ".nii.gz"))


def image_name(path: Path) -> str:
    """The name that carries meaning, without `.nii` or `.nii.gz`.

    Some unpackers and mirrors turn `subject_t1.nii.gz` into a folder `subject_t1.nii` around a file with the
    name it had before it was packed; there the folder's name is the one that the data set's owner gave.
    """
    name = path.parent.name if is_image_name(path.parent.name) else path.name
    return re.sub(r"\.nii(\.gz)?$", "", name, flags=re.IGNORECASE)


def case_folder(path: Path) -> Path:
    """The folder in which the image lies, seen past a folder that stands for the image (`image_name`)."""
    return path.parent.parent if is_image_name(path.parent.name) else path.parent


def natural_order(path: Path | str) -> tuple:
    """A sorting key that counts: `run-2` before `run-10`."""
    parts = re.split(r"([0-9]+)", str(path))
    return [int(part) if number % 2 else part for number, part in enumerate(parts)], str(path)


def folder_entries(folder: Path) -> list[os.DirEntry]:
    """What lies directly in a folder, hidden files left out; nothing if there is no such folder.

    `Path.glob` would pass over a folder that may not be read, and its subjects with it.

    Raises:
        OSError: the folder may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name[0] != "."]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        _raise(error)


def _raise(error: OSError) -> NoReturn:
    """Say how to open a folder that may not be read."""
    if not isinstance(error, PermissionError):
        raise error
    closed = first_closed_folder(Path(error.filename)) or error.filename
    raise PermissionError(
        f"{error.filename} may not be read. Expected every folder of a data set to be open to you: passing "
        "it over would lose subjects silently. Open it, or ask its owner to:\n"
        f"    chmod u+rx {shlex.quote(str(closed))}"
    ) from error
