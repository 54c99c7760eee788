import numpy as np
import pytest
from matplotlib.colors import to_rgba

from spatial_erasing.preprocess.quality import COLUMNS, FlagRule
from spatial_erasing.report.figure_quality import A4_MM, draw_strip, figure_quality
from spatial_erasing.report.planes import plane_image
from spatial_erasing.report.style import MM_PER_INCH, ORANGE, SKY, VERMILION, PageFigure

GRID, VOXEL_SIZE_MM = (8, 9, 10), (2.0, 3.0, 2.5)
RULE = FlagRule(outside_ml=(900, 2200), beyond_deviations=4, beyond_band=0.1)
SMALL = "Brain of 512.0 ml: below 900 ml; 9.1 robust SD below the median 1450 ml, limit 4."


def quality_row(subject, brain_ml=1450.0, **changes):
    """As read from quality.csv."""
    texts = dict.fromkeys(COLUMNS, "") | {"cohort": "atlas", "subject": subject, "status": "done"}
    return texts | {"brain_ml": str(brain_ml), "lesion_ml": "0.0", "lesion_downsampled_ml": "0.0"} | changes


def volumes_of(count):
    scans = np.random.default_rng(2).random((count, *GRID)).astype(np.float16)
    brains, lesions = np.zeros((2, count, *GRID), dtype=bool)
    brains[:, 1:7, 1:8, 2:9] = True
    lesions[::2, 2:4, 6:7, 7:8] = True
    return scans, brains, lesions


def pages_of(quality, subjects, volumes, **settings):
    settings = {"voxel_size_mm": VOXEL_SIZE_MM, "rule": RULE} | settings
    return list(figure_quality(quality, subjects, volumes, **settings))


def panels_of(page):
    """The sections of a page, three a subject, without the strip."""
    return [axes for axes in page.axes if axes.images]


def texts_of(page):
    return [text.get_text() for text in page.texts]


def outline_colours(panel):
    return [tuple(outline.get_edgecolor()[0]) for outline in panel.collections]


def test_every_subject_is_shown_once_on_numbered_pages_of_a4():
    names = [f"sub_{place:02d}$y" for place in range(40)]
    pages = pages_of([quality_row(name) for name in names], names, volumes_of(40))
    assert len(pages) == 2 and sum(len(panels_of(page)) for page in pages) == 40 * 3
    shown = [text for page in pages for text in texts_of(page) if text.startswith("sub_")]
    assert shown == names
    for number, page in enumerate(pages, start=1):
        assert texts_of(page)[0] == f"atlas, page {number} of 2"
        np.testing.assert_allclose(page.get_size_inches() * MM_PER_INCH, A4_MM)


@pytest.mark.parametrize("grid", [(64, 64, 64), (16, 16, 64), (64, 80, 20)])
def test_nothing_leaves_the_page_or_covers_another_section(grid):
    names = [f"sub{place:02d}" for place in range(20)]
    quality = [quality_row(name, 512.0, flag=SMALL) for name in names[:4]]
    quality += [quality_row(name) for name in names[4:]]
    scans = np.ones((20, *grid), np.float16)
    volumes = (scans, scans > 0, np.zeros_like(scans, bool))
    for page in pages_of(quality, names, volumes, voxel_size_mm=(2.0, 2.0, 2.0)):
        boxes = [axes.get_position() for axes in page.axes]
        assert all(0 < box.x0 < box.x1 < 1 and 0 < box.y0 < box.y1 < 1 for box in boxes)
        for first, box in enumerate(boxes):
            for other in boxes[first + 1 :]:
                apart = max(other.x0 - box.x1, box.x0 - other.x1, other.y0 - box.y1, box.y0 - other.y1)
                assert apart > -1e-9


def test_subjects_follow_the_table_not_the_arrays():
    scans, brains, lesions = volumes_of(3)
    quality = [quality_row("c", 512.0, flag=SMALL), quality_row("a"), quality_row("b")]
    (page,) = pages_of(quality, ["a", "b", "c"], (scans, brains, lesions))
    shown = [panel.images[0].get_array() for panel in panels_of(page)[::3]]
    expected = [plane_image(scans[subject], "axial", index) for subject, index in ((2, 7), (0, 7), (1, 5))]
    np.testing.assert_array_equal(shown, np.array(expected, dtype=np.float32))


def test_a_flag_stands_above_its_subject_in_the_colour_of_a_warning():
    quality = [quality_row("c", 512.0, flag=SMALL), quality_row("a", warning="thick"), quality_row("b")]
    (page,) = pages_of(quality, ["a", "b", "c"], volumes_of(3))
    bold = [text for text in page.texts if text.get_color() == VERMILION and text.get_weight() == "bold"]
    from_top = sorted(bold, key=lambda text: -text.get_position()[1])
    assert " ".join(text.get_text() for text in from_top) == f"c {SMALL}"
    top_of_sections = panels_of(page)[0].get_position().y1
    assert all(text.get_position()[1] > top_of_sections for text in bold)
    assert {"a, warning", "b"} <= set(texts_of(page))


