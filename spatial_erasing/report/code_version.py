"""Which version of this software writes a result."""

import subprocess

from spatial_erasing import __version__
from spatial_erasing.jobs.provenance import ROOT


def code_version() -> str:
    """The commit that the code comes from, with "-changed" where files differ from it; else the version."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=10", "--dirty=-changed"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or a copy without its history
        return __version__
