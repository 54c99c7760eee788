"""Files that are never half there, whatever happens while they are written."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8; a write that fails leaves the old one."""
    with replaced_when_complete(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


@contextmanager
def replaced_when_complete(path: str | Path) -> Iterator[Path]:
    """Give a temporary path of the same name; it becomes `path` once the block ends without an error.

    It lies in a folder of its own beside `path`. What a kill leaves there goes with the next writing of the
    file; and torch, which puts the name of a file into it, writes the same bytes every time.
    """
    path = Path(path)
    folder = path.with_name(f".unfinished-{path.name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder / path.name
        (folder / path.name).replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
