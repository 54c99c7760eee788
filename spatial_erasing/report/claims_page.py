"""The page of the paper's claims, as Markdown and as HTML: readable in light and dark, without a network."""

import html
from collections.abc import Sequence
from pathlib import Path

from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.report.claims_table import PART_TITLES, PrintedClaim
from spatial_erasing.report.table_page import escape_html
from spatial_erasing.report.table_writers import escape_markdown, markdown_table

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em; max-width: 84em }
table { border-collapse: collapse; margin: .5em 0 2em }
th, td { padding: .25em .8em; text-align: right; vertical-align: top }
td { white-space: nowrap }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 24em }
th { border-bottom: 1px solid; vertical-align: bottom }
th:nth-child(2) { text-align: left }
td.verdict { text-align: left; font-weight: bold }
.paper { opacity: .65 }
summary { cursor: pointer }
"""


def claims_notes(
    *,
    samples: int,
    confidence_percent: float,
    minimum_subjects: int,
    size_percentiles: tuple[float, float],
) -> list[str]:
    """What must stand below the table so that it is not misread."""
    small, large = size_percentiles
    return [
        f"Differences are in percent points, positive in the direction of the claim, with "
        f"{confidence_percent:g} % percentile intervals from {samples} resamples of the test subjects, the "
        f"same for all models. A number of fewer than {minimum_subjects} subjects has no interval. A claim's "
        "mean difference is the mean over all its comparisons that were run.",
        'A claim "holds" if every comparison was run and lies above 0 with its whole interval; it "does not '
        'hold" if some comparison lies below 0 with its whole interval; else it is undecided. The more '
        "comparisons a claim has, the more easily one of them lies below 0 by chance: p (Holm) is corrected "
        "for their number within the claim.",
        "The networks and the thresholds stay as they are in every resample. With one seed, an interval says "
        "nothing about another training of the same model; with several it is that of their mean.",
        "p: sign flips of the subjects' differences for DICE_S of two models on the same subjects, else the "
        "resampled differences.",
        f"Small lesions are those up to percentile {small:g} of the lesion sizes of a test set, large ones "
        f"those above percentile {large:g}.",
        "Paper: the signs of the differences between the numbers that Bengs et al. (2021) print in Tables 1 "
        "and 2. They have no intervals.",
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
    titles = ["Claim", "Verdict", *claims[0].cells]
    body = "\n".join(_claim_row(claim) for claim in claims)
    page = [
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><style>{_STYLE}</style>',
        f"<p>{escape_html(caption)}</p>",
        f"<table><thead>{_header(titles)}</thead>\n<tbody>{body}</tbody></table>",
        "<ul>",
        *(f"<li>{escape_html(note)}</li>" for note in notes),
        "</ul>",
        "<h2>Every comparison</h2>",
        *map(_details, claims),
        "</html>\n",
    ]
    write_text(path, "\n".join(page))


def _header(titles: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<th{_class_of(title)}>{escape_html(title)}</th>" for title in titles) + "</tr>"


def _claim_row(claim: PrintedClaim) -> str:
    cells = (f"<td{_class_of(title)}>{escape_html(cell)}</td>" for title, cell in claim.cells.items())
    verdict = f'<td class="verdict">{escape_html(claim.verdict)}</td>'
    return f"<tr><td>{escape_html(claim.text)}</td>{verdict}{''.join(cells)}</tr>"


def _details(claim: PrintedClaim) -> str:
    """The comparisons of a claim, folded."""
    rows = (
        "<tr>"
        + "".join(
            f"<td{_class_of(title)}>{escape_html(cell)}</td>"
            for title, cell in zip(PART_TITLES, part, strict=True)
        )
        + "</tr>"
        for part in claim.parts
    )
    summary = f"<summary>{escape_html(claim.text)} <b>{html.escape(claim.verdict)}</b></summary>"
    table = f"<table><thead>{_header(PART_TITLES)}</thead>\n<tbody>{''.join(rows)}</tbody></table>"
    return f"<details>{summary}\n{table}</details>"


def _class_of(title: str) -> str:
    return ' class="paper"' if title.startswith("Paper") else ""
