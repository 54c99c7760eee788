"""A public data set, fetched, checked and unpacked into a folder that is there whole or not at all."""

import hashlib
import json
import logging
import shlex
import shutil
from pathlib import Path

from spatial_erasing.ingest.download import PAUSE_SECONDS, download, version_file
from spatial_erasing.ingest.unpack import RECORD, unpack

logger = logging.getLogger(__name__)


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
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {key: str(record[key]) for key in ("url", "sha256")}
    except (OSError, ValueError, TypeError, KeyError):
        return None


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
