"""Atomic writing: a file is complete or absent."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spatial_erasing.jobs.faults import NO_ROOM

FULL_BYTES = 4096  # a disk with less free is full


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8; a write that fails leaves the old one."""
    with replaced_when_complete(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


@contextmanager
def replaced_when_complete(path: str | Path) -> Iterator[Path]:
    """Give a temporary path of the same name; it becomes `path` once the block ends without an error.

    It lies in a folder of its own beside `path`. What a kill leaves there goes with the next writing of the
    file; and torch, which puts the name of a file into it, writes the same bytes every time. Where a disk is
    full or a quota used up, an OSError names file and disk, in whatever words the writer says so.
    """
    path = Path(path)
    folder = path.with_name(f".unfinished-{path.name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder / path.name
        (folder / path.name).replace(path)
    except Exception as error:
        if (number := _no_room(error, folder)) is None:
            raise
        raise OSError(number, f"{os.strerror(number)}: {not_written(path)}. Make room there.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def not_written(path: Path) -> str:
    """Which file could not be written, and on which disk."""
    disk = next(folder for folder in path.absolute().parents if folder.is_mount())
    free_mb = shutil.disk_usage(disk).free / 2**20
    return f"{path} could not be written; its disk, {disk}, has {free_mb:.0f} MB free"


def _no_room(error: BaseException, folder: Path) -> int | None:
    """The system's number for a full disk or quota, if that is behind an error; None if it is not.

    Torch and Pillow fail in words of their own, some of them after the system's error, some without.
    """
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, OSError) and behind.errno in NO_ROOM:
            return behind.errno
        behind = behind.__cause__ or behind.__context__
    is_full = folder.exists() and shutil.disk_usage(folder).free < FULL_BYTES
    return errno.ENOSPC if is_full else None
