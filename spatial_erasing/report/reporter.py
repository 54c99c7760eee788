"""report.html: its first page, and Snakemake's reporter, which is run from inside the run that it reports."""

import base64
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from spatial_erasing.cohorts import rows_by_cohort
from spatial_erasing.evaluate.verdicts import NOT_RUN
from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.jobs.provenance import ROOT
from spatial_erasing.report.claims_page import PrintedClaim
from spatial_erasing.report.table_layout import cohorts_of, is_baseline, printed_blocks
from spatial_erasing.report.templates import TEMPLATES, fill_template

# The reporter's own data: a line of JSON that begins a script.
_DATA = re.compile(r'(?<=<script id=")[^"]+">\n.*$', re.MULTILINE)
_RANKED_BY = "auprc_percent"


@dataclass(frozen=True)
class CohortCounts:
    """The numbers of a cohort's subjects."""

    cohort: str
    splits: dict[str, int]  # split to its number of subjects that were preprocessed
    failed: int  # how many could not be preprocessed


def count_subjects(subject_rows: Sequence[Mapping[str, str]]) -> list[CohortCounts]:
    """The subjects of every cohort, from the rows of `cohort_subjects.csv`."""
    counts = []
    for cohort, rows in rows_by_cohort(subject_rows).items():
        places = Counter(row["split"] for row in rows if row["status"] == "done")
        counts.append(CohortCounts(cohort, dict(sorted(places.items())), len(rows) - places.total()))
    return counts


def front_page(
    table: pd.DataFrame,
    claims: Sequence[PrintedClaim],
    *,
    counts: Sequence[CohortCounts],
    figure: str | Path,
    study: Mapping[str, str],
) -> str:
    """The first page of the report as HTML, from Table 1 with intervals and the texts that it prints."""
    return fill_template(
        "front.html",
        study=study,
        counts=counts,
        results=[_result(table[cohort], cohort) for cohort in cohorts_of(table)],
        blocks=printed_blocks(table),
        claims=claims,
        verdicts=Counter(claim.verdict for claim in claims),
        not_run=NOT_RUN,
        networks=int((~is_baseline(table)).sum()),
        seeds=int(table.xs("seeds", axis=1, level="quantity").to_numpy().max()),
        picture="data:image/png;base64," + base64.b64encode(Path(figure).read_bytes()).decode(),
    )


def _result(rows: pd.DataFrame, cohort: str) -> dict[str, Any]:
    """The model with the highest AUPRC on a cohort, and the best without a network; none if all are NaN."""
    ranked = rows[rows[_RANKED_BY].notna()]
    has_none = ranked["is_baseline"].astype(bool)
    baselines, networks = ranked[has_none], ranked[~has_none]
    if networks.empty:
        return {"cohort": cohort, "model": None}
    best = networks[_RANKED_BY].idxmax()
    result = {"cohort": cohort, "model": rows.at[best, "name"], "auprc": rows.at[best, _RANKED_BY]}
    if f"{_RANKED_BY}_lower" in rows:
        result["interval"] = tuple(rows.loc[best, [f"{_RANKED_BY}_lower", f"{_RANKED_BY}_upper"]])
    if not baselines.empty:
        second = baselines[_RANKED_BY].idxmax()
        result |= {"baseline": rows.at[second, "name"], "baseline_auprc": rows.at[second, _RANKED_BY]}
    return result


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
