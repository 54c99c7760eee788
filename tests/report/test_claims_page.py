from html.parser import HTMLParser

import pytest
from paper_study import METHODS

from spatial_erasing.evaluate.claims import CLAIMS
from spatial_erasing.evaluate.contrasts import Naming, parts_of
from spatial_erasing.models import methods_of_paper
from spatial_erasing.report.claims_page import (
    PART_TITLES,
    claims_notes,
    printed_claims,
    rows_with_paper,
    write_claims,
)

NAMING = Naming(methods_of_paper(METHODS))
COHORTS = {"<ours>": ["t1"], "own_brats": ["t1", "t1ce"]}
NOTES = claims_notes(samples=500, confidence_percent=95, minimum_subjects=10, size_percentiles=(33.3, 66.7))


class Cells(HTMLParser):
    """Rows of texts of all tables."""

    def __init__(self):
        super().__init__()
        self.rows, self.is_cell = [], False

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.is_cell = self.is_cell or tag in ("td", "th")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.is_cell = False

    def handle_data(self, data):
        if self.is_cell:
            self.rows[-1][-1] += data


@pytest.fixture
def tables():
    """claims.csv and comparisons.csv as texts: the first claim was run, the others were not."""
    claims, comparisons = [], []
    for claim in CLAIMS:
        is_run = claim is CLAIMS[0]
        parts = parts_of(claim, COHORTS, NAMING)
        numbers = {"difference": "0.0375", "lower": "0.01", "upper": "0.0512", "subjects": "40", "seeds": "2"}
        empty = dict.fromkeys(numbers, "")
        claims.append(
            {"claim": claim.name, "section": claim.section, "text": claim.text, "parts": str(len(parts))}
            | {"parts_run": str(len(parts) if is_run else 0), "parts_above": "5" if is_run else "0"}
            | {"parts_surely_above": "4", "parts_surely_below": "1", "point_estimates": "some"}
            | {"verdict": "does not hold" if is_run else "not run"}
            | {"trainings_lower": "-0.01" if is_run else "", "trainings_upper": "0.085" if is_run else ""}
            | (numbers if is_run else empty)
        )
        comparisons += [
            {"claim": claim.name, "comparison": part.title, "cohort": part.cohort, "metric": part.metric}
            | {"status": "run" if is_run else "not run: 3D-None with 100 %", "p": "0.0123"}
            | (numbers if is_run else empty)
            for part in parts
        ]
    return claims, comparisons


@pytest.fixture
def claims(tables):
    return printed_claims(*tables, naming=NAMING, paper_cohorts={"own_brats": "brats"})


def test_a_claim_shows_our_difference_in_percent_points_and_the_paper_s(claims):
    assert claims[0].cells == {
        "Mean difference": "+3.75 [+1.00, +5.12]",
        "Over trainings": "[-1.00, +8.50]",
        "Above 0": "5 of 6",
        "Interval above / below 0": "4 / 1",
        "Not run": "0",
        "Subjects": "40",
        "Seeds": "2",
        "Paper's mean": "+3.75",
        "Paper, above 0": "6 of 6: all",
    }
    assert {claims[1].cells[name] for name in ("Mean difference", "Over trainings", "Subjects")} == {"–"}


def test_a_comparison_has_the_paper_s_number_where_the_cohort_is_the_paper_s(claims):
    of_cohort = {(part[1], part[2]): part for part in claims[0].parts}
    assert of_cohort["own_brats", "DICE_D"] == (
        *("3D-None − 2D-None", "own_brats", "DICE_D", "+3.75 [+1.00, +5.12]", "0.012", "40"),
        "+1.34",
    )
    assert of_cohort["<ours>", "DICE_D"][-1] == "–"
    assert claims[1].parts[0][3] == "not run: 3D-None with 100 %"


def test_a_number_of_too_few_subjects_is_shown_without_interval(tables):
    claims, comparisons = tables
    claims[0] |= dict.fromkeys(("lower", "upper", "trainings_lower", "trainings_upper"), "nan")
    comparisons[0] |= {
        "lower": "nan",
        "upper": "nan",
        "p": "nan",
        "status": "too few subjects for an interval",
    }
    printed = printed_claims(claims, comparisons, naming=NAMING, paper_cohorts={})
    assert printed[0].cells["Mean difference"] == "+3.75, no interval"
    assert printed[0].cells["Over trainings"] == "–"
    assert printed[0].parts[0][3:5] == ("+3.75, no interval", "–")


def test_every_row_of_the_page_has_the_cells_of_its_header(tmp_path, claims):
    write_claims(claims, tmp_path / "claims.html", caption="A <b>caption</b>", notes=NOTES)
    page = (tmp_path / "claims.html").read_text()
    cells = Cells()
    cells.feed(page)
    first = cells.rows[: len(claims) + 1]
    assert {len(row) for row in first} == {len(first[0])} and first[1][1] == "does not hold"
    assert {len(row) for row in cells.rows[len(claims) + 1 :]} == {len(PART_TITLES)}
    assert page.count("<details>") == len(CLAIMS) and "color-scheme: light dark" in page


def test_names_and_captions_cannot_become_markup(tmp_path, claims):
    write_claims(claims, tmp_path / "claims.html", caption="A <b>caption</b>", notes=NOTES)
    page = (tmp_path / "claims.html").read_text()
    assert "&lt;ours&gt;" in page and "<ours>" not in page
    assert "A &lt;b&gt;caption&lt;/b&gt;" in page and "DICE<sub>S</sub>" in page


def test_markdown_has_a_row_a_claim(tmp_path, claims):
    write_claims(claims, tmp_path / "claims.md", caption="Caption", notes=NOTES)
    rows = [line for line in (tmp_path / "claims.md").read_text().splitlines() if line.startswith("|")]
    assert len(rows) == len(CLAIMS) + 2
    assert len({row.count(" | ") for row in rows}) == 1 and "**does not hold**" in rows[2]


def test_the_csv_holds_the_paper_s_verdict_behind_ours(tables):
    rows = rows_with_paper(tables[0], NAMING)
    assert rows[0]["difference"] == pytest.approx(3.75) and rows[1]["difference"] == ""
    assert rows[0]["trainings_upper"] == pytest.approx(8.5) and rows[1]["trainings_upper"] == ""
    by_claim = {row["claim"]: row for row in rows}
    assert by_claim["erasing-helps"]["paper_signs"] == "some"
    assert by_claim["erasing-helps"]["paper_parts"] == 72
    assert by_claim["erasing-helps"]["paper_parts_above"] == 69
    assert by_claim["less-data-is-worse"]["paper_signs"] == "not printed"


def test_the_notes_state_the_rule_its_error_and_why_the_paper_is_not_judged_by_it():
    text = " ".join(NOTES)
    assert "of 97.5 % for the mean, and of 95 % for all comparisons of a claim at once" in text
    assert "undecided with a probability of at least 95 %" in text
    assert "cannot be judged by this rule" in text
