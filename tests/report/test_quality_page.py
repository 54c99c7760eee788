from html.parser import HTMLParser

import numpy as np
import pytest

from spatial_erasing.preprocess.quality import COLUMNS, PERCENTILES, FlagRule, HealthyBand
from spatial_erasing.report.quality_page import Contrast, write_quality_page

RULE = FlagRule(outside_ml=(900, 2200), beyond_deviations=4, beyond_band=0.1)
MIDDLE = np.linspace(0.1, 0.9, len(PERCENTILES))
BAND = HealthyBand("t1", 31, *(tuple(MIDDLE + shift) for shift in (-0.05, 0, 0.05)))
HOSTILE = "<script>alert('x')</script>&\"</td>"


def quality_row(subject, brain_ml, **changes):
    """As read from quality.csv."""
    texts = dict.fromkeys(COLUMNS, "") | {"cohort": "brats", "subject": subject, "scanner": "S1"}
    measures = {"lesion_ml": "0.0", "lesion_downsampled_ml": "0.0", "lesion_outside_brain_percent": "0.0"}
    return texts | measures | {"status": "done", "brain_ml": str(brain_ml)} | changes


FAILED = quality_row(
    "lost", "", status="failed", reason="too dark", exclude_line="brats,lost,preprocessing failed"
)
FLAGGED = quality_row(
    "small", 512.0, flag="Brain of 512.0 ml: below 900 ml.", exclude_line="brats,small,brain"
)
WARNED = quality_row("thick", 1400.0, warning="thick slices")


class Page(HTMLParser):
    """Rows of every table, the numbers on top, the tags, and the lines to paste."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.tiles, self.tags, self.lines, self.open = [], [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "b":
            self.tiles.append("")

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data
        elif "b" in self.open:
            self.tiles[-1] += data
        elif "pre" in self.open:
            self.lines += data


@pytest.fixture
def page_of(tmp_path):
    def write(rows, cohort="brats", curves=None):
        usual = {row["subject"]: {"t1": MIDDLE} for row in rows if row["status"] == "done"}
        contrast = Contrast(usual | (curves or {}), BAND)
        write_quality_page(rows, tmp_path / "quality.html", cohort=cohort, rule=RULE, contrast=contrast)
        return (tmp_path / "quality.html").read_text(encoding="utf-8")

    return write


def test_the_counts_stand_on_top(page_of):
    lesions = {"lesion_ml": "10.0", "lesion_downsampled_ml": "11.0"}
    vanished = quality_row("v", 1500.0, lesion_ml="0.5", lesion_downsampled_ml="0.0")
    page = Page(page_of([FAILED, FLAGGED, WARNED, quality_row("whole", 1450.0, **lesions), vanished]))
    assert page.tiles == ["4", "1", "1", "1", "1", "10.5 → 11.0 ml"]
    assert page.tags.index("b") < page.tags.index("table")


def test_a_cohort_without_lesions_has_no_columns_of_lesions(page_of):
    page = Page(page_of([WARNED, quality_row("whole", 1450.0)]))
    assert len(page.tiles) == 4 and not any("lesion" in title for title in page.tables[-1][0])


def test_whom_to_look_at_comes_with_what_was_found(page_of):
    page = Page(page_of([FAILED, FLAGGED, WARNED, quality_row("whole", 1450.0)]))
    assert page.tables[0][1:] == [
        ["lost", "failed", "too dark"],
        ["small", "flagged", "Brain of 512.0 ml: below 900 ml."],
        ["thick", "warning", "thick slices"],
    ]
    assert page.lines.splitlines() == [
        "cohort,subject,reason",
        "brats,lost,preprocessing failed",
        "brats,small,brain",
    ]


def test_every_subject_has_a_row_with_a_cell_for_every_title(page_of):
    rows = [FAILED, FLAGGED, WARNED, quality_row("whole", 1450.0, lesion_ml="3.25", brain_deviations="-1.26")]
    titles, *body = Page(page_of(rows)).tables[-1]
    assert [row[0] for row in body] == ["lost", "small", "thick", "whole"]
    assert {len(row) for row in body} == {len(titles)}
    whole = dict(zip(titles, body[-1], strict=True))
    assert (whole["brain, ml"], whole["robust SD from median"], whole["lesion, ml"]) == (
        "1450",
        "-1.3",
        "3.25",
    )


def test_a_cohort_in_order_says_so_and_offers_nothing_to_exclude(page_of):
    text = page_of([quality_row("whole", 1450.0)])
    assert "All subjects passed" in text and "<pre>" not in text


@pytest.mark.parametrize(
    "field",
    ["subject", "scanner", "reason", "warning", "flag", "exclude_line", "box_voxels", "intensity_maps"],
)
def test_nothing_that_a_data_set_says_becomes_markup(page_of, field):
    row = quality_row("a", 1450.0, warning="so that it is looked at")
    row["status"] = "failed" if field == "reason" else "done"
    harmless, hostile = (page_of([row | {field: text}]) for text in ("harmless", HOSTILE))
    assert Page(hostile).tags == Page(harmless).tags
    assert HOSTILE not in hostile and "&lt;script&gt;" in hostile


def test_the_name_of_a_cohort_is_text_too(page_of):
    assert Page(page_of([WARNED], cohort=HOSTILE)).tags == Page(page_of([WARNED])).tags


def test_each_curve_is_drawn_against_the_band_and_odd_ones_stand_out(page_of):
    odd = quality_row("odd", 1450.0, beyond_band="0.2", intensity_maps="t1: power 1.52")
    rows = [odd, quality_row("usual", 1450.0, beyond_band="0.0", intensity_maps="t1: power 0.9")]
    text = page_of(rows, curves={"odd": {"t1": MIDDLE + 0.25}})
    assert text.count('class="curve odd"') == 2 and text.count('class="curve"') == 2  # chart and table
    assert text.count('class="band"') == 3
    assert "t1: 1 of 2 outside the band" in text and "31 healthy training brains" in " ".join(text.split())
    assert "t1: power 1.52" in text


def test_a_curve_stands_where_its_numbers_say(page_of):
    """The chart's plot is 366 wide from 44 on and 186 high down to 196."""
    text = page_of([quality_row("a", 1450.0)], curves={"a": {"t1": np.full(len(PERCENTILES), 0.5)}})
    points = text.split('class="curve odd" points="')[1].split('"')[0].split()
    assert points[0] == "44.0,103.0" and points[-1] == "410.0,103.0"


def test_the_page_needs_nothing_from_elsewhere(page_of):
    text = page_of([FAILED, FLAGGED])
    assert "color-scheme: light dark" in text
    assert not any(word in text for word in ("http", "<script", "src=", "url("))
