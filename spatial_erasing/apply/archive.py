"""The zip file of a bundle, read without trusting it: nothing is unpacked to disk, nothing is executed."""

import io
import json
import math
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np

from spatial_erasing.jobs.atomic import replaced_when_complete

CHECKSUMS = "checksums.sha256"
TEXTS = ("README.md", "LICENSE", "metadata.json", "settings.json", CHECKSUMS)
MEMBER = re.compile(r"(weights|example)/[A-Za-z0-9][\w.-]*|healthy\.npz|" + "|".join(map(re.escape, TEXTS)))
LARGEST_BYTES = 2 << 30  # of all members together: networks of some hundred million weights
MOST_MEMBERS = 200
DATE = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same content gives the same zip
_DAMAGED = (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def refuse(path: Path, finding: str) -> ValueError:
    """The error of a file that is no bundle to be trusted."""
    return ValueError(
        f"{path} is not used as a model: {finding}. Expected a whole bundle of this software. Fetch it again "
        "from where it came from, or write it anew with `spatial-erasing bundle`."
    )


def write_archive(path: str | Path, files: Mapping[str, bytes]) -> None:
    """Write a bundle with the checksums of its files; the same content gives the same bytes.

    Args:
        path: of the zip.
        files: name to content.
    """
    lines = "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    with replaced_when_complete(path) as unfinished, zipfile.ZipFile(unfinished, "w") as packed:
        for name, content in sorted({**files, CHECKSUMS: lines.encode()}.items()):
            member = zipfile.ZipInfo(name, DATE)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            packed.writestr(member, content)


def read_archive(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name, each compared with its checksum.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or holds anything that a bundle does not: another name, a link, more bytes
            than a model can have, a file that does not match its checksum.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Give the path of a bundle (.zip) with --model.")
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
            _require_harmless(path, members)
            files = {member.filename: packed.read(member) for member in members}
    except _DAMAGED as error:
        raise refuse(path, f"it cannot be read as a zip ({type(error).__name__}: {error})") from error
    if missing := [name for name in (*TEXTS, "healthy.npz") if name not in files]:
        raise refuse(path, f"it lacks {', '.join(missing)}")
    _require_checksums(path, files)
    return files


def _require_harmless(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse a list of members before any of them is unpacked."""
    if len(members) > MOST_MEMBERS:
        raise refuse(path, f"it holds {len(members)} files, more than {MOST_MEMBERS}")
    if len({member.filename for member in members}) < len(members):
        raise refuse(path, "two of its files have the same name")
    for member in members:
        if not MEMBER.fullmatch(member.filename):
            raise refuse(path, f"it holds {member.filename[:200]!r}, which is no file of a bundle")
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            raise refuse(path, f"its {member.filename} is a link or a device")
    if (size := sum(member.file_size for member in members)) > LARGEST_BYTES:
        raise refuse(path, f"it unpacks to {size:,} bytes, more than {LARGEST_BYTES:,}")


def _require_checksums(path: Path, files: Mapping[str, bytes]) -> None:
    with readable(path, CHECKSUMS):
        lines = [line.split("  ", 1) for line in files[CHECKSUMS].decode().splitlines()]
        stated = {name: digest for digest, name in lines}
    if differing := (stated.keys() | {CHECKSUMS}) ^ files.keys():
        raise refuse(path, f"{sorted(differing)[0]} is not in its list of checksums, or only there")
    for name, digest in stated.items():
        if sha256(files[name]).hexdigest() != digest:
            raise refuse(path, f"{name} does not match its checksum")


@contextmanager
def readable(path: Path, name: str) -> Iterator[None]:
    """Turn the many errors that foreign content can raise into one ValueError.

    Raises:
        ValueError: naming the bundle and the file in it.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        first = " ".join(str(error).split())[:300].rstrip(". ")
        raise refuse(path, f"its {name} cannot be used ({type(error).__name__}: {first})") from error


def read_json(path: Path, files: Mapping[str, bytes], name: str) -> dict:
    """A JSON file of a bundle, an object."""
    with readable(path, name):
        content = json.loads(files[name])
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
        return content


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as the bytes of an npz file, always the same for the same arrays."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(member, content.getvalue())
    return stream.getvalue()


def unpack_arrays(content: bytes, *, largest_bytes: int = 256 << 20) -> dict[str, np.ndarray]:
    """The arrays of an npz file; a header that promises more numbers than follow it is refused.

    Raises:
        ValueError: too many bytes, or a shape or type that cannot be.
    """
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        if sum(member.file_size for member in packed.infolist()) > largest_bytes:
            raise ValueError(f"it unpacks to more than {largest_bytes:,} bytes")
        for member in packed.infolist():
            stream = io.BytesIO(packed.read(member))
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, _, dtype = read(stream)
            held = len(stream.getbuffer()) - stream.tell()
            if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != held:
                raise ValueError(f"{member.filename} of shape {shape} does not fit its {held} bytes")
            stream.seek(0)
            name = member.filename.removesuffix(".npy")
            arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays
