"""A public data set, fetched, checked and unpacked into a folder that is there whole or not at all."""

import hashlib
import json
import logging
import shutil
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from spatial_erasing.ingest.download import PAUSE_SECONDS, download, require_space, version_file

logger = logging.getLogger(__name__)

RECORD = ".fetched.json"
DAMAGED = (OSError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


def fetch_archive(
    url: str, folder: Path, *, sha256: str | None, pause_seconds: float = PAUSE_SECONDS
) -> dict[str, str]:
    """Bring the content of an archive into a folder, and say what was fetched: its address and SHA-256.

    Nothing is fetched if the folder holds this archive already. The archive lies beside the folder while it
    is fetched, and is removed once it is unpacked.

    Args:
        url: of a .tar, .tar.gz, .tar.xz or .zip file.
        folder: replaced as a whole if it holds another archive.
        sha256: what the archive must have; None accepts any and logs the line to write.
        pause_seconds: before another try.

    Raises:
        ValueError: it cannot be fetched, is another file than expected, or cannot be unpacked safely.
    """
    archive = folder.with_name(f"{folder.name}.part")
    record = _record_of(folder)
    if record is None or record["url"] != url or sha256 not in (None, record["sha256"]):
        _require_own_folder(folder, has_record=record is not None)
        download(url, archive, pause_seconds=pause_seconds)
        record = {"url": url, "sha256": _checked_sum(archive, sha256=sha256, name=folder.name)}
        _unpack_whole(archive, folder, record=record)
    for leftover in (archive, version_file(archive)):
        leftover.unlink(missing_ok=True)
    logger.info("%s holds the content of %s, SHA-256 %s", folder, url, record["sha256"])
    return record


def _record_of(folder: Path) -> dict[str, str] | None:
    """Where the content of a folder came from, or None if it was not unpacked here."""
    path = folder / RECORD
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _require_own_folder(folder: Path, *, has_record: bool) -> None:
    """Refuse to replace files that someone else put there."""
    if folder.exists() and not has_record:
        raise ValueError(
            f"{folder} is there already, but was not unpacked by this workflow. Expected nothing there, "
            "since the archive's content will replace it. Move it away, or write where it is then as the "
            "path of the cohort, and run the same command again."
        )


def _checked_sum(archive: Path, *, sha256: str | None, name: str) -> str:
    """The archive's SHA-256, refused if it is not the expected one."""
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
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
            f"into config.yaml and run the same command again; to fetch it anew first: rm '{archive}'"
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


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .tar (packed by gzip, bzip2 or xz, or not) or .zip; nothing lands outside the folder.

    Raises:
        ValueError: it is no archive, is damaged, has no room or names a file outside its folder.
    """
    if not hasattr(tarfile, "data_filter"):
        raise ValueError(f"Python {sys.version} cannot unpack safely. Expected 3.11.4 or newer. Install it.")
    try:
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        elif zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder)
        else:
            _refuse(archive)
    except tarfile.FilterError as error:
        raise ValueError(_unsafe(archive, str(error))) from error
    except DAMAGED as error:
        raise ValueError(
            f"{archive} cannot be unpacked ({type(error).__name__}: {error}). Expected a whole .tar, .tar.gz "
            "or .zip without a password, and room for its content. Make room, or delete that file to fetch "
            "it anew, and run the same command again."
        ) from error


def _unpack_zip(archive: Path, folder: Path) -> None:
    """Unpack a .zip, whose directory says beforehand how much is in it and under which names."""
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            name = PurePosixPath(member.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts:
                raise ValueError(_unsafe(archive, repr(member.filename)))
        needed_bytes = sum(member.file_size for member in packed.infolist())
        require_space(folder, needed_bytes, what=f"the content of {archive}")
        packed.extractall(folder)


def _unsafe(archive: Path, found: str) -> str:
    """What is said of an archive that reaches out of its folder."""
    return (
        f"{archive} names a file outside its folder ({found}). Expected ordinary files below one folder. "
        "Nothing of it was kept. Do not trust it; get the archive from its owner."
    )


def _refuse(archive: Path) -> None:
    """Say what came instead of an archive; it is removed, since another try may bring the right one."""
    with archive.open("rb") as stream:
        start = stream.read(40)
    archive.unlink()
    raise ValueError(
        f"{archive} is no archive, it starts with {start!r}. Expected a .tar, .tar.gz or .zip; a page "
        "(<html>) means that the owner wants a login or has moved the file. Open the address in a browser, "
        "correct ingest.downloads in config.yaml, and run the same command again."
    )
