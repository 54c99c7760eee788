import gzip
import hashlib
import io
import json
import logging
import stat
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from spatial_erasing.ingest import archive as module
from spatial_erasing.ingest.archive import fetch_archive, unpack

FILES = {"IXI-T1/IXI012-HH-1211-T1.nii.gz": b"one" * 1000, "IXI-T1/sub/ö é.txt": b"two", "empty": b""}


def write_tar(path, files=FILES, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def write_zip(path, files=FILES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path


WRITERS = {
    "tar": write_tar,
    "tar.gz": partial(write_tar, mode="w:gz"),
    "tar.xz": partial(write_tar, mode="w:xz"),
    "zip": write_zip,
}


def content_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != module.RECORD
    }


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def shop(tmp_path):
    """A folder whose files can be fetched, and the names of those that were."""
    (tmp_path / "shop").mkdir()
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_):
            asked.append(self.path)

        def log_error(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "shop")))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield tmp_path / "shop", f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "results/ingest/downloads/ixi"


def fetch(url, target, sha256=None):
    return fetch_archive(url, target, sha256=sha256, pause_seconds=0.001)


@pytest.mark.parametrize("kind", WRITERS)
def test_an_archive_is_fetched_checked_and_unpacked_and_nothing_else_is_left(shop, target, kind):
    folder, url, _ = shop
    archive = WRITERS[kind](folder / f"ixi.{kind}")
    record = fetch(f"{url}/ixi.{kind}", target, sha256(archive))
    assert record == {"url": f"{url}/ixi.{kind}", "sha256": sha256(archive)}
    assert content_of(target) == FILES
    assert [path.name for path in target.parent.iterdir()] == ["ixi"]


def test_a_checksum_written_down_later_fetches_nothing(shop, target):
    folder, url, asked = shop
    archive = write_tar(folder / "ixi.tar")
    first = fetch(f"{url}/ixi.tar", target)
    assert fetch(f"{url}/ixi.tar", target, sha256(archive)) == fetch(f"{url}/ixi.tar", target) == first
    assert len(asked) == 1


def test_the_line_to_write_is_in_the_log(shop, target, caplog):
    folder, url, _ = shop
    archive = write_tar(folder / "ixi.tar")
    with caplog.at_level(logging.INFO):
        fetch(f"{url}/ixi.tar", target)
    assert f"under ingest.downloads.ixi: sha256: {sha256(archive)}" in caplog.text


def test_another_address_replaces_the_folder_as_a_whole(shop, target):
    folder, url, _ = shop
    write_tar(folder / "one.tar")
    write_tar(folder / "two.tar", {"two.nii": b"2"})
    fetch(f"{url}/one.tar", target)
    fetch(f"{url}/two.tar", target)
    assert content_of(target) == {"two.nii": b"2"}
    assert [path.name for path in target.parent.iterdir()] == ["ixi"]


def test_another_checksum_is_an_error_that_keeps_what_was_there_before(shop, target):
    folder, url, asked = shop
    archive = write_tar(folder / "ixi.tar")
    fetch(f"{url}/ixi.tar", target)
    wrong = "0" * 64
    for _ in range(2):
        with pytest.raises(ValueError, match=rf"has the SHA-256 {sha256(archive)}\. Expected {wrong}.*rm /"):
            fetch(f"{url}/ixi.tar", target, wrong)
    assert content_of(target) == FILES and len(asked) == 2, "what came with the wrong sum is kept for a look"
    assert fetch(f"{url}/ixi.tar", target, sha256(archive))["sha256"] == sha256(archive)


def test_files_that_someone_else_put_there_are_not_replaced(shop, target):
    folder, url, asked = shop
    write_tar(folder / "ixi.tar")
    target.mkdir(parents=True)
    (target / "mine.nii").touch()
    with pytest.raises(ValueError, match=r"was not unpacked by this workflow\. Expected .*Move it away"):
        fetch(f"{url}/ixi.tar", target)
    assert (target / "mine.nii").exists() and not asked


def test_a_page_instead_of_an_archive_is_an_error_that_shows_its_start(shop, target):
    folder, url, asked = shop
    (folder / "ixi.tar").write_text("<html><body>please log in</body></html>")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"is no archive, it starts with b'<html>.*login"):
            fetch(f"{url}/ixi.tar", target)
    assert len(asked) == 2, "the right file may have come meanwhile"
    assert not target.exists()


def test_a_file_that_is_not_there_is_an_error_with_its_address(shop, target):
    _, url, _ = shop
    with pytest.raises(ValueError, match=rf"{url}/none\.tar answered 404 "):
        fetch(f"{url}/none.tar", target)