def test_planes_go_through_the_lesion_and_outline_brain_and_lesion():
    scans, *masks = volumes_of(2)
    (page,) = pages_of([quality_row("a"), quality_row("b")], ["a", "b"], (scans, *masks))
    planes = zip(panels_of(page)[:3], ("axial", "coronal", "sagittal"), (7, 6, 3), strict=True)
    for panel, plane, index in planes:
        expected = plane_image(scans[0].astype(np.float32), plane, index)
        np.testing.assert_array_equal(panel.images[0].get_array(), expected)
        assert outline_colours(panel) == [to_rgba(SKY), to_rgba(ORANGE)]


def test_subject_without_lesion_is_cut_through_its_brain():
    scans, *masks = volumes_of(2)
    (page,) = pages_of([quality_row("a"), quality_row("b")], ["a", "b"], (scans, *masks))
    axial = panels_of(page)[3]
    np.testing.assert_array_equal(axial.images[0].get_array(), plane_image(scans[1], "axial", 5))
    assert outline_colours(axial) == [to_rgba(SKY)]


def test_the_lesion_is_in_ml_as_segmented():
    (page,) = pages_of([quality_row("a", lesion_ml="12.34"), quality_row("b")], ["a", "b"], volumes_of(2))
    assert {"a, lesion 12.3 ml", "b"} <= set(texts_of(page))


def test_sides_are_marked_in_the_first_row_of_every_page():
    names = [f"sub{place:02d}" for place in range(40)]
    for page in pages_of([quality_row(name) for name in names], names, volumes_of(40)):
        marked = [bool(panel.texts) for panel in panels_of(page)]
        assert marked == [True] * 9 + [False] * (len(marked) - 9)


def test_names_and_volumes_that_do_not_belong_together_are_refused():
    quality, volumes = [quality_row("a"), quality_row("b")], volumes_of(2)
    with pytest.raises(ValueError, match=r"atlas: quality.csv has 2 .*2 names and \[2, 2, 1\]"):
        pages_of(quality, ["a", "b"], (*volumes[:2], volumes[2][:1]))
    with pytest.raises(ValueError, match=r"--forcerun stack_cohort"):
        pages_of(quality, ["a", "c"], volumes)


VOLUMES_ML = np.array([512.0, 1400, 1410, 1420, 1440, 1460, 1480, 2300])


@pytest.fixture
def strip():
    quality = [quality_row("x", "", status="failed")]
    quality += [
        quality_row(f"s{place}", ml, flag=SMALL if place in (0, 7) else "")
        for place, ml in enumerate(VOLUMES_ML)
    ]
    figure = PageFigure(*A4_MM)
    return figure, draw_strip(figure, quality, rule=RULE, corner_mm=(0, 0))


def test_the_strip_counts_every_brain_once_in_bars_of_50_ml(strip):
    bars = [bar for bar in strip[1].patches if hasattr(bar, "get_height") and bar.get_width() == 50]
    found = {bar.get_x(): bar.get_height() for bar in bars if bar.get_height()}
    left_ml, counts = np.unique(VOLUMES_ML // 50 * 50, return_counts=True)
    assert found == dict(zip(left_ml, counts, strict=True))


def test_the_strip_marks_each_brain_and_colours_the_flagged_ones(strip):
    ticks = {to_rgba(lines.get_colors()[0]): lines for lines in strip[1].collections}
    flagged = [segment[0, 0] for segment in ticks.pop(to_rgba(VERMILION)).get_segments()]
    ((_, others),) = ticks.items()
    assert flagged == [512.0, 2300.0]
    assert [segment[0, 0] for segment in others.get_segments()] == VOLUMES_ML[1:-1].tolist()


def test_the_strip_shows_the_limits_and_the_band_of_the_median(strip):
    figure, axes = strip
    assert [line.get_xdata()[0] for line in axes.lines] == [900, 2200]
    (band,) = [bar for bar in axes.patches if bar.get_width() not in (0, 50)]
    # by hand: median 1430, distances 10 10 20 30 30 50 870 918, so a median distance of 30
    assert band.get_x() == pytest.approx(1430 - 4 * 1.4826 * 30)
    assert band.get_width() == pytest.approx(8 * 1.4826 * 30)
    words = [text.get_text() for text in figure.texts]
    assert words[:4] == ["n = 8 of 9 subjects done", "1 failed", "2 flagged", "median 1430 ml"]
