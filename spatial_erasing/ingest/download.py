"""The resumable download of a file."""

import http.client
import json
import logging
import re
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, replace
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO

from spatial_erasing.jobs.results import read_record

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
TRIES = 6  # without a new byte
PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = 60
PROGRESS_SECONDS = 10
WORTH_ANOTHER_TRY = {408, 425, 429, 500, 502, 503, 504}
BY_HAND = (
    "Correct ingest.downloads in config.yaml, or fetch and unpack it yourself and write its folder as the "
    "path of the cohort."
)


@dataclass(frozen=True)
class Version:
    """What tells whether a server still has the file of which we hold a part."""

    url: str  # where it is
    validator: str | None  # a strong ETag or the time of its last change; None if the server says neither
    size_bytes: int | None  # of the whole file; None if the server does not say it

    def may_be(self, other: "Version | None") -> bool:
        """Whether nothing says that the other one is different."""
        if other is None or (self.url, self.validator) != (other.url, other.validator):
            return False
        return self.size_bytes == other.size_bytes or None in (self.size_bytes, other.size_bytes)


class WebRedirects(urllib.request.HTTPRedirectHandler):
    """Follow a redirect to another web address alone; urllib would go on to ftp."""

    def redirect_request(self, req: urllib.request.Request, *answer: Any) -> urllib.request.Request | None:
        """The next request; the last part of the answer is its address."""
        address = str(answer[-1])
        if not address.lower().startswith(("http://", "https://")):
            raise ValueError(
                f"{req.full_url} leads on to {address}. Expected a web address (http or https). {BY_HAND}"
            )
        return super().redirect_request(req, *answer)


WEB = urllib.request.build_opener(WebRedirects)


def download(url: str, target: Path, *, pause_seconds: float = PAUSE_SECONDS) -> None:
    """Fetch a file, or what is missing of it; nothing if `target` is whole already.

    Args:
        target: where it is written, piece by piece; what is there of the same version is kept.
        pause_seconds: before the second try; twice as long before each further one.

    Raises:
        ValueError: the address, the server or the disk does not allow it; what was fetched is kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while (known := _known_version(url, target)) is None or known.size_bytes != _size(target):
        held_bytes = _size(target)
        try:
            _fetch_rest(url, target)
        except (OSError, http.client.HTTPException) as error:
            failures = 1 if _size(target) > held_bytes else failures + 1
            _give_up_if_useless(error, url, target, has_tries=failures < TRIES)
            logger.info("%s; another try after %s", error, _megabytes(_size(target)))
            time.sleep(pause_seconds * 2 ** (failures - 1))
    logger.info("%s is fetched, %s", url, _megabytes(_size(target)))


def require_space(folder: Path, needed_bytes: int, *, what: str) -> None:
    """Refuse to begin what the disk has no room for."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise ValueError(
            f"{folder} has {_megabytes(free_bytes)} free. Expected {_megabytes(needed_bytes)} for {what}. "
            "Make room, or let the study run on another disk (--directory), and run the same command again."
        )


def version_file(target: Path) -> Path:
    """What remembers of which version of a file `target` is a part."""
    return target.with_name(target.name + ".json")


def _known_version(url: str, target: Path) -> Version | None:
    """The version of the file at this address of which `target` is a part; None if it is of no known one."""
    known = read_record(version_file(target), keys=("url", "validator", "size_bytes"))
    return Version(**known) if known and known["url"] == url and _size(target) else None


def _remember(version: Version, target: Path) -> None:
    version_file(target).write_text(json.dumps(asdict(version)), encoding="utf-8")


