"""A public data set, fetched, checked and unpacked into a folder that is there whole or not at all."""

import json
import logging
import shlex
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Any

from spatial_erasing.ingest.download import PAUSE_SECONDS, download, require_space, version_file
from spatial_erasing.ingest.files import sha256_of
from spatial_erasing.jobs.results import read_record

logger = logging.getLogger(__name__)

RECORD = ".fetched.json"  # in the unpacked folder: where its content came from
MOST_OF_FREE_SPACE = 0.9  # the rest stays for other jobs: a bomb is refused before the disk is full
LEAST_FILE_BYTES = 4096  # what an empty file takes from the disk
DEEPEST_FOLDER = 64  # programs that walk through folders fail where a thousand lie in each other
CHUNK_BYTES = 1 << 20
DAMAGED = (OSError, EOFError, RuntimeError, LZMAError, tarfile.TarError, zipfile.BadZipFile, zlib.error)
TAR_KINDS = {tarfile.SYMTYPE: "a link", tarfile.LNKTYPE: "a hard link", tarfile.FIFOTYPE: "a pipe"}
NO_FILE = "a device or something else that is no file"


def fetch_archive(
    url: str, folder: Path, *, sha256: str | None, pause_seconds: float = PAUSE_SECONDS
) -> dict[str, str]:
    """Bring the content of an archive into a folder, and say what was fetched: its address and SHA-256.

    Nothing is fetched if the folder holds this archive already.

    Args:
        folder: replaced as a whole if it holds another archive.
        sha256: what the archive must have; None accepts any and logs the line to write.

    Raises:
        ValueError: it cannot be fetched, is another file than expected, or cannot be unpacked safely.
    """
    archive = folder.with_name(f"{folder.name}.part")
    record = read_record(folder / RECORD, keys=("url", "sha256"))
    if record is None or record["url"] != url or sha256 not in (None, record["sha256"]):
        if folder.exists() and record is None:
            raise ValueError(
                f"{folder} is there already, but was not unpacked by this workflow. Expected nothing there, "
                "since the archive's content will replace it. Move it away, or write where it is then as the "
                "path of the cohort, and run the same command again."
            )
        download(url, archive, pause_seconds=pause_seconds)
        record = {"url": url, "sha256": _checked_sum(archive, sha256=sha256, name=folder.name)}
        _unpack_whole(archive, folder, record=record)
    for leftover in (archive, version_file(archive)):
        leftover.unlink(missing_ok=True)
    logger.info("%s holds the content of %s, SHA-256 %s", folder, url, record["sha256"])
    return record


def _checked_sum(archive: Path, *, sha256: str | None, name: str) -> str:
    found = sha256_of(archive)
    if sha256 is None:
        logger.info(
            "to be sure that a later run fetches the same file, write under ingest.downloads.%s: sha256: %s",
            name,
            found,
        )
    elif found != sha256:
        raise ValueError(
            f"{archive} has the SHA-256 {found}. Expected {sha256}, which ingest.downloads.{name} says. Its "
            "owner may have changed it, or it was damaged on its way. If you trust it, write the new sum "
            f"into config.yaml and run the same command again; to fetch it anew first: rm "
            f"{shlex.quote(str(archive))}"
        )
    return found


def _unpack_whole(archive: Path, folder: Path, *, record: dict[str, str]) -> None:
    """Unpack beside the folder and rename at the end, so that half of it is never taken for the whole."""
    unfinished, replaced = (folder.with_name(folder.name + end) for end in (".unpacking", ".replaced"))
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir()
        unpack(archive, unfinished)
        (unfinished / RECORD).write_text(json.dumps(record), encoding="utf-8")
        if folder.exists():
            folder.rename(replaced)
        unfinished.rename(folder)
    finally:
        for leftover in (unfinished, replaced):
            shutil.rmtree(leftover, ignore_errors=True)


