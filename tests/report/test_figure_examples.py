import numpy as np
import pytest

from spatial_erasing.evaluate.examples import Example
from spatial_erasing.report.figure_examples import COLUMNS, figure_examples
from spatial_erasing.report.planes import section_image
from spatial_erasing.report.style import MM_PER_INCH, SMALL_POINTS

VOXEL_SIZE_MM = (2.0, 3.0, 2.5)
GRID = (12, 10, 8)


def an_example(seed, *, cohort="atlas", brightest=0.5):
    """A full grid of brain; the lesion is largest in slice 5, on the patient's left and behind."""
    rng = np.random.default_rng(seed)
    scan, reconstruction = 0.1 + 0.9 * rng.random(GRID), rng.random(GRID)
    lesion = np.zeros(GRID, dtype=bool)
    lesion[1:5, 1:4, 5] = True
    lesion[2:4, 1:4, 4] = True
    difference = brightest * rng.random(GRID)
    difference[0, 0, 5] = brightest
    return Example(
        cohort, f"sub_{seed}$x", scan, reconstruction, difference, lesion, dice=0.15534, threshold=0.2
    )


@pytest.fixture
def examples():
    return [an_example(0, cohort="brats"), an_example(1, brightest=0.8)]


@pytest.fixture
def figure(examples):
    return figure_examples(examples, voxel_size_mm=VOXEL_SIZE_MM)


def test_row_shows_the_axial_slice_with_the_largest_lesion_in_radiological_view(figure, examples):
    second = figure.axes[5:10]
    names = ("scan", "reconstruction", "difference", "scan", "scan")
    for panel, name in zip(second, names, strict=True):
        expected = section_image(getattr(examples[1], name)[..., 5])
        np.testing.assert_array_equal(panel.images[0].get_array(), expected)
    np.testing.assert_array_equal(
        second[3].images[1].get_array(), section_image(examples[1].difference[..., 5])
    )
    assert [text.get_text() for text in figure.axes[0].texts] == ["R", "L"]


def test_truth_covers_exactly_the_lesion_and_its_contour_surrounds_it(figure, examples):
    expected = section_image(examples[0].lesion[..., 5])
    for place in (2, 3, 4):
        border = np.concatenate([path.vertices for path in figure.axes[place].collections[0].get_paths()])
        # voxels 1...4 of 12 from the left of the patient, 2 mm each, are on the right of the picture
        assert (border[:, 0].min(), border[:, 0].max()) == pytest.approx((12 - 5 * 2, 12 - 1 * 2))
        assert (border[:, 1].min(), border[:, 1].max()) == pytest.approx((1 * 3 - 15, 4 * 3 - 15))
    np.testing.assert_array_equal(~figure.axes[4].images[1].get_array().mask, expected)


def test_all_rows_share_one_scale_that_ends_at_the_largest_difference_shown(figure, examples):
    residuals = [panel.images[-1] for row in (0, 5) for panel in figure.axes[row + 2 : row + 4]]
    assert len(residuals) == 4
    assert {image.get_clim() for image in residuals} == {(0, 0.8)}
    bar = figure.axes[-1]
    assert bar.get_ylim() == (0, 0.8)
    assert "normalised intensity" in bar.get_ylabel()


def test_heat_map_lets_the_scan_through_where_nothing_differs(figure):
    overlay = figure.axes[3].images[1]
    values, alpha = overlay.get_array(), overlay.get_alpha()
    order = np.argsort(np.asarray(values), axis=None)
    assert (np.diff(np.asarray(alpha).ravel()[order]) >= 0).all()
    assert np.asarray(alpha)[np.asarray(values) > 0.4].min() == 1
    assert np.asarray(alpha).min() < 0.1


def test_rows_and_columns_are_labelled_with_names_as_they_are(figure):
    texts = [text.get_text() for text in figure.texts]
    assert texts[:3] == ["brats", "sub_0$x", "DICE$_S$ 15.5 %"]
    assert set(COLUMNS) < set(texts)


def test_voxels_keep_their_proportions_on_the_page(figure):
    width_mm, height_mm = figure.get_size_inches() * MM_PER_INCH
    box = figure.axes[0].get_position()
    assert (box.height * height_mm) / (box.width * width_mm) == pytest.approx(10 * 3.0 / (12 * 2.0))


def test_no_text_overlaps_another_or_leaves_the_page(figure):
    boxes = [text.get_window_extent() for text in figure.texts]
    page = figure.bbox
    for place, box in enumerate(boxes):
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])
    assert min(text.get_fontsize() for text in figure.texts) >= SMALL_POINTS


def test_difference_of_zero_everywhere_can_be_drawn(examples):
    blank = [Example(**(vars(example) | {"difference": np.zeros(GRID)})) for example in examples]
    assert figure_examples(blank, voxel_size_mm=VOXEL_SIZE_MM).axes[-1].get_ylim() == (0, 1)


def test_example_without_lesion_is_refused(examples):
    empty = Example(**(vars(examples[0]) | {"lesion": np.zeros(GRID, dtype=bool)}))
    with pytest.raises(ValueError, match=r"sub_0\$x of brats has no lesion voxel"):
        figure_examples([empty], voxel_size_mm=VOXEL_SIZE_MM)
