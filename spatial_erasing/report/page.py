"""The report page: what Snakemake's reporter makes of the results that the rules marked for it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from spatial_erasing.provenance import ROOT


def write_page(path: str | Path, *, config: Mapping) -> None:
    """Write one HTML file with every table and figure of the study; it opens without a network.

    The reporter runs as a Snakemake of its own inside the run that made the results, hence without taking the
    lock on the folder that this run holds.

    Args:
        path: the page, below the run's directory.
        config: the whole config of this run, overlays and command line included.

    Raises:
        RuntimeError: the reporter failed; its output is in the message.
    """
    unfinished = Path(path).with_name(f".unfinished-{Path(path).name}")
    with TemporaryDirectory() as folder:
        overlay = Path(folder) / "config.json"
        overlay.write_text(json.dumps(config))
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "results",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--nolock",
        ]
        command += ["--configfile", str(overlay), "--report", str(unfinished)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode or not unfinished.exists():
        raise RuntimeError(f"the report could not be written:\n{outcome.stdout}{outcome.stderr}")
    unfinished.replace(path)
