import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.mathtext import MathTextParser
from paper_study import methods

from spatial_erasing.report.table_layout import Block, Column, printed_blocks, write_blocks, write_csv
from spatial_erasing.report.tables import table_1
from spatial_erasing.report.templates import escape_latex, escape_markdown, fill_template, subscripted

NOTES = ["A baseline without a network has the highest AUPRC on my_stroke & co."]
CAPTION = "Table 1. DICE_D ± DICE_S in 100 % of my_stroke, 64 × 64 × 64."


@pytest.fixture(params=[1, 3], ids=["one-seed", "three-seeds"])
def table(request):
    index = pd.Index(["2d-none", "3d-cube-noise", "baseline-brain-median"], name="model")
    block = {
        "name": ["2D-None", "3D-Cube-n", "Median of the brain"],
        "is_baseline": [False, False, True],
    }
    for quantity in ("dice_dataset", "dice_subject_mean", "dice_subject_std", "auprc"):
        block[f"{quantity}_percent"] = np.array([20.5, 30.25, 10.125])
        if request.param > 1:
            block[f"{quantity}_percent_lowest"] = np.array([19.0, 29, 10.125])
            block[f"{quantity}_percent_highest"] = np.array([21.0, 31, 10.125])
    block |= {"prevalence_percent": 1.25, "auprc_over_prevalence": [16.4, 24.2, 8.1], "test_subjects": 12}
    block["seeds"] = [request.param, request.param, 1]
    paper = {f"paper_{name}": [22.0, 31, np.nan] for name in list(block) if name.endswith("_percent")}
    blocks = {
        "my_stroke": pd.DataFrame(block | {"paper_cohort": "atlas"} | paper, index=index),
        "phantom": pd.DataFrame(block, index=index),
    }
    return pd.concat(blocks, axis=1, names=["cohort", "quantity"])


def written(table, folder, *, caption=CAPTION, footnotes=NOTES):
    """The table as Markdown, HTML and LaTeX."""
    files = {kind: folder / f"segmentation.{kind}" for kind in ("md", "html", "tex")}
    write_blocks(printed_blocks(table), SimpleNamespace(**files), caption=caption, footnotes=footnotes)
    return {kind: path.read_text() for kind, path in files.items()}


@pytest.fixture
def latex(table, tmp_path):
    return written(table, tmp_path)["tex"]


@pytest.fixture
def markdown(table, tmp_path):
    return written(table, tmp_path)["md"]


def test_csv_has_one_row_a_cohort_and_model_with_the_ratio_to_chance(table, tmp_path):
    write_csv(table, tmp_path / "table_1.csv")
    rows = pd.read_csv(tmp_path / "table_1.csv")
    assert rows["cohort"].tolist() == ["my_stroke"] * 3 + ["phantom"] * 3
    assert rows["name"].tolist() == ["2D-None", "3D-Cube-n", "Median of the brain"] * 2
    assert rows["auprc_over_prevalence"].tolist() == [16.4, 24.2, 8.1] * 2
    assert rows["paper_auprc_percent"].isna().tolist() == [False, False, True, True, True, True]
    np.testing.assert_allclose(rows["dice_dataset_percent"], [20.5, 30.25, 10.125] * 2)


def test_csv_of_table_2_keeps_the_sequence(table, tmp_path):
    pairs = [("3d-none", "t1"), ("3d-none", "t1ce"), ("baseline-brain-median", "t1")]
    second = table.set_axis(pd.MultiIndex.from_tuples(pairs, names=["model", "sequence"]))
    write_csv(second, tmp_path / "table_2.csv")
    assert pd.read_csv(tmp_path / "table_2.csv")["sequence"].tolist() == ["t1", "t1ce", "t1"] * 2


def test_markdown_rows_have_as_many_cells_as_their_header(markdown):
    for part in markdown.split("### ")[1:]:
        widths = {line.count("|") for line in part.splitlines() if line.startswith("|")}
        assert len(widths) == 1
    assert markdown.count("| 3D-Cube-n |") == 2


def test_markdown_marks_the_best_row_of_ours_and_of_the_paper(markdown):
    of_stroke = markdown.split("### ")[1]
    cells = (
        next(line for line in of_stroke.splitlines() if line.startswith("| 3D-Cube-n"))
        .strip("| ")
        .split(" | ")
    )
    bold = [cell for cell in cells if cell.startswith("**")]
    assert bold == [
        "**30.25**",
        "**30.25 ± 30.25**",
        "**30.25**",
        "**31.00**",
        "**31.00 ± 31.00**",
        "**31.00**",
    ]
    assert "**20.50**" not in of_stroke


