import nibabel as nib
import numpy as np
import pytest
from matplotlib.figure import Figure

from spatial_erasing.report.planes import (
    GAP_MM,
    PLANES,
    PlaneRow,
    content_box,
    draw_outline,
    draw_section,
    fullest_index,
    mark_sides,
    plane_image,
    plane_size_mm,
    section_image,
)
from spatial_erasing.report.style import MM_PER_INCH, PageFigure

# What nibabel calls the image axes of a radiological display: rows go down, columns to the right.
DISPLAY_AXES = {"axial": ("P", "L"), "coronal": ("I", "L"), "sagittal": ("I", "P")}


@pytest.fixture
def volume():
    return np.random.default_rng(4).random((5, 6, 7))


@pytest.mark.parametrize("plane", PLANES)
def test_plane_image_agrees_with_nibabels_reorientation(volume, plane):
    rows, columns = DISPLAY_AXES[plane]
    through = {"axial": "S", "coronal": "A", "sagittal": "R"}[plane]
    transform = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt((rows, columns, through))
    )
    displayed = nib.orientations.apply_orientation(volume, transform)
    for index in range(displayed.shape[2]):
        np.testing.assert_array_equal(plane_image(volume, plane, index), displayed[..., index])


def test_patients_right_front_lies_at_the_top_left_of_an_axial_section():
    head = np.zeros((4, 5, 3))
    head[-1, -1, 1] = 1  # right, anterior
    assert np.argwhere(plane_image(head, "axial", 1)).tolist() == [[0, 0]]
    np.testing.assert_array_equal(section_image(head[..., 1]), plane_image(head, "axial", 1))


def test_plane_size_takes_each_axis_with_its_voxel_size():
    sizes = {plane: plane_size_mm((10, 20, 30), plane, (1.0, 2.0, 3.0)) for plane in PLANES}
    assert sizes == {"axial": (10, 40), "coronal": (10, 90), "sagittal": (40, 90)}


@pytest.mark.parametrize("plane, axis", [("axial", 2), ("coronal", 1), ("sagittal", 0)])
def test_fullest_index_finds_the_largest_area(volume, plane, axis):
    region = volume > 0.7
    areas = [np.take(region, index, axis=axis).sum() for index in range(region.shape[axis])]
    assert areas[fullest_index(region, plane)] == max(areas)


def test_fullest_index_takes_the_middle_of_equal_sections_and_of_an_empty_grid():
    box = np.zeros((9, 9, 9), dtype=bool)
    assert fullest_index(box, "axial") == 4
    box[2:4, 2:4, 1:4] = True
    assert fullest_index(box, "axial") == 2


def test_content_box_is_the_smallest_with_a_voxel_around_everything():
    content = np.zeros((8, 9, 10), dtype=bool)
    content[2, 3, 4] = content[5, 6, 9] = True
    assert content_box(content) == (slice(1, 7), slice(2, 8), slice(3, 11))
    assert content[content_box(content)].shape == (6, 6, 7)
    assert content_box(np.zeros((3, 3), dtype=bool)) == (slice(None), slice(None))


def test_section_is_shown_in_mm_with_square_millimetres():
    axes = Figure().add_axes((0, 0, 1, 1))
    shown = draw_section(axes, np.zeros((4, 8)), (20.0, 30.0), view_mm=(20.0, 40.0))
    assert list(shown.get_extent()) == [-10, 10, -15, 15]
    assert axes.get_xlim() == (-10, 10) and axes.get_ylim() == (-20, 20)
    assert axes.get_aspect() == 1


def test_outline_runs_along_the_border_of_the_mask():
    mask = np.zeros((6, 8), dtype=bool)
    mask[1:3, 4:8] = True  # touches the right edge of the picture
    axes = Figure().add_axes((0, 0, 1, 1))
    size_mm = (16.0, 18.0)  # 2 mm wide, 3 mm high
    draw_section(axes, mask, size_mm)
    draw_outline(axes, mask, size_mm, "red")
    border = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    assert border.min(axis=0) == pytest.approx([4 * 2 - 8, 9 - 3 * 3])
    assert border.max(axis=0) == pytest.approx([8 * 2 - 8, 9 - 1 * 3])


def test_empty_mask_has_no_outline():
    axes = Figure().add_axes((0, 0, 1, 1))
    draw_outline(axes, np.zeros((3, 3), dtype=bool), (3, 3), "red")
    assert not axes.collections


@pytest.mark.parametrize("plane, sides", [("axial", "RL"), ("coronal", "RL"), ("sagittal", "AP")])
def test_marks_name_the_sides_that_the_image_shows(plane, sides):
    axes = Figure().add_axes((0, 0, 1, 1))
    mark_sides({plane: axes})
    texts = sorted(axes.texts, key=lambda text: text.get_position()[0])
    assert "".join(text.get_text() for text in texts) == sides
    # the voxel with the highest index of the plane's first axis is the patient's right or front
    across = PLANES[plane][0]
    side = np.zeros((4, 4, 4))
    side[(slice(None),) * across + (-1,)] = 1
    assert plane_image(side, plane, 2)[:, 0].all()


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
    figure = PageFigure(120, 60)

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
    panels = row.draw(PageFigure(120, 60), np.zeros(SHAPE), np.zeros(SHAPE, dtype=bool), corner_mm=(0, 0))
    for panel in panels.values():
        _, _, width_mm, height_mm = box_mm(panel)
        assert width_mm / np.ptp(panel.get_xlim()) == pytest.approx(row.scale)
        assert height_mm / np.ptp(panel.get_ylim()) == pytest.approx(row.scale)


def test_outlines_are_drawn_in_their_colour(row):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:5, 2:5, 2:5] = True
    panels = row.draw(
        PageFigure(120, 60), np.zeros(SHAPE), mask, corner_mm=(0, 0), outlines={"#ff0000": mask}
    )
    for panel in panels.values():
        (outline,) = panel.collections
        np.testing.assert_array_equal(outline.get_edgecolor()[0], [1, 0, 0, 1])
