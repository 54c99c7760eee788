"""Image files as bytes: there, permitted, unpacked to their end, and as long as their header promises."""

import errno
import gzip
import os
import shlex
import stat
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 20
ABOUT_THE_PATH = {errno.ELOOP, errno.ENAMETOOLONG}  # errors of the system that no other disk would mend
MOST_UNPACKED = 1032  # bytes that deflate can pack into one (zlib.net, "Maximum Compression Factor")


def require_file(path: Path) -> None:
    """Refuse what is no file with content that this user may read.

    Raises:
        FileNotFoundError: there is no such file, or a link to nothing.
        PermissionError: its user may not read it; with the command.
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


def unreadable(path: Path, finding: str) -> ValueError:
    """The error of a file that is no whole image."""
    return ValueError(
        f"{path} cannot be read as an image ({' '.join(finding.split())}). Expected a whole NIfTI (.nii, "
        ".nii.gz) or MGH (.mgz, .mgh) file. Fetch or convert the file again."
    )


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Nibabel, gzip and zlib raise a dozen unrelated types for a broken file; here they become one.

    Raises:
        ValueError: with what they found.
        OSError: of the disk or its mount, which says nothing about the file.
    """
    try:
        yield
    except MemoryError:
        raise  # to fetch the file again would not help
    except EOFError as error:
        raise unreadable(path, "it ends in the middle of its gzip content") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise unreadable(path, f"its gzip content is damaged: {error}") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise unreadable(path, f"{type(error).__name__}: {error}") from error


def is_packed(path: Path) -> bool:
    """Whether the name says that the content is packed with gzip."""
    return path.suffix.lower() in (".gz", ".mgz")


def first_bytes(path: Path, count: int) -> bytes:
    """The beginning of the unpacked content; a file that is shorter gives less.

    Raises:
        ValueError: there, gzip content is damaged or cut off.
    """
    with understood(path), _opened(path) as stream:
        return stream.read(count)


def unpacked_chunks(path: Path) -> Generator[bytes]:
    """The unpacked content piece by piece; the end of each gzip member is compared with its checksum."""
    with _opened(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def whole_content(path: Path, *, needed_bytes: int, spare_bytes: int) -> bytearray:
    """The unpacked content, read to its end, so that its checksum and length are known to be right.

    Args:
        path: to a file whose header was read.
        needed_bytes: as many as its header promises.
        spare_bytes: as many as may follow; reading stops beyond them, whatever a gzip bomb still holds.

    Raises:
        ValueError: damaged, cut off, or of another length.
    """
    content = bytearray()
    with understood(path), closing(unpacked_chunks(path)) as chunks:
        for chunk in chunks:
            content += chunk
            if len(content) > needed_bytes + spare_bytes:
                break
    require_whole(path, len(content), needed_bytes, spare_bytes=spare_bytes)
    return content


def unpacked_length(path: Path, *, at_most: int) -> int:
    """Length of the unpacked content, counted no further than just beyond `at_most`.

    Raises:
        ValueError: damaged or cut off.
    """
    held_bytes = 0
    with understood(path), closing(unpacked_chunks(path)) as chunks:
        for chunk in chunks:
            held_bytes += len(chunk)
            if held_bytes > at_most:
                break
    return held_bytes


def stated_length(path: Path) -> int:
    """The unpacked length, modulo 2³², that the last bytes of a gzip file state."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 4))
        return int.from_bytes(stream.read(4), "little")


def require_possible(path: Path, needed_bytes: int) -> None:
    """Refuse a header that promises more than gzip could have packed into the file, without unpacking it.

    Raises:
        ValueError: with both numbers.
    """
    held_bytes = path.stat().st_size
    if is_packed(path) and held_bytes * MOST_UNPACKED < needed_bytes:
        finding = f"its header promises {needed_bytes} bytes, more than {held_bytes} bytes of gzip can hold"
        raise unreadable(path, finding)


def require_whole(path: Path, held_bytes: int, needed_bytes: int, *, spare_bytes: int = 0) -> None:
    """Refuse a file that ends before its last voxel, or so far behind it that its header must be wrong.

    Raises:
        ValueError: with both numbers.
    """
    if held_bytes < needed_bytes:
        finding = f"it ends early: {held_bytes} of the {needed_bytes} bytes that its header promises"
        raise unreadable(path, finding)
    if held_bytes > needed_bytes + spare_bytes:
        raise unreadable(path, f"it goes on after the {needed_bytes} bytes that its header promises")


def _opened(path: Path) -> gzip.GzipFile | BinaryIO:
    """The unpacked content as a stream."""
    return gzip.open(path) if is_packed(path) else path.open("rb")


def _absence(path: Path) -> str:
    """What is missing: the file, or what a link leads to."""
    if path.is_symlink():
        return (
            f"{path} is a link to {path.readlink()}, which is not there. "
            "Fetch its content (datalad get, git annex get) or mount the disk that holds it."
        )
    return f"{path} does not exist. Correct its row in the cohort's table or its folder in config.yaml."


def first_closed_folder(path: Path) -> Path | None:
    """The topmost folder on the way to a path that this user may not enter; None if all are open."""
    folders = reversed(path.absolute().parents)
    return next((folder for folder in folders if not os.access(folder, os.X_OK)), None)


def _prohibition(path: Path, error: PermissionError) -> str:
    """Who may not read the file, and the command that lets them: for it, or for the first closed folder."""
    closed = first_closed_folder(path)
    command = f"chmod a+rx {shlex.quote(str(closed))}" if closed else f"chmod a+r {shlex.quote(str(path))}"
    return (
        f"{path} may not be read ({error.strerror}, user {os.geteuid()}). Expected a file that the user of "
        f"the study may read. Let its owner run: {command}"
    )
