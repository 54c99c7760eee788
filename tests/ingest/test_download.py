import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from spatial_erasing.ingest import download as module
from spatial_erasing.ingest.download import download, require_space, version_file

CONTENT = np.random.default_rng(0).bytes(3_000_000)


class Server:
    """A file on 127.0.0.1, with the habits of servers as attributes that a test may change."""

    def __init__(self):
        self.content, self.etag, self.modified = CONTENT, '"one"', None
        self.ranges, self.heeds_if_range, self.says_size = True, True, True
        self.breaks_after = []  # bytes after which the next answers end
        self.statuses = []  # with which the next answers refuse
        self.seconds_a_megabyte = 0.0
        self.requests = []
        handler = type("Handler", (Handler,), {"settings": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/file.tar"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}).start()


class Handler(BaseHTTPRequestHandler):
    settings: Server

    def do_GET(self):
        server = self.settings
        asked = {name: self.headers.get(name) for name in ("Range", "If-Range") if name in self.headers}
        server.requests.append(asked)
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        start = self._start(asked)
        if start is not None and start >= len(server.content):
            self.send_error(416)
            return
        self.send_response(200 if start is None else 206)
        body = server.content[start or 0 :]
        if start is not None:
            whole = len(server.content) if server.says_size else "*"
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{whole}")
        if server.says_size:
            self.send_header("Content-Length", str(len(body)))
        for name, value in (("ETag", server.etag), ("Last-Modified", server.modified)):
            if value:
                self.send_header(name, value)
        self.end_headers()
        self._send(body[: server.breaks_after.pop(0)] if server.breaks_after else body)

    def _start(self, asked):
        server = self.settings
        if not server.ranges or "Range" not in asked:
            return None
        is_other = asked.get("If-Range") not in (None, server.etag, server.modified)
        if is_other and server.heeds_if_range:
            return None
        return int(asked["Range"].removeprefix("bytes=").removesuffix("-"))

    def _send(self, body):
        for first in range(0, len(body), 100_000):
            time.sleep(self.settings.seconds_a_megabyte / 10)
            self.wfile.write(body[first : first + 100_000])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "downloads/ixi.part"


def fetch(server, target):
    download(server.url, target, pause_seconds=0.001)
    return target.read_bytes() == server.content


def stop_after(server, target, count):
    """Leave what a run leaves that ends after so many bytes and has no further try."""
    server.breaks_after = [count]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TRIES", 1)
        with pytest.raises(ValueError, match="could not be fetched"):
            fetch(server, target)
    assert target.stat().st_size == count
    server.requests.clear()


def test_a_file_comes_byte_for_byte_and_is_not_fetched_twice(server, target):
    assert fetch(server, target) and fetch(server, target)
    assert server.requests == [{}]


def test_a_broken_connection_goes_on_where_it_was(server, target):
    server.breaks_after = [1_000_000, 500_000]
    assert fetch(server, target)
    assert server.requests == [
        {},
        {"Range": "bytes=1000000-", "If-Range": '"one"'},
        {"Range": "bytes=1500000-", "If-Range": '"one"'},
    ]


def test_a_stopped_run_goes_on_where_it_was(server, target):
    stop_after(server, target, 1_234_567)
    assert fetch(server, target)
    assert server.requests == [{"Range": "bytes=1234567-", "If-Range": '"one"'}]


def test_a_killed_run_loses_nothing_but_the_last_piece(server, target):
    server.seconds_a_megabyte = 1.0
    code = (
        "import sys; from pathlib import Path; from spatial_erasing.ingest.download import download; "
        "download(sys.argv[1], Path(sys.argv[2]))"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code, server.url, str(target)], cwd=root) as process:
        end = time.monotonic() + 20
        while not (target.exists() and target.stat().st_size > 300_000) and time.monotonic() < end:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    held = target.stat().st_size
    assert 300_000 < held < len(CONTENT)
    server.seconds_a_megabyte = 0.0
    assert fetch(server, target)
    assert server.requests[-1]["Range"] == f"bytes={held}-"


def test_a_file_that_has_changed_meanwhile_starts_again(server, target):
    stop_after(server, target, 1_000_000)
    server.content, server.etag = CONTENT[::-1], '"two"'
    assert fetch(server, target)
    assert server.requests == [{"Range": "bytes=1000000-", "If-Range": '"one"'}]


def test_a_server_that_forgets_if_range_is_not_believed(server, target):
    stop_after(server, target, 1_000_000)
    server.content, server.etag, server.heeds_if_range = CONTENT[::-1], '"two"', False
    assert fetch(server, target)
    assert [request.get("Range") for request in server.requests] == ["bytes=1000000-", None]


def test_another_size_under_the_same_name_starts_again(server, target):
    server.etag = None
    stop_after(server, target, 1_000_000)
    server.content = CONTENT[::-1] + b"more"
    assert fetch(server, target)
    assert server.requests == [{"Range": "bytes=1000000-"}, {}]


def test_a_file_that_became_shorter_than_what_is_held_starts_again(server, target):
    server.etag = None
    stop_after(server, target, 1_000_000)
    server.content = CONTENT[-500_000:]
    assert fetch(server, target)


def test_a_server_without_ranges_starts_again(server, target):
    stop_after(server, target, 1_000_000)
    server.ranges = False
    assert fetch(server, target)


@pytest.mark.parametrize(
    ("etag", "modified", "expected"),
    [
        (None, "Tue, 24 Nov 2026 08:00:00 GMT", "Tue, 24 Nov 2026 08:00:00 GMT"),
        ('W/"weak"', "Tue, 24 Nov 2026 08:00:00 GMT", "Tue, 24 Nov 2026 08:00:00 GMT"),
        ('W/"weak"', None, None),
        (None, None, None),
    ],
)
def test_what_tells_versions_apart_is_the_best_that_the_server_says(server, target, etag, modified, expected):
    server.etag, server.modified = etag, modified
    stop_after(server, target, 1_000_000)
    assert fetch(server, target)
    assert [request.get("If-Range") for request in server.requests] == [expected]
    assert server.requests[0]["Range"] == "bytes=1000000-"


def test_a_server_that_does_not_say_the_size_is_read_to_its_end(server, target):
    server.says_size = False
    assert fetch(server, target) and fetch(server, target)
    assert len(server.requests) == 1


def test_another_address_starts_again(server, target):
    stop_after(server, target, 1_000_000)
    server.url += "?version=2"
    assert fetch(server, target) and server.requests == [{}]


@pytest.mark.parametrize("record", ["", "[]", '{"url": 1, "other": 2}', None])
def test_a_part_of_which_nobody_knows_the_version_starts_again(server, target, record):
    stop_after(server, target, 1_000_000)
    version_file(target).unlink() if record is None else version_file(target).write_text(record)
    assert fetch(server, target) and server.requests == [{}]


def test_a_busy_server_is_asked_again(server, target):
    server.statuses = [503, 429, 500]
    assert fetch(server, target) and len(server.requests) == 4


def test_tries_are_counted_from_the_last_byte_that_came(server, target):
    server.breaks_after = [200_000] * 14
    assert module.TRIES < 14 and fetch(server, target)


def test_pauses_grow_and_end(server, target, monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.statuses = [503] * 20
    with pytest.raises(ValueError, match=r"could not be fetched: HTTP Error 503.*Run the same command again"):
        download(server.url, target, pause_seconds=2)
    assert pauses == [2 * 2**n for n in range(module.TRIES - 1)]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_address_without_the_file_is_an_error_at_once(server, target, status):
    server.statuses = [status]
    with pytest.raises(
        ValueError, match=rf"answered {status} .*Expected the file itself, .*ingest\.downloads"
    ):
        fetch(server, target)
    assert len(server.requests) == 1


def test_a_server_that_is_not_there_is_an_error_that_keeps_what_was_fetched(server, target):
    stop_after(server, target, 1_000_000)
    server.server.shutdown()
    server.server.server_close()
    with pytest.raises(ValueError, match=r"could not be fetched: .*refused.*1\.0 MB are kept"):
        fetch(server, target)
    assert target.stat().st_size == 1_000_000


def test_a_disk_without_room_for_archive_and_content_is_refused_before_the_first_byte(
    server, target, monkeypatch
):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(5_900_000))
    with pytest.raises(ValueError, match=r"5\.9 MB free\. Expected 6\.0 MB for .*Make room"):
        fetch(server, target)
    assert not target.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(6_000_000))
    assert fetch(server, target)


def test_what_is_fetched_already_needs_no_room(server, target, monkeypatch):
    stop_after(server, target, 1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "free")(5_000_000))
    assert fetch(server, target)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_fills_up_meanwhile_is_an_error_that_says_so():
    expected = r"ixi\.part cannot be written \(.*No space left.*--directory"
    with Path("/dev/full").open("ab", buffering=0) as stream, pytest.raises(ValueError, match=expected):
        module._append(b"x", stream, Path("ixi.part"))


def test_enough_room_is_no_error(tmp_path):
    require_space(tmp_path, 1, what="a byte")


def test_progress_is_in_the_log(server, target, monkeypatch, caplog):
    monkeypatch.setattr(module, "PROGRESS_SECONDS", -1)
    with caplog.at_level(logging.INFO):
        fetch(server, target)
    told = [record.getMessage() for record in caplog.records]
    assert "3.0 MB of 3.0 MB" in told and told[-1].endswith("is fetched, 3.0 MB")
