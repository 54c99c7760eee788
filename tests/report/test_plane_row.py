import numpy as np
import pytest
from matplotlib.figure import Figure

from spatial_erasing.report.plane_row import GAP_MM, PlaneRow
from spatial_erasing.report.planes import plane_image
from spatial_erasing.report.style import MM_PER_INCH, new_figure

SHAPE, VOXEL_SIZE_MM = (8, 10, 6), (2.0, 3.0, 4.0)


@pytest.fixture
def row():
    return PlaneRow.of_width(85, SHAPE, VOXEL_SIZE_MM)


def box_mm(panel):
    width_mm, height_mm = panel.figure.get_size_inches() * MM_PER_INCH
    x, y, width, height = panel.get_position().bounds
    return x * width_mm, (1 - y - height) * height_mm, width * width_mm, height * height_mm


def test_row_fills_its_width_at_one_scale(row):
    assert row.scale * (16 + 16 + 30) + 2 * GAP_MM == pytest.approx(85)
    assert row.height_mm == pytest.approx(row.scale * 30)


def test_panels_show_the_sections_that_hold_most_of_the_region_at_their_place(row):
    volume = np.random.default_rng(1).random(SHAPE)
    region = np.zeros(SHAPE, dtype=bool)
    region[6, 2, 4] = True
    figure = new_figure(120, 60)

    panels = row.draw(figure, volume, region, corner_mm=(5, 3))

    for plane, index in {"sagittal": 6, "coronal": 2, "axial": 4}.items():
        (shown,) = panels[plane].images
        np.testing.assert_array_equal(shown.get_array(), plane_image(volume, plane, index))
        assert shown.get_clim() == (0, 1)
    left_mm, top_mm, _, _ = box_mm(panels["axial"])
    assert (left_mm, top_mm) == pytest.approx((5, 3))
    sagittal = box_mm(panels["sagittal"])
    assert sagittal[0] + sagittal[2] == pytest.approx(5 + 85)


def test_every_panel_has_the_same_scale_in_both_directions(row):
    panels = row.draw(new_figure(120, 60), np.zeros(SHAPE), np.zeros(SHAPE, dtype=bool), corner_mm=(0, 0))
    for panel in panels.values():
        _, _, width_mm, height_mm = box_mm(panel)
        assert width_mm / np.ptp(panel.get_xlim()) == pytest.approx(row.scale)
        assert height_mm / np.ptp(panel.get_ylim()) == pytest.approx(row.scale)


def test_outlines_are_drawn_in_their_colour(row):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:5, 2:5, 2:5] = True
    panels = row.draw(Figure(), np.zeros(SHAPE), mask, corner_mm=(0, 0), outlines={"#ff0000": mask})
    for panel in panels.values():
        (outline,) = panel.collections
        np.testing.assert_array_equal(outline.get_edgecolor()[0], [1, 0, 0, 1])
