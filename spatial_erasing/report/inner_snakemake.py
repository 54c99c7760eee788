"""What Snakemake knows of a run, asked for from inside the run."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from spatial_erasing.jobs.provenance import ROOT


def run_inside(config: Mapping, *arguments: str) -> str:
    """What Snakemake prints for the target `results` of the run in this folder.

    It is a Snakemake of its own inside the run that made the results, hence without taking the lock on the
    folder that this run holds.

    Args:
        config: the whole config of this run, overlays and command line included.
        arguments: of the command line, such as "--detailed-summary".

    Raises:
        RuntimeError: it failed; its output is in the message.
    """
    with TemporaryDirectory() as folder:
        overlay = Path(folder) / "config.json"
        overlay.write_text(json.dumps(config))
        command = [sys.executable, "-m", "snakemake", "results", "--snakefile", str(ROOT / "Snakefile")]
        command += ["--nolock", "--configfile", str(overlay), *arguments]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{outcome.stdout}{outcome.stderr}")
    return outcome.stdout
