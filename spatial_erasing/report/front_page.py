"""The first page of report.html: what was run, on what, and what came out."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spatial_erasing.cohorts import rows_by_cohort
from spatial_erasing.evaluate.verdicts import NOT_RUN
from spatial_erasing.report.claims_page import PrintedClaim
from spatial_erasing.report.table_layout import cohorts_of, is_baseline, printed_blocks
from spatial_erasing.report.templates import fill_template

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
    study: Mapping[str, str | int],
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
        rows=int((~is_baseline(table)).sum()),
        baselines=int(is_baseline(table).sum()),
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
