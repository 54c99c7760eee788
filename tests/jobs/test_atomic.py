import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from spatial_erasing.jobs.atomic import replaced_when_complete, write_text

ROOT = Path(__file__).parents[2]


def test_file_appears_only_when_complete_and_folders_are_made(tmp_path):
    path = tmp_path / "tables" / "table_1.csv"
    with replaced_when_complete(path) as unfinished:
        unfinished.write_text("half")
        assert not path.exists()
        assert unfinished.name == path.name
    assert path.read_text() == "half"


def test_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "table_1.csv"
    path.write_text("old")

    def fail():
        with replaced_when_complete(path) as unfinished:
            unfinished.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_leaves_is_gone_after_the_next_writing(tmp_path):
    path = tmp_path / "table_1.csv"
    path.write_text("old")
    code = (
        "import os, sys\n"
        "from spatial_erasing.jobs.atomic import replaced_when_complete, write_text\n"
        "with replaced_when_complete(sys.argv[1]) as unfinished:\n"
        "    unfinished.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 2
    with replaced_when_complete(path) as unfinished:
        unfinished.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "table_1.csv"
    path.write_text("old")

    def fill():
        with replaced_when_complete(path) as unfinished:
            unfinished.symlink_to("/dev/full")
            unfinished.write_text("new")

    with pytest.raises(OSError, match="No space left") as error:
        fill()
    assert f"{path} could not be written; its disk, /" in str(error.value)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "notes.md"
    write_text(path, "old ±")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text(encoding="utf-8") == "old ±"
    assert [file.name for file in tmp_path.iterdir()] == ["notes.md"]


def test_a_full_disk_is_named_in_whatever_words_the_writer_fails(tmp_path, monkeypatch):
    """Pillow raises an AttributeError after the system's error, torch a RuntimeError without any."""
    path = tmp_path / "figure.png"

    def like_pillow():
        with replaced_when_complete(path):
            try:
                raise OSError(122, "Disk quota exceeded")
            finally:
                raise AttributeError("'_idat' object has no attribute 'fileno'")

    def like_torch():
        with replaced_when_complete(path):
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    with pytest.raises(OSError, match=rf"Disk quota exceeded: {path} could not be written"):
        like_pillow()
    with pytest.raises(RuntimeError, match="unexpected pos"):
        like_torch()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(OSError, match=rf"No space left on device: {path} could not be written.*0 MB free"):
        like_torch()
    assert list(tmp_path.iterdir()) == []
