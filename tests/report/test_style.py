import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from spatial_erasing.report.style import (
    BLUE,
    MM_PER_INCH,
    ORANGE,
    SKY,
    SMALL_POINTS,
    VERMILION,
    PageFigure,
    in_house_style,
    save_figure,
    save_pages,
    shortened,
    wrapped,
)

ROOT = Path(__file__).parents[2]
SAVE_ONE_OF_EACH = """
import sys
sys.path.insert(0, sys.argv[1])
from test_style import a_figure, save_figure, save_pages
save_figure(a_figure(), "figure.png")
save_figure(a_figure(), "figure.pdf")
save_pages([a_figure(), a_figure()], "pages.pdf")
"""


@in_house_style
def a_figure():
    figure = PageFigure(40, 30)
    panel = figure.add_panel((10, 5), (25, 15))
    panel.imshow(np.arange(12).reshape(3, 4), aspect="auto")
    figure.add_text("DICE$_S$ αβ 31.4 %", (10, 1))
    return figure


def test_same_figure_gives_the_same_bytes_in_another_process_at_another_time(tmp_path):
    written = []
    for hash_seed in ("1", "2"):
        folder = tmp_path / hash_seed
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        environment.pop("SOURCE_DATE_EPOCH", None)
        command = [sys.executable, "-c", SAVE_ONE_OF_EACH, str(Path(__file__).parent)]
        subprocess.run(command, cwd=folder, env=environment, check=True)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert sorted(written[0]) == ["figure.pdf", "figure.png", "pages.pdf"]
    assert written[0] == written[1]
    assert not any(b"CreationDate" in content for content in written[0].values())


def test_caller_settings_neither_leak_in_nor_change(tmp_path):
    save_figure(a_figure(), tmp_path / "plain.png")
    with mpl.rc_context(
        {"font.size": 20, "figure.facecolor": "pink", "lines.linewidth": 9, "savefig.dpi": 40}
    ):
        before = dict(mpl.rcParams)
        save_figure(a_figure(), tmp_path / "elsewhere.png")
        assert dict(mpl.rcParams) == before
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "elsewhere.png").read_bytes()


def test_panel_lies_where_it_was_put_in_mm(tmp_path):
    save_figure(a_figure(), tmp_path / "figure.png")
    picture = imread(tmp_path / "figure.png")[..., :3]
    dots_per_mm = 300 / MM_PER_INCH
    assert picture.shape[:2] == pytest.approx((30 * dots_per_mm, 40 * dots_per_mm), abs=1)

    def colour_at(left_mm, top_mm):
        return picture[int(top_mm * dots_per_mm), int(left_mm * dots_per_mm)]

    darkest, brightest = mpl.colormaps["viridis"]([0.0, 1.0])[:, :3]
    np.testing.assert_allclose(colour_at(11, 6), darkest, atol=0.01)
    np.testing.assert_allclose(colour_at(34, 19), brightest, atol=0.01)
    np.testing.assert_allclose(colour_at(37, 12), 1)


def test_drawing_does_not_touch_pyplot(tmp_path):
    command = "import sys; sys.path.insert(0, sys.argv[1]); import test_style as t; t.a_figure()"
    watched = f"{command}; sys.exit('matplotlib.pyplot' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", watched, str(Path(__file__).parent)], env=environment, check=True)


def test_pages_are_drawn_one_at_a_time(tmp_path):
    alive = []

    def pages():
        for _ in range(3):
            alive.append(a_figure())
            yield alive[-1]

    save_pages(pages(), tmp_path / "pages.pdf")
    assert (tmp_path / "pages.pdf").read_bytes().count(b"/Type /Page ") == len(alive) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["pages.pdf"]


def test_other_file_types_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"figure\.jpg ends in 'jpg'"):
        save_figure(a_figure(), tmp_path / "figure.jpg")


def test_outline_colours_differ_in_brightness():
    def luminance(colour):
        red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert abs(luminance(BLUE) - luminance(VERMILION)) > 0.05
    assert min(luminance(SKY), luminance(ORANGE)) > 0.5  # visible on a dark scan


@pytest.mark.parametrize("letters", [5, 8, 11])
def test_shortened_name_fits_and_keeps_both_ends(letters):
    name = "sub-r009s081_ses-1"
    short = shortened(name, letters)
    assert len(short) == letters
    start, end = short.split("…")
    assert name.startswith(start) and name.endswith(end) and start and end


def test_short_name_stays():
    assert shortened("sub-01", 6) == "sub-01"


WIDE_AND_NARROW = "Wwmm MWM illicit fillings, WWW 10 × 64³ (1,807) MMM; ill it lilt. " * 12


@pytest.mark.parametrize("width_mm", [174, 90, 40])
@pytest.mark.parametrize("dpi", [100, 300])
def test_wrapped_text_is_rendered_no_wider_than_asked_and_wastes_no_line(width_mm, dpi):
    figure = in_house_style(PageFigure)(200, 100)
    figure.set_dpi(dpi)
    text = wrapped(WIDE_AND_NARROW, width_mm)
    lines = text.split("\n")
    assert " ".join(lines).split() == WIDE_AND_NARROW.split()

    def rendered_mm(words):
        drawn = in_house_style(figure.add_text)(words, (0, 0), fontsize=SMALL_POINTS)
        return drawn.get_window_extent().width / dpi * MM_PER_INCH

    assert max(map(rendered_mm, lines)) <= width_mm
    for line, following in pairwise(lines):
        assert rendered_mm(f"{line} {following.split()[0]}") > 0.96 * width_mm


def test_a_word_wider_than_the_line_stands_alone():
    assert wrapped("a incomprehensibilities b", 10) == "a\nincomprehensibilities\nb"