def _fetch_rest(url: str, target: Path) -> None:
    """One try: the bytes behind those that are there, or all if they are of another version."""
    held_bytes, known = _size(target), _known_version(url, target)
    headers = {"User-Agent": "spatial-erasing", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=headers)
    if known is not None:
        request.add_header("Range", f"bytes={held_bytes}-")
        if known.validator:
            request.add_header("If-Range", known.validator)
    with WEB.open(request, timeout=TIMEOUT_SECONDS) as response:
        version = _version_of(response.headers, url)
        start = _start_of(response)
        if start == 0:
            target.unlink(missing_ok=True)
            held_bytes = 0
        elif start != held_bytes or not version.may_be(known):
            target.unlink(missing_ok=True)
            raise ConnectionError(f"{url} has changed since a part of it was fetched")
        # once more for what is in it, which is at least as large
        needed_bytes = 2 * (version.size_bytes or 0) - held_bytes
        require_space(target.parent, needed_bytes, what=f"{url} and its content")
        _remember(version, target)
        logger.info("%s from %s on", url, _megabytes(held_bytes))
        _receive(response, target, version)


def _version_of(headers: Message, url: str) -> Version:
    """What the server says of the file. A weak ETag allows other bytes, so it does not count."""
    tag = headers.get("ETag", "")
    validator = tag if tag.startswith('"') else headers.get("Last-Modified")
    # "bytes 100-199/200", or the whole length alone
    length = headers.get("Content-Range", "") or headers.get("Content-Length", "")
    size = length.rpartition("/")[2]
    return Version(url, validator, int(size) if size.isdecimal() else None)


def _start_of(response: http.client.HTTPResponse) -> int | None:
    """The place in the file of the first byte that comes; None if a part comes that does not say it."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _receive(response: http.client.HTTPResponse, target: Path, version: Version) -> None:
    """Append what comes, with the progress in the log, and see that nothing is missing at the end."""
    whole = f" of {_megabytes(version.size_bytes)}" if version.size_bytes else ""
    told = time.monotonic()
    with target.open("ab", buffering=0) as stream:
        while chunk := response.read(CHUNK_BYTES):
            _append(chunk, stream, target)
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                logger.info("%s%s", _megabytes(_size(target)), whole)
    held_bytes = _size(target)
    if not held_bytes:
        answer = f"{response.status} {response.reason}"
        raise ConnectionError(f"{version.url} answered {answer} without a single byte")
    if version.size_bytes is None:
        _remember(replace(version, size_bytes=held_bytes), target)
    elif held_bytes > version.size_bytes:
        target.unlink()
        raise ConnectionError(f"{version.url} sent {held_bytes} bytes of {version.size_bytes}")
    elif held_bytes < version.size_bytes:
        raise ConnectionError(f"{version.url} ended after {held_bytes} of {version.size_bytes} bytes")


def _append(chunk: bytes, stream: BinaryIO, target: Path) -> None:
    """Write a piece to the unbuffered file, so that a killed run loses nothing of it."""
    rest = memoryview(chunk)
    try:
        while rest:  # a disk that is nearly full takes a part of it
            rest = rest[stream.write(rest) :]
    except OSError as error:
        raise ValueError(
            f"{target} cannot be written ({error}). Expected room for the whole file. Make room, or let the "
            "study run on another disk (--directory), and run the same command again: it goes on from there."
        ) from error


def _give_up_if_useless(error: Exception, url: str, target: Path, *, has_tries: bool) -> None:
    """Raise what the user can act on, unless another try may help."""
    if isinstance(error, urllib.error.HTTPError):
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # nothing lies behind what we hold, so what we hold is not of this file
            target.unlink(missing_ok=True)
        elif error.code not in WORTH_ANOTHER_TRY:
            raise ValueError(
                f"{url} answered {error.code} {error.reason}. Expected the file itself, without a login. "
                f"Open the address in a browser. {BY_HAND}"
            ) from error
    if not has_tries:
        raise ValueError(
            f"{url} could not be fetched: {error}. {_megabytes(_size(target))} are kept. Expected a server "
            f"that answers. Run the same command again later, it goes on from there. {BY_HAND}"
        ) from error


def _size(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
