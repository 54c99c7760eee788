"""The fingerprint of all logic that a script reaches, without its messages, and what made a result."""

import functools
import json
import os.path
import platform
import subprocess
from collections.abc import Iterable
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

from spatial_erasing import __version__
from spatial_erasing.jobs.code_reach import Library
from spatial_erasing.jobs.results import open_arrays, read_cells, read_record

# Through workflow/Snakefile, Snakemake imports the library from workflow/.. and paths must read the same.
ROOT = Path(os.path.normpath(__file__)).parents[2]
_library = functools.cache(Library)
PARTS_OF_PAGES = ("base.html", "parts.html", "page.css")  # what every page of the report is made of
# Modules that cannot move a number: how a job runs (logs, locks, GPUs, how a file gets to its place), and in
# which module a kind is found. A change in these reruns nothing.
_JOBS = {f"spatial_erasing.jobs.{path.stem}" for path in Path(__file__).parent.glob("*.py")}
INFRASTRUCTURE = frozenset({"spatial_erasing.registry", *_JOBS})


def code_fingerprint(script: Path, *templates: Path, kinds: Iterable[Path] = ()) -> str:
    """Hash of the logic of a script and of all functions, classes and constants of this library it reaches.

    Snakemake then reruns a rule when this logic changes, which it does not see by itself. Docstrings,
    comments, texts of exceptions, lines of logs and the version of Python do not count: a better message
    never retrains a model.

    Args:
        templates: other files of this software that the script fills in or passes on; every byte counts.
        kinds: modules of kinds that the script finds by their names in the config; all their logic counts.
    """
    library = _library(ROOT, without=INFRASTRUCTURE)
    digests = [digest for path in (script, *kinds) for digest in library.digests(path)]
    digests += [sha256(template.read_bytes()).hexdigest() for template in templates]
    return sha256("".join(digests).encode()).hexdigest()[:12]


@functools.cache
def rule_fingerprint(rule: str, *texts: str, kinds: tuple[Path, ...] = ()) -> str:
    """The fingerprint of a rule's script with texts of the report: pages of the library, captions (.rst)."""
    if any(text.endswith(".html") for text in texts):
        texts += PARTS_OF_PAGES
    captions, pages = ROOT / "workflow/report", ROOT / "spatial_erasing/report/pages"
    files = [(captions if text.endswith(".rst") else pages) / text for text in texts]
    return code_fingerprint(ROOT / f"workflow/scripts/{rule}.py", *files, kinds=kinds)


def code_version() -> str:
    """The commit that the code comes from, with "-changed" where files differ from it; else the version."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=10", "--dirty=-changed"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or a copy without its history
        return __version__


def describe_maker(code: str | None, *, device: str | None = None) -> str:
    """This process as a JSON text, for what it writes: a later version must not claim to have made it."""
    maker = {"code": code, "python": platform.python_version(), "packages": _packages(), "device": device}
    return json.dumps(maker)


@functools.cache
def _packages() -> dict[str, str]:
    """Name to version of every package; looked up once, since it takes longer than writing a brain."""
    packages: dict[str, str] = {}
    for found in distributions():
        packages.setdefault(found.name, found.version)  # the first one is the one that is imported
    return dict(sorted(packages.items()))


def maker_of_arrays(path: str | Path) -> str | None:
    """What made a file of arrays; None if it does not say so."""
    with open_arrays(path) as arrays:
        return str(arrays["made_by"]) if "made_by" in arrays else None


def makers_of_brains(table: str | Path) -> list[str]:
    """What made the brains that a batch's table lists, each maker once; none of brains that are removed."""
    # brains kept from an earlier run may have been made by other packages than their neighbours
    makers = {}
    for row in read_cells(table):
        record = Path(row["folder"]) / "record.json"
        if row["folder"] and record.exists():
            made_by = (read_record(record) or {}).get("made_by")
            makers[json.dumps(made_by)] = made_by
    return [text for text, made_by in makers.items() if made_by]