def test_markdown_shows_names_as_they_are(markdown):
    assert r"### my\_stroke: 12 test subjects" in markdown
    assert r"- A baseline without a network has the highest AUPRC on my\_stroke & co." in markdown
    assert "| DICE<sub>D</sub> |" in markdown


def test_latex_rows_fill_exactly_the_columns_of_their_tabular(latex):
    tabulars = re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", latex, flags=re.DOTALL)
    assert len(tabulars) == 2
    for columns, body in tabulars:
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(rows) >= 6
        for row in rows:
            spans = [int(span) for span in re.findall(r"\\multicolumn\{(\d+)\}", row)]
            assert len(re.findall(r"(?<!\\)&", row)) + 1 + sum(spans) - len(spans) == len(columns)
        assert int(re.findall(r"\\cmidrule\(lr\)\{\d+-(\d+)\}", body)[-1]) == len(columns)


def test_latex_braces_environments_and_mathematics_close(latex):
    text = re.sub(r"\\[{}\\]", "", re.sub(r"^%.*$", "", latex, flags=re.MULTILINE))
    depth = np.cumsum([{"{": 1, "}": -1}.get(letter, 0) for letter in text])
    assert depth.min() >= 0 and depth[-1] == 0
    assert re.findall(r"\\begin\{(\w+)\}", latex) == ["table", "tabular", "tabular"]
    assert re.findall(r"\\end\{(\w+)\}", latex) == ["tabular", "tabular", "table"]
    formulas = re.findall(r"\\\((.*?)\\\)", latex)
    assert len(formulas) > 20
    for formula in set(formulas):
        MathTextParser("path").parse(f"${formula}$")


def test_latex_has_no_sign_left_that_would_stop_it(latex):
    prose = re.sub(r"\\\(.*?\\\)", "", re.sub(r"^%.*\n", "", latex))
    outside_rows = [line for line in prose.splitlines() if not line.endswith(r"\\")]
    assert not re.search(r"(?<!\\)[%#_$^~]", prose)
    assert not any(re.search(r"(?<!\\)&", line) for line in outside_rows)
    assert latex.isascii()


def test_latex_marks_the_best_row_and_separates_baselines(latex):
    row = next(line for line in latex.splitlines() if line.startswith("3D-Cube-n"))
    assert r"\(\mathbf{30.25 \pm 30.25}\)" in row and r"\(\mathbf{31.00}\)" in row
    before = latex.splitlines()[latex.splitlines().index(row) + 1]
    assert before == r"\midrule"
    assert r"\mathbf{20.50}" not in latex


def test_latex_prints_a_range_as_text_and_the_highest_in_bold():
    column = Column("AUPRC", ("31.0 (29.0–33.0)", "28.0 (27.0–29.0)"), (True, False))
    block = Block("all", {"Method": ("3D-Cube-n", "3D-None")}, {"ours": [column]}, (False, False))
    page = fill_template("table.tex", title="", caption="", footnotes=(), blocks=[block])
    assert r"3D-Cube-n & \textbf{31.0 (29.0--33.0)} \\" in page
    assert r"3D-None & 28.0 (27.0--29.0) \\" in page


def test_escaped_latex_prints_every_special_sign():
    assert escape_latex("a_b & c % # $ {x} ~ ^ \\") == (
        r"a\_b \& c \% \# \$ \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )
    assert escape_latex("DICE_S ± 1–2") == r"\(\mathrm{DICE}_S\) \(\pm\) 1--2"


def test_escaped_markdown_has_no_markup_but_the_subscript():
    assert escape_markdown("a_b *c* | DICE_D") == r"a\_b \*c\* \| DICE<sub>D</sub>"


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
    return written(table, tmp_path, caption="A <b>caption</b>", footnotes=["DICE_D & co"])["html"]


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
    assert subscripted("DICE_D & co") == "DICE<sub>D</sub> &amp; co" and subscripted("DICE_D & co") in page


def test_an_interval_stands_small_below_its_number():
    column = Column("DICE_D", ("30.10", "28.00"), (True, False), ("26.00–34.00", "24.00–31.00"))
    labels = {"Input & Erasing": ("3D-Cube-n", "3D-None")}
    block = Block("brats", labels, {"ours": [column]}, (False, False))
    page = fill_template("table.html", title="", caption="", footnotes=(), blocks=[block])
    assert '<td class="ours"><b>30.10</b><small>26.00–34.00</small></td>' in page
    assert '<td class="ours">28.00<small>24.00–31.00</small></td>' in page
