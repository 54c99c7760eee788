import os
import subprocess
import tempfile
from pathlib import Path


def install(*packages):
    """Install Debian packages; test files that run at the same time wait for each other, as apt does not."""
    lock = Path(tempfile.gettempdir()) / "spatial-erasing-tests-apt.lock"
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", *packages]):
        subprocess.run(
            ["flock", str(lock), "apt-get", "--quiet", *command],
            check=True,
            env=environment,
            capture_output=True,
        )
