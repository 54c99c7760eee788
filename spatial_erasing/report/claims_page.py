"""The claims of the paper as a table and a page: this run beside the numbers that the paper prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.contrasts import Claim, Naming, Part, parts_of
from spatial_erasing.evaluate.resamples import Quantity
from spatial_erasing.evaluate.verdicts import NOT_RUN, signs_of_points
from spatial_erasing.report.paper import FIELDS, SEQUENCES, TABLE_1, TABLE_2
from spatial_erasing.report.table_layout import NO_NUMBER
from spatial_erasing.report.templates import fill_template, write_filled

METRIC_TITLES = {
    "dice_dataset": "DICE_D",
    "dice_subject_mean": "DICE_S",
    "average_precision": "AUPRC",
    "slice_average_precision": "AUPRC of slices",
}
PAPER_COLUMNS = ("paper_signs", "paper_difference", "paper_parts", "paper_parts_above")
PART_TITLES = ("Comparison", "Test set", "Number", "Difference", "p", "Subjects", "Paper")
NOT_PRINTED = "not printed"
Row = Mapping[str, str]


@dataclass(frozen=True)
class PaperSigns:
    """What the printed numbers say about a claim: signs, and no verdict, since they have no intervals."""

    # of the parts that the tables contain, in percentage points
    differences: tuple[tuple[Part, float], ...]
    signs: str  # "all", "some" or "none" of them above 0, or "not printed"

    @property
    def mean(self) -> float | None:
        """Mean of the differences, in percentage points."""
        values = [value for _, value in self.differences]
        return sum(values) / len(values) if values else None

    @property
    def above(self) -> int:
        """The number of differences above 0."""
        return sum(value > 0 for _, value in self.differences)


@dataclass(frozen=True)
class PrintedClaim:
    """A claim as the page shows it."""

    text: str  # the claim and where the paper says it
    verdict: str  # of this run, by its intervals
    cells: dict[str, str]  # column title to its text
    parts: list[tuple[str, ...]]  # the cells of each comparison, in the order of `PART_TITLES`


def printed_claims(
    claims: Sequence[Row],
    comparisons: Sequence[Row],
    *,
    naming: Naming,
    paper_cohorts: Mapping[str, str | None],
) -> list[PrintedClaim]:
    """Lay out claims.csv and comparisons.csv beside the paper's numbers, in percentage points.

    Args:
        paper_cohorts: our cohort to the paper's test set that it is, or None.
    """
    printed = []
    papers = {claim.name: signs_of_paper(claim, naming) for claim in CLAIMS}
    for row in claims:
        paper = papers[row["claim"]]
        compared = (part for part in comparisons if part["claim"] == row["claim"])
        parts = [_part(part, paper, paper_cohorts) for part in compared]
        text = f"{row['text']} (section {row['section']})"
        printed.append(PrintedClaim(text, row["verdict"], _cells(row, paper), parts))
    return printed


def rows_with_paper(claims: Sequence[Row], naming: Naming) -> list[dict[str, object]]:
    """The rows of claims.csv with the paper's own signs behind, differences in percentage points."""
    rows: list[dict[str, object]] = []
    for claim, row in zip(CLAIMS, claims, strict=True):
        paper = signs_of_paper(claim, naming)
        names = ("difference", "lower", "upper", "trainings_lower", "trainings_upper")
        ours = {name: _points(row[name]) for name in names}
        numbers: tuple[object, ...] = (paper.signs, paper.mean, len(paper.differences), paper.above)
        rows.append({**row, **ours, **dict(zip(PAPER_COLUMNS, numbers, strict=True))})
    return rows


def _cells(row: Row, paper: PaperSigns) -> dict[str, str]:
    """The columns beside a claim."""
    is_run = row["verdict"] != NOT_RUN
    is_printed = paper.signs != NOT_PRINTED
    surely = f"{row['parts_surely_above']} / {row['parts_surely_below']}"
    signs = f"{paper.above} of {len(paper.differences)}: {paper.signs}"
    return {
        "Mean difference": _difference(row) if is_run else NO_NUMBER,
        "Over trainings": _interval(row["trainings_lower"], row["trainings_upper"]) or NO_NUMBER,
        "Above 0": f"{row['parts_above']} of {row['parts_run']}" if is_run else NO_NUMBER,
        "Interval above / below 0": surely if is_run else NO_NUMBER,
        "Not run": str(int(row["parts"]) - int(row["parts_run"])),
        "Subjects": row["subjects"] or NO_NUMBER,
        "Seeds": row["seeds"] or NO_NUMBER,
        "Paper's mean": f"{paper.mean:+.2f}" if is_printed else NO_NUMBER,
        "Paper, above 0": signs if is_printed else NOT_PRINTED,
    }