@dataclass(frozen=True)
class Member:
    """A file or folder of an archive."""

    name: str  # its path within the archive, as it is stored
    kind: str  # "file", "folder" or, in words, what else it is
    size_bytes: int  # of its unpacked content
    opened: Callable[[], Any]  # gives its content as a stream


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .tar (packed by gzip, bzip2 or xz, or not) or .zip; nothing lands outside the folder.

    Raises:
        ValueError: it is no archive, is damaged, holds more than there is room for, a link or a device, or
            names a file outside its folder.
    """
    try:
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                _write_members(_tar_members(tar), archive, folder)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                needed_bytes = sum(member.file_size for member in packed.infolist())
                require_space(folder, needed_bytes, what=f"the content of {archive}")
                _write_members(_zip_members(packed), archive, folder)
        else:
            with archive.open("rb") as stream:
                start = stream.read(40)
            archive.unlink()  # another try may bring the right one
            raise ValueError(
                f"{archive} is no archive, it starts with {start!r}. Expected a .tar, .tar.gz or .zip; a "
                "page (<html>) means that the owner wants a login or has moved the file. Open the address in "
                "a browser, correct ingest.downloads in config.yaml, and run the same command again."
            )
    except DAMAGED as error:
        raise ValueError(
            f"{archive} cannot be unpacked ({type(error).__name__}: {error}). Expected a whole .tar, .tar.gz "
            "or .zip without a password, and room for its content. Make room, or delete that file to fetch "
            f"it anew, and run the same command again:\n    rm {shlex.quote(str(archive))}"
        ) from error


def _tar_members(tar: tarfile.TarFile) -> Iterator[Member]:
    """The members of a .tar; an absolute name counts from the folder, as tar itself reads it."""
    for member in tar:
        plain = "file" if member.isreg() else "folder" if member.isdir() else None
        kind = plain or TAR_KINDS.get(member.type, NO_FILE)
        yield Member(member.name.lstrip("/"), kind, member.size, partial(tar.extractfile, member))
    # `tarfile` takes a damaged header for the end of the archive
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise EOFError(f"it is damaged or cut off at byte {tar.offset:,}, where its next file should begin")
    while tar.fileobj.read(CHUNK_BYTES):  # the checksum of a packed archive lies at its very end
        pass


def _zip_members(packed: zipfile.ZipFile) -> Iterator[Member]:
    """The members of a .zip, whose kind stands in the upper half of its attributes if Unix packed it."""
    for member in packed.infolist():
        mode = stat.S_IFMT(member.external_attr >> 16)
        kind = "folder" if member.is_dir() else "file"
        if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
            kind = "a link" if mode == stat.S_IFLNK else NO_FILE
        yield Member(member.filename, kind, member.file_size, partial(packed.open, member))


def _write_members(members: Iterable[Member], archive: Path, folder: Path) -> None:
    """Write what is a plain file or folder, and count the bytes before they are written."""
    allowed_bytes = int(MOST_OF_FREE_SPACE * shutil.disk_usage(folder).free)
    needed_bytes, files = 0, 0
    for member in members:
        target = _target(member, archive, folder)
        if PurePosixPath(member.name.casefold()).parts[:1] == (RECORD,):
            logger.info("%s holds a %s of its own, which is left out", archive, RECORD)
            continue
        needed_bytes += max(member.size_bytes, LEAST_FILE_BYTES)
        if needed_bytes > allowed_bytes:
            raise ValueError(
                f"{archive} ({archive.stat().st_size / 1e6:,.1f} MB) holds {needed_bytes / 1e6:,.1f} MB or "
                f"more, counted up to {member.name!r}. Expected at most {allowed_bytes / 1e6:,.1f} MB, "
                f"{100 * MOST_OF_FREE_SPACE:.0f} % of what is free. Nothing of it was kept. Make room, or "
                "let the study run on another disk (--directory), and run the same command again. If its "
                f"owner says that it holds less, do not trust it:\n    rm {shlex.quote(str(archive))}"
            )
        if member.kind == "folder":
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_file(member, target)
            files += 1
    if not files:
        raise EOFError("it holds no file")


def _target(member: Member, archive: Path, folder: Path) -> Path:
    if member.kind not in ("file", "folder"):
        raise ValueError(_unsafe(archive, f"{member.name!r}, which is {member.kind}"))
    name = PurePosixPath(member.name.replace("\\", "/"))
    target = (folder / member.name).resolve()
    if name.is_absolute() or ".." in name.parts or not target.is_relative_to(folder.resolve()):
        raise ValueError(_unsafe(archive, f"{member.name!r}, a name outside its folder"))
    if len(name.parts) > DEEPEST_FOLDER:
        raise ValueError(
            _unsafe(archive, f"a file below {len(name.parts) - 1} folders, {name.parts[0]!r} first")
        )
    return target


def _unsafe(archive: Path, found: str) -> str:
    """What is said of an archive that could do more than bring files."""
    return (
        f"{archive} holds {found}. Expected nothing but plain files and folders below one folder. Nothing of "
        "it was kept. Do not trust it; get the archive from its owner. To fetch it anew, remove this one and "
        f"run the same command again:\n    rm {shlex.quote(str(archive))}"
    )


def _write_file(member: Member, target: Path) -> None:
    """Write the content, of which no more is read than its archive has said."""
    left_bytes = member.size_bytes
    with member.opened() as source, target.open("wb") as stream:
        while left_bytes > 0 and (chunk := source.read(min(CHUNK_BYTES, left_bytes))):
            stream.write(chunk)
            left_bytes -= len(chunk)
    if left_bytes:
        raise EOFError(f"{member.name!r} has {left_bytes} bytes less than its archive says")
