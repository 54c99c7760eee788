"""Results that a later job reads: whole, or refused with the file's name and the command that makes it again.

Files are renamed into place when they are complete, so a damaged one has met a bad disk, a copy that was cut
short, or an editor. The plan of a study reads tables too, and its machine may lack numpy: arrays import it.
"""

import csv
import errno
import io
import json
import shlex
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_erasing.jobs.faults import one_line

if TYPE_CHECKING:
    import numpy as np

csv.field_size_limit(sys.maxsize)  # a list of many lesion files is longer than the usual 131,072 characters
ARCHIVE = b"PK\3\4"  # how a zip file with content begins


def damaged(path: str | Path, finding: str) -> OSError:
    """The error of a result that is not what its job wrote; no finding about a scan, so no ValueError."""
    name = shlex.quote(str(path))
    # Made together with what depends on it, the file would count as new: networks would be trained again.
    return OSError(
        f"{path} is not the whole file that its job wrote ({finding}). Make it again: rm {name}, then give "
        f"your command once with -- {name} at its end, then as it is."
    )


@contextmanager
def _whole(path: str | Path) -> Iterator[None]:
    """Zipfile, zlib, numpy, csv and json raise a dozen unrelated types for a damaged file; here it is one."""
    try:
        yield
    except MemoryError:
        raise  # to make the file again would not help
    except Exception as error:
        # a damaged table of contents of an archive leads zipfile to a place that no file has
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise damaged(path, one_line(error)) from error


class StoredArrays(Mapping[str, "np.ndarray"]):
    """The arrays of an npz file, each read when it is asked for."""

    def __init__(self, path: str | Path, stored: Any) -> None:
        self._path, self._stored = path, stored

    def __getitem__(self, name: str) -> "np.ndarray":
        with _whole(self._path):
            return self._stored[name]

    def rows(self, name: str, wanted: Sequence[bool]) -> "np.ndarray":
        """The wanted rows of an array, along its first axis; only they and one further row are in memory."""
        import numpy as np  # noqa: PLC0415 - see above

        with _whole(self._path), self._stored.zip.open(f"{name}.npy") as stream:
            np.lib.format.read_magic(stream)
            shape, in_columns, dtype = np.lib.format.read_array_header_1_0(stream)
            if in_columns or shape[0] != len(wanted):
                raise ValueError(f"{name} has the shape {shape}, expected {len(wanted)} rows")
            found = np.empty((sum(map(bool, wanted)), *shape[1:]), dtype)
            places = iter(found)
            for is_wanted in wanted:
                row = stream.read(prod(shape[1:]) * dtype.itemsize)
                if is_wanted:
                    next(places)[...] = np.frombuffer(row, dtype).reshape(shape[1:])
            stream.read()  # zipfile compares the checksum at the end
            return found

    def __contains__(self, name: object) -> bool:
        return name in self._stored.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored.files)

    def __len__(self) -> int:
        return len(self._stored.files)


@contextmanager
def open_arrays(path: str | Path) -> Iterator[StoredArrays]:
    """The arrays of an npz file, open within the block; an OSError names a damaged file."""
    import numpy as np  # noqa: PLC0415 - see above

    with _whole(path):
        with Path(path).open("rb") as stream:
            if stream.read(len(ARCHIVE)) != ARCHIVE:  # numpy would advise to load it unsafely
                raise ValueError("it does not begin as an archive of arrays")
        stored = np.load(path)
    with stored:
        yield StoredArrays(path, stored)


def read_json(path: str | Path, *, keys: Collection[str] = ()) -> dict[str, Any]:
    """The object that a JSON file holds; an OSError names a file that is damaged or lacks a key."""
    with _whole(path):
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"a {type(content).__name__}, expected an object")
        if lacking := [key for key in keys if key not in content]:
            raise ValueError(f"it has no {', '.join(lacking)}")
        return content


def read_record(path: str | Path, *, keys: Collection[str] = ()) -> dict[str, Any] | None:
    """The object of a JSON file that is written last of all; None where it is missing or damaged."""
    try:
        return read_json(path, keys=keys)
    except OSError as error:
        if error.errno not in (None, errno.ENOENT):
            raise
        return None


def read_table_text(path: str | Path) -> str:
    """The text of a CSV file, which ends with a whole line."""
    with _whole(path):
        text = Path(path).read_bytes().decode("utf-8")
        if not text.endswith("\n") or "\0" in text:
            raise ValueError("no text" if "\0" in text else "it ends within a line" if text else "0 bytes")
        return text


class Cells(dict[str, str]):
    """A row of a CSV file, column to cell; one that lacks a column says of which file it is."""

    __slots__ = ("path",)

    def __init__(self, cells: Iterable[tuple[str, str]], path: str | Path) -> None:
        super().__init__(cells)
        self.path = path

    def __missing__(self, column: str) -> str:
        raise damaged(self.path, f"it has no column {column}")


def read_cells(path: str | Path) -> list[Cells]:
    """The rows of a CSV file as they are written; an OSError names a file with a row of other length."""
    text = read_table_text(path)
    with _whole(path):
        header, *rows = filter(None, csv.reader(io.StringIO(text, newline="")))
        for number, cells in enumerate(rows, start=1):
            if len(cells) != len(header):
                raise ValueError(f"row {number} has {len(cells)} cells, expected {len(header)}")
        return [Cells(zip(header, cells, strict=True), path) for cells in rows]
