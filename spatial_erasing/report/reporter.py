"""report.html: Snakemake's reporter, which is run from inside the run that it reports."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.jobs.provenance import ROOT
from spatial_erasing.report.templates import TEMPLATES

# The reporter's own data: a line of JSON that begins a script.
_DATA = re.compile(r'(?<=<script id=")[^"]+">\n.*$', re.MULTILINE)


def run_inside(config: Mapping, *arguments: str) -> str:
    """What Snakemake prints for the target `results` of the run in this folder.

    It is a Snakemake of its own inside the run that made the results, hence without taking the lock on the
    folder that this run holds.
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


def write_page(path: str | Path, *, config: Mapping) -> None:
    """Write one HTML file with every table and figure of the study; it opens without a network."""
    with replaced_when_complete(path) as unfinished:
        look = str(TEMPLATES / "reporter.css")
        run_inside(config, "--report", str(unfinished), "--report-stylesheet", look)
        page = _DATA.sub(_inside_a_script, unfinished.read_text(encoding="utf-8"))
        page, body, end = page.rpartition("</body>")
        script = f"<script>{(TEMPLATES / 'reporter.js').read_text(encoding='utf-8')}</script>"
        unfinished.write_text(f"{page}{script}\n{body}{end}", encoding="utf-8")


def _inside_a_script(data: re.Match) -> str:
    """JSON that cannot end its script: the reporter writes a title with "</script>" as it is."""
    return data[0].replace("</", r"<\/").replace("<!--", r"<\!--")
