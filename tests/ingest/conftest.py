import os
import shutil
import tempfile
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture
def touch():
    """Make empty files, with the folders in which they lie."""

    def make(folder, *names):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()

    return make


@pytest.fixture
def open_folder():
    """A folder that another user can reach; those of pytest are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="open to all "))
    folder.chmod(0o755)
    yield folder
    for place in folder.rglob("*"):
        if place.is_dir():
            place.chmod(0o700)
    shutil.rmtree(folder)


@pytest.fixture
def as_nobody():
    """Call a function as a user to whom folders can be closed, which they cannot to root.

    Gives what the function returned as text, or the error that it raised.
    """

    def call(function):
        reading, writing = os.pipe()
        if not (child := os.fork()):
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setgid(NOBODY)
                    os.setuid(NOBODY)
                said = str(function())
            except BaseException as error:  # whatever happens, the child must not go on with pytest
                said = f"{type(error).__name__}: {error}"
            os.write(writing, said.encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            said = stream.read().decode()
        os.waitpid(child, 0)
        return said

    return call