def _part(row: Row, paper: PaperSigns, paper_cohorts: Mapping[str, str | None]) -> tuple[str, ...]:
    """The cells of one comparison."""
    printed: dict[tuple, float] = {
        (part.title, part.cohort, part.metric): value for part, value in paper.differences
    }
    theirs = printed.get((row["comparison"], paper_cohorts.get(row["cohort"]), row["metric"]))
    names = (row["comparison"], row["cohort"], METRIC_TITLES[row["metric"]])
    beside = NO_NUMBER if theirs is None else f"{theirs:+.2f}"
    if not row["difference"]:
        return (*names, row["status"], NO_NUMBER, NO_NUMBER, beside)
    p = f"{float(row['p']):.3f}" if isfinite(float(row["p"])) else NO_NUMBER
    return (*names, _difference(row), p, row["subjects"], beside)


def _difference(row: Row) -> str:
    """A difference and its interval in percentage points: "+2.31 [+0.94, +3.70]"."""
    interval = _interval(row["lower"], row["upper"])
    return f"{_points(row['difference']):+.2f}" + (f" {interval}" if interval else ", no interval")


def _interval(lower: str, upper: str) -> str:
    """An interval in percentage points, "[+0.94, +3.70]"; empty without an interval."""
    if not lower or not isfinite(float(lower)):
        return ""
    return f"[{_points(lower):+.2f}, {_points(upper):+.2f}]"


def _points(text: str) -> float | str:
    """A fraction of a CSV file in percentage points; an empty field stays empty."""
    return 100 * float(text) if text else text


def claims_notes(
    *, samples: int, confidence_percent: float, minimum_subjects: int, size_percentiles: tuple[float, float]
) -> list[str]:
    """How to read the table, so that it is not misread."""
    return fill_template(
        "claims_notes.txt",
        samples=samples,
        confidence_percent=confidence_percent,
        minimum_subjects=minimum_subjects,
        size_percentiles=size_percentiles,
        claims=len(CLAIMS),
    ).splitlines()


def write_claims(
    claims: Sequence[PrintedClaim], *paths: str | Path, caption: str, notes: Sequence[str]
) -> None:
    """Write the table of claims with its notes as Markdown or HTML.

    The page also has every comparison, folded; in Markdown these are left to comparisons.csv.
    """
    titles = ["Claim", "Verdict", *claims[0].cells]
    rows = [(claim.text, claim.verdict, *claim.cells.values()) for claim in claims]
    values = {"claims": claims, "part_titles": PART_TITLES, "caption": caption, "notes": notes}
    write_filled(paths, "claims", titles=titles, rows=rows, **values)


def signs_of_paper(claim: Claim, naming: Naming) -> PaperSigns:
    """Count the signs of a claim's differences between the numbers of the paper's Tables 1 and 2."""
    differences = []
    for part in parts_of(claim, SEQUENCES, naming):
        terms = [(weight, _printed(quantity, naming)) for weight, quantity in part.terms]
        weighted = [weight * number for weight, number in terms if number is not None]
        if len(weighted) == len(terms):
            difference = sum(weighted)
            differences.append((part, round(difference, 9)))  # two decimals were printed: 0.1 + 0.2 is 0.3
    signs = signs_of_points([value for _, value in differences])
    return PaperSigns(tuple(differences), NOT_PRINTED if signs == NOT_RUN else signs)


def _printed(quantity: Quantity, naming: Naming) -> float | None:
    """A number of Table 1 or 2, in percent."""
    if quantity.fraction_percent != 100 or quantity.metric not in FIELDS:
        return None
    for (model, *place), result in (TABLE_1 | TABLE_2).items():
        if (naming.name(model), *place) == (quantity.model, quantity.cohort, quantity.sequence):
            return getattr(result, FIELDS[quantity.metric])
    return None
