"""The claims of the paper as a table: this run beside the numbers that the paper prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.contrasts import Naming
from spatial_erasing.evaluate.verdicts import NOT_RUN
from spatial_erasing.report.claims_of_paper import NOT_PRINTED, PaperVerdict, verdict_of_paper
from spatial_erasing.report.table_layout import NO_NUMBER

METRIC_TITLES = {
    "dice_dataset": "DICE_D",
    "dice_subject_mean": "DICE_S",
    "average_precision": "AUPRC",
    "slice_average_precision": "AUPRC of slices",
}
PAPER_COLUMNS = ("paper_verdict", "paper_difference", "paper_parts", "paper_parts_above")
Row = Mapping[str, str]


@dataclass(frozen=True)
class PrintedClaim:
    """A claim as the page shows it.

    Args:
        text: the claim and where the paper says it.
        verdict: of this run, by its intervals.
        cells: column title to what stands in it.
        parts: the cells of each comparison, in the order of `PART_TITLES`.
    """

    text: str
    verdict: str
    cells: dict[str, str]
    parts: list[tuple[str, ...]]


PART_TITLES = ("Comparison", "Test set", "Number", "Difference", "p", "p (Holm)", "Subjects", "Paper")


def printed_claims(
    claims: Sequence[Row],
    comparisons: Sequence[Row],
    *,
    naming: Naming,
    paper_cohorts: Mapping[str, str | None],
) -> list[PrintedClaim]:
    """Lay out the rows of claims.csv and comparisons.csv, in percent points, the paper's numbers beside them.

    Args:
        claims: one row a claim.
        comparisons: one row a difference.
        naming: of the models in this study.
        paper_cohorts: our cohort to the paper's test set that it is, or None.
    """
    papers = {claim.name: verdict_of_paper(claim, naming) for claim in CLAIMS}
    return [
        PrintedClaim(
            text=f"{row['text']} (section {row['section']})",
            verdict=row["verdict"],
            cells=_cells(row, papers[row["claim"]]),
            parts=[
                _part(part, papers[row["claim"]], paper_cohorts)
                for part in comparisons
                if part["claim"] == row["claim"]
            ],
        )
        for row in claims
    ]


def rows_with_paper(claims: Sequence[Row], naming: Naming) -> list[dict[str, object]]:
    """The rows of claims.csv with the paper's own verdict behind, differences in percent points."""
    rows: list[dict[str, object]] = []
    for claim, row in zip(CLAIMS, claims, strict=True):
        paper = verdict_of_paper(claim, naming)
        count = len(paper.differences)
        ours = {name: _points(row[name]) for name in ("difference", "lower", "upper")}
        numbers: tuple[object, ...] = (paper.verdict, paper.mean, count, count - len(paper.against))
        rows.append({**row, **ours, **dict(zip(PAPER_COLUMNS, numbers, strict=True))})
    return rows


def _cells(row: Row, paper: PaperVerdict) -> dict[str, str]:
    """What stands beside a claim."""
    is_run = row["verdict"] != NOT_RUN
    is_printed = paper.verdict != NOT_PRINTED
    above = len(paper.differences) - len(paper.against)
    return {
        "Mean difference": _difference(row) if is_run else NO_NUMBER,
        "Above 0": f"{row['parts_above']} of {row['parts_run']}" if is_run else NO_NUMBER,
        "Interval above / below 0": f"{row['parts_surely_above']} / {row['parts_surely_below']}"
        if is_run
        else NO_NUMBER,
        "Not run": str(int(row["parts"]) - int(row["parts_run"])),
        "Subjects": row["subjects"] or NO_NUMBER,
        "Seeds": row["seeds"] or NO_NUMBER,
        "Paper's mean": f"{paper.mean:+.2f}" if is_printed else NO_NUMBER,
        "Paper, above 0": f"{above} of {len(paper.differences)}: {paper.verdict}"
        if is_printed
        else NOT_PRINTED,
    }


def _part(row: Row, paper: PaperVerdict, paper_cohorts: Mapping[str, str | None]) -> tuple[str, ...]:
    """The cells of one comparison."""
    printed: dict[tuple[str, str | None, str], float]
    printed = {(part.title, part.cohort, part.metric): value for part, value in paper.differences}
    theirs = printed.get((row["comparison"], paper_cohorts.get(row["cohort"]), row["metric"]))
    names = (row["comparison"], row["cohort"], METRIC_TITLES[row["metric"]])
    beside = NO_NUMBER if theirs is None else f"{theirs:+.2f}"
    if not row["difference"]:
        return (*names, row["status"], NO_NUMBER, NO_NUMBER, NO_NUMBER, beside)
    tests = (_p(row[name]) for name in ("p", "p_holm"))
    return (*names, _difference(row), *tests, row["subjects"], beside)


def _difference(row: Row) -> str:
    """A difference and its interval in percent points: "+2.31 [+0.94, +3.70]"."""
    difference, lower, upper = (_points(row[name]) for name in ("difference", "lower", "upper"))
    interval = f" [{lower:+.2f}, {upper:+.2f}]" if isfinite(float(lower)) else ", no interval"
    return f"{difference:+.2f}{interval}"


def _p(text: str) -> str:
    return f"{float(text):.3f}" if isfinite(float(text)) else NO_NUMBER


def _points(text: str) -> float | str:
    """A fraction of a CSV file in percent points; an empty field stays empty."""
    return 100 * float(text) if text else text
