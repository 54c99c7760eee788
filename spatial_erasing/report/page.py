"""The report page: what Snakemake's reporter makes of the results that the rules marked for it."""

import re
from collections.abc import Mapping
from pathlib import Path

from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.report.inner_snakemake import run_inside
from spatial_erasing.report.templates import TEMPLATES, read_template

# The reporter's own data: a line of JSON that begins a script.
_DATA = re.compile(r'(?<=<script id=")[^"]+">\n.*$', re.MULTILINE)


def write_page(path: str | Path, *, config: Mapping) -> None:
    """Write one HTML file with every table and figure of the study; it opens without a network.

    Args:
        path: the page, below the run's directory.
        config: the whole config of this run, overlays and command line included.

    Raises:
        RuntimeError: the reporter failed; its output is in the message.
    """
    with replaced_when_complete(path) as unfinished:
        run_inside(config, "--report", str(unfinished), "--report-stylesheet", str(TEMPLATES / "page.css"))
        page = _DATA.sub(_inside_a_script, unfinished.read_text(encoding="utf-8"))
        page, body, end = page.rpartition("</body>")
        script = f"<script>{read_template('page.js')}</script>"
        unfinished.write_text(f"{page}{script}\n{body}{end}", encoding="utf-8")


def _inside_a_script(data: re.Match) -> str:
    """JSON that cannot end its script: the reporter writes a title with "</script>" as it is."""
    return data[0].replace("</", r"<\/").replace("<!--", r"<\!--")
