"""The claims of the paper as a table and a page: this run beside the numbers that the paper prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.contrasts import Claim, Naming, Part, parts_of
from spatial_erasing.evaluate.resamples import Quantity
from spatial_erasing.evaluate.verdicts import NOT_RUN, signs_of_points
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.report.paper import FIELDS, SEQUENCES, TABLE_1, TABLE_2
from spatial_erasing.report.table_layout import NO_NUMBER
from spatial_erasing.report.table_writers import escape_markdown, markdown_table
from spatial_erasing.report.templates import fill_template

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
    """What the printed numbers say about a claim: signs, and no verdict, since they have no intervals.

    Args:
        differences: of the parts that the tables contain, in percentage points, with what they compare.
        signs: "all", "some" or "none" of them above 0, or "not printed".
    """

    differences: tuple[tuple[Part, float], ...]
    signs: str

    @property
    def mean(self) -> float | None:
        """Mean of the differences, in percentage points."""
        values = [value for _, value in self.differences]
        return sum(values) / len(values) if values else None

    @property
    def against(self) -> list[tuple[Part, float]]:
        """The differences that are not above 0."""
        return [(part, value) for part, value in self.differences if not value > 0]


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


def printed_claims(
    claims: Sequence[Row],
    comparisons: Sequence[Row],
    *,
    naming: Naming,
    paper_cohorts: Mapping[str, str | None],
) -> list[PrintedClaim]:
    """Lay out the rows of claims.csv and comparisons.csv beside the paper's numbers, in percentage points.

    Args:
        claims: one row a claim.
        comparisons: one row a difference.
        naming: of the models in this study.
        paper_cohorts: our cohort to the paper's test set that it is, or None.
    """
    papers = {claim.name: signs_of_paper(claim, naming) for claim in CLAIMS}
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
    """The rows of claims.csv with the paper's own signs behind, differences in percentage points."""
    rows: list[dict[str, object]] = []
    for claim, row in zip(CLAIMS, claims, strict=True):
        paper = signs_of_paper(claim, naming)
        count = len(paper.differences)
        ours = {name: _points(row[name]) for name in ("difference", "lower", "upper")}
        numbers: tuple[object, ...] = (paper.signs, paper.mean, count, count - len(paper.against))
        rows.append({**row, **ours, **dict(zip(PAPER_COLUMNS, numbers, strict=True))})
    return rows


def _cells(row: Row, paper: PaperSigns) -> dict[str, str]:
    """What stands beside a claim."""
    is_run = row["verdict"] != NOT_RUN
    is_printed = paper.signs != NOT_PRINTED
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
        "Paper, above 0": f"{above} of {len(paper.differences)}: {paper.signs}"
        if is_printed
        else NOT_PRINTED,
    }


def _part(row: Row, paper: PaperSigns, paper_cohorts: Mapping[str, str | None]) -> tuple[str, ...]:
    """The cells of one comparison."""
    printed: dict[tuple[str, str | None, str], float]
    printed = {(part.title, part.cohort, part.metric): value for part, value in paper.differences}
    theirs = printed.get((row["comparison"], paper_cohorts.get(row["cohort"]), row["metric"]))
    names = (row["comparison"], row["cohort"], METRIC_TITLES[row["metric"]])
    beside = NO_NUMBER if theirs is None else f"{theirs:+.2f}"
    if not row["difference"]:
        return (*names, row["status"], NO_NUMBER, NO_NUMBER, beside)
    return (*names, _difference(row), _p(row["p"]), row["subjects"], beside)


def _difference(row: Row) -> str:
    """A difference and its interval in percentage points: "+2.31 [+0.94, +3.70]"."""
    difference, lower, upper = (_points(row[name]) for name in ("difference", "lower", "upper"))
    interval = f" [{lower:+.2f}, {upper:+.2f}]" if isfinite(float(lower)) else ", no interval"
    return f"{difference:+.2f}{interval}"


def _p(text: str) -> str:
    return f"{float(text):.3f}" if isfinite(float(text)) else NO_NUMBER


def _points(text: str) -> float | str:
    """A fraction of a CSV file in percentage points; an empty field stays empty."""
    return 100 * float(text) if text else text


def claims_notes(
    *,
    samples: int,
    confidence_percent: float,
    minimum_subjects: int,
    size_percentiles: tuple[float, float],
) -> list[str]:
    """What must stand below the table so that it is not misread."""
    small, large = size_percentiles
    half = (100 + confidence_percent) / 2
    return [
        "Differences are in percentage points, positive in the direction of the claim. The mean difference "
        "of a claim is over all its comparisons that were run.",
        f"Intervals are from {samples} resamples of the test subjects, the same for all models: of {half:g} "
        f"% for the mean, and of {confidence_percent:g} % for all comparisons of a claim at once (max-t). A "
        f"number from fewer than {minimum_subjects} subjects has no interval.",
        'A claim "does not hold" if its mean or one of its comparisons lies below 0 with the whole interval. '
        'Otherwise it "holds" if every comparison was run and the mean lies above 0 with its whole interval; '
        "else it is undecided. If all models are equal, a claim is undecided with a probability of at least "
        f"{confidence_percent:g} %, however many comparisons it has. Each claim is judged by itself: of "
        f"{len(CLAIMS)} claims some may be judged wrongly.",
        "The networks and the thresholds are fixed in every resample. With one seed, an interval says "
        "nothing about another training of the same model; with several seeds it is that of "
        "their mean.",
        "p is of one comparison by itself and decides nothing: sign flips of the subjects' differences for "
        "DICE_S of two models on the same subjects, else the resampled differences.",
        f"Small lesions are those up to percentile {small:g} of the lesion sizes of a test set, large ones "
        f"those above percentile {large:g}.",
        "Paper: Bengs et al. (2021) print no intervals and no numbers of single subjects, so that its claims "
        "cannot be judged by this rule. Instead, the signs of the differences between the numbers of Tables "
        '1 and 2 are counted; "some" does not mean that a claim "does not hold".',
    ]


def write_claims_markdown(
    claims: Sequence[PrintedClaim], path: str | Path, *, caption: str, notes: Sequence[str]
) -> None:
    """Write the table of claims as Markdown; the single comparisons are in comparisons.csv."""
    titles = [escape_markdown(title) for title in ("Claim", "Verdict", *claims[0].cells)]
    rows = (
        [escape_markdown(claim.text), f"**{claim.verdict}**", *map(escape_markdown, claim.cells.values())]
        for claim in claims
    )
    table = markdown_table(titles, rows, left=2)
    parts = [escape_markdown(caption), table, "\n".join(f"- {escape_markdown(note)}" for note in notes)]
    write_text(path, "\n\n".join(parts) + "\n")


def write_claims_html(
    claims: Sequence[PrintedClaim], path: str | Path, *, caption: str, notes: Sequence[str]
) -> None:
    """Write the page of claims: the table, its notes, and below them every comparison, folded."""
    page = fill_template(
        "claims.html",
        titles=["Claim", "Verdict", *claims[0].cells],
        rows=[(claim.text, claim.verdict, *claim.cells.values()) for claim in claims],
        claims=claims,
        part_titles=PART_TITLES,
        caption=caption,
        notes=notes,
    )
    write_text(path, page)


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
    wanted = (quantity.model, quantity.cohort, quantity.sequence)
    printed = {
        (naming.name(model), *place): result for (model, *place), result in (TABLE_1 | TABLE_2).items()
    }
    result = printed.get(wanted)
    if result is None or quantity.fraction_percent != 100 or quantity.metric not in FIELDS:
        return None
    return getattr(result, FIELDS[quantity.metric])