def test_a_run_that_is_killed_while_it_unpacks_leaves_no_folder_and_goes_on(shop, target, monkeypatch):
    folder, url, asked = shop
    write_tar(folder / "ixi.tar")
    with monkeypatch.context() as patch:

        def killed(archive, folder):
            (folder / "half").touch()
            raise KeyboardInterrupt

        patch.setattr(module, "unpack", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch(f"{url}/ixi.tar", target)
    assert not target.exists()
    (target.parent / "ixi.unpacking").mkdir()  # what a run leaves that could not even clean up
    (target.parent / "ixi.unpacking/half").touch()
    fetch(f"{url}/ixi.tar", target)
    assert content_of(target) == FILES and len(asked) == 1


def test_a_folder_without_its_record_is_not_taken_for_whole(shop, target):
    folder, url, _ = shop
    write_tar(folder / "ixi.tar")
    fetch(f"{url}/ixi.tar", target)
    assert json.loads((target / module.RECORD).read_text())["url"] == f"{url}/ixi.tar"
    (target / module.RECORD).unlink()
    with pytest.raises(ValueError, match="was not unpacked by this workflow"):
        fetch(f"{url}/ixi.tar", target)


def member(name, **settings):
    info = tarfile.TarInfo(name)
    for key, value in settings.items():
        setattr(info, key, value)
    return info


UNSAFE = {
    "a parent": member("../escaped"),
    "a parent within": member("a/../../escaped"),
    "a link out of it": member("x", type=tarfile.SYMTYPE, linkname="../../escaped"),
    "a link to a file of the system": member("x", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link out of it": member("x", type=tarfile.LNKTYPE, linkname="../escaped"),
    "a device": member("x", type=tarfile.CHRTYPE),
    "a link to a file beside it": member("x", type=tarfile.SYMTYPE, linkname="good"),
    "a pipe": member("x", type=tarfile.FIFOTYPE),
    "an unknown kind": member("x", type=b"Z"),
}
UNSAFE_KINDS = {
    name: "which is a (link|hard link|device|pipe)" if one.type != tarfile.REGTYPE else "name outside"
    for name, one in UNSAFE.items()
}


@pytest.mark.parametrize("name", UNSAFE)
def test_a_tar_that_reaches_out_of_its_folder_is_refused(tmp_path, name):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.addfile(UNSAFE[name])
    (tmp_path / "folder/inner").mkdir(parents=True)
    with pytest.raises(ValueError, match=rf"(?s){UNSAFE_KINDS[name]}.*Do not trust it.*rm {tmp_path}/x\.tar"):
        unpack(tmp_path / "x.tar", tmp_path / "folder/inner")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "inner", "x.tar"]


@pytest.mark.parametrize("name", ["../escaped", "a/../../escaped", "/tmp/escaped", "..\\escaped"])
def test_a_zip_that_reaches_out_of_its_folder_is_refused(tmp_path, name):
    write_zip(tmp_path / "x.zip", {"good": b"1", name: b"2"})
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=r"a name outside its folder.*Do not trust it"):
        unpack(tmp_path / "x.zip", tmp_path / "folder")
    assert {path.name for path in tmp_path.rglob("*")} == {"folder", "good", "x.zip"}


def test_an_absolute_name_in_a_tar_lands_in_the_folder(tmp_path):
    write_tar(tmp_path / "x.tar", {"/absolute/name": b"1"})
    (tmp_path / "folder").mkdir()
    unpack(tmp_path / "x.tar", tmp_path / "folder")
    assert content_of(tmp_path / "folder") == {"absolute/name": b"1"}


def test_a_link_in_a_zip_is_refused(tmp_path):
    link = zipfile.ZipInfo("x")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(link, "/etc/passwd")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=r"holds 'x', which is a link\. Expected nothing but plain files"):
        unpack(tmp_path / "x.zip", tmp_path / "folder")
    assert not list((tmp_path / "folder").iterdir())


def test_what_is_unpacked_may_be_read_and_not_run(tmp_path):
    script = member("run.sh", mode=0o6777)
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.addfile(script)
        tar.addfile(member("secret", mode=0))
    (tmp_path / "folder").mkdir()
    unpack(tmp_path / "x.tar", tmp_path / "folder")
    modes = {path.name: path.stat().st_mode & 0o6711 for path in (tmp_path / "folder").iterdir()}
    assert modes == {"run.sh": 0o600, "secret": 0o600}


def damaged_tar(path):
    write_tar(path, {"x": np.random.default_rng(0).bytes(100_000)})
    path.write_bytes(path.read_bytes()[:60_000])


def damaged_gz(path):
    write_tar(path, {"x": np.random.default_rng(0).bytes(100_000)}, mode="w:gz")
    path.write_bytes(path.read_bytes()[:60_000])


def damaged_zip(path):
    write_zip(path, {"x": np.random.default_rng(0).bytes(100_000)})
    content = bytearray(path.read_bytes())
    content[50_000:50_100] = bytes(100)
    path.write_bytes(content)


@pytest.mark.parametrize("write", [damaged_tar, damaged_gz, damaged_zip])
def test_a_damaged_archive_is_an_error_that_says_how_to_fetch_it_anew(tmp_path, write):
    write(tmp_path / "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=r"(?s)x cannot be unpacked \(.*Expected a whole.*rm /"):
        unpack(tmp_path / "x", tmp_path / "folder")


def test_a_packed_scan_is_no_archive(tmp_path):
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(b"a scan" * 10_000))
    with pytest.raises(ValueError, match="is no archive"):
        unpack(tmp_path / "x.nii.gz", tmp_path)


def test_a_zip_with_more_in_it_than_there_is_room_is_refused_before_the_first_file(tmp_path, monkeypatch):
    write_zip(tmp_path / "x.zip", {"x": bytes(3_000_000)})
    (tmp_path / "folder").mkdir()
    usage = type("Usage", (), {"free": 2_900_000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(ValueError, match=r"2\.9 MB free\. Expected 3\.0 MB"):
        unpack(tmp_path / "x.zip", tmp_path / "folder")
    assert not list((tmp_path / "folder").iterdir())


def test_a_full_disk_is_an_error_that_speaks_of_room(tmp_path, monkeypatch):
    write_tar(tmp_path / "x.tar")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write_file", full)
    with pytest.raises(ValueError, match=r"No space left on device.*Make room"):
        unpack(tmp_path / "x.tar", tmp_path)
