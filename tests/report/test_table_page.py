from html.parser import HTMLParser

import pandas as pd
import pytest
from paper_study import methods

from spatial_erasing.report.table_layout import Block, Column
from spatial_erasing.report.table_page import _block, escape_html, write_html
from spatial_erasing.report.tables import table_1

MODELS = ["2d-none", "3d-cube-noise", "baseline-brain-median"]
VALUES = {"2d-none": 0.2, "3d-cube-noise": 0.4, "baseline-brain-median": 0.1}


class Cells(HTMLParser):
    """Rows of texts, and the texts in bold."""

    def __init__(self):
        super().__init__()
        self.rows, self.bold, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        if "b" in self.open:
            self.bold.append(data)


@pytest.fixture
def page(tmp_path):
    rows = [
        {
            "model": model,
            "fraction_percent": 100,
            "seed": 1,
            "cohort": cohort,
            "sequence": "t1",
            "metric": metric,
        }
        | {
            "value": {"prevalence": 0.01, "subjects": 7, "subjects_without_lesion": 0}.get(
                metric, VALUES[model]
            )
        }
        for model in MODELS
        for cohort in ("brats", "<own>")
        for metric in (
            *("dice_dataset", "dice_subject_mean", "dice_subject_std", "average_precision"),
            *("prevalence", "subjects", "subjects_without_lesion"),
        )
    ]
    table = table_1(
        pd.DataFrame(rows), methods=methods(MODELS), sequence="t1", cohorts={"brats": "brats", "<own>": None}
    )
    write_html(table, tmp_path / "table.html", caption="A <b>caption</b>", footnotes=["DICE_D & co"])
    return (tmp_path / "table.html").read_text()


def test_every_row_of_a_table_has_the_cells_of_its_header(page):
    for part in page.split("<h2>")[1:]:
        cells = Cells()
        cells.feed(part)
        _, header, *body = cells.rows
        assert {len(row) for row in body} == {len(header)}
        assert [row[0] for row in body] == ["2D-None", "3D-Cube-n", "Median of the brain"]


def test_the_highest_of_a_column_is_bold_in_ours_and_in_the_papers(page):
    cells = Cells()
    cells.feed(page.split("<h2>")[1])
    assert cells.bold == ["40.00", "40.00 ± 40.00", "40.00", "30.10", "28.80 ± 13.74", "27.85"]


def test_names_and_captions_cannot_become_markup(page):
    assert "&lt;own&gt;" in page and "<own>" not in page
    assert "A &lt;b&gt;caption&lt;/b&gt;" in page
    assert escape_html("DICE_D & co") == "DICE<sub>D</sub> &amp; co" and escape_html("DICE_D & co") in page


def test_an_interval_stands_small_below_its_number(tmp_path):
    column = Column("DICE_D", ("30.10", "28.00"), (True, False), ("26.00–34.00", "24.00–31.00"))
    labels = {"Input & Erasing": ("3D-Cube-n", "3D-None")}
    block = Block("brats", labels, {"ours": [column]}, (False, False))
    assert '<td class="ours"><b>30.10</b><small>26.00–34.00</small></td>' in _block(block)
    assert '<td class="ours">28.00<small>24.00–31.00</small></td>' in _block(block)
