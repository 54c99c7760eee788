import numpy as np
import pytest

from spatial_erasing.report.figure_erasing import figure_erasing
from spatial_erasing.report.planes import VIEW_NOTE, section_image
from spatial_erasing.report.style import SMALL_POINTS

VOXEL_SIZE_MM = (2.5, 3.0, 2.5)


@pytest.fixture
def scan():
    x, y, z = np.indices((16, 16, 16))
    head = (x - 7.5) ** 2 + (y - 7.5) ** 2 + (z - 7.5) ** 2 < 36
    return np.where(head, 0.3 + 0.7 * np.random.default_rng(0).random(head.shape), 0)


@pytest.fixture
def erasings(scan):
    """A box erased on the patient's right, in front, above the middle: zero and noise."""
    region = (slice(9, 13), slice(9, 12), slice(8, 11))
    zero, noise = scan.copy(), scan.copy()
    zero[region] = 0
    noise[region] = np.random.default_rng(1).random(noise[region].shape)
    return {"3D-Cube-0": zero, "3D-Cube-n": noise}


@pytest.fixture
def figure(scan, erasings):
    erased_slice = scan[..., 6].copy()
    erased_slice[8:] = 0
    return figure_erasing(
        scan, erasings, {"2D-Half-Slice-0": erased_slice}, slice_index=6, voxel_size_mm=VOXEL_SIZE_MM
    )


def shown(panel):
    return panel.images[0].get_array()


def test_every_volume_has_three_planes_and_every_slice_one(figure):
    assert len(figure.axes) == 2 * 3 + 2
    titles = [text.get_text() for text in figure.texts]
    assert titles == ["3D-Cube-0", "3D-Cube-n", "axial slice 6", "2D-Half-Slice-0", VIEW_NOTE]


def test_patients_right_is_on_the_left_as_marked(figure):
    axial = figure.axes[0]
    assert [text.get_text() for text in axial.texts] == ["R", "L"]
    erased = (shown(axial) == 0) & (shown(figure.axes[3]) > 0)
    rows, columns = np.nonzero(erased)
    assert columns.mean() < shown(axial).shape[1] / 2
    assert rows.mean() < shown(axial).shape[0] / 2  # anterior is up


def test_both_fills_are_cut_in_the_same_planes_through_the_erased_part(figure):
    for zero, noise in zip(figure.axes[:3], figure.axes[3:6], strict=True):
        differing = shown(zero) != shown(noise)
        assert differing.any()
        assert (shown(zero)[differing] == 0).all()


def test_slices_are_the_given_ones_before_and_after(figure, scan):
    before, after = (shown(panel) for panel in figure.axes[-2:])
    box = (slice(1, 15), slice(1, 15))  # the head's radius is below 6, and one voxel of margin
    np.testing.assert_array_equal(before, section_image(scan[..., 6][box]))
    half = before.shape[1] // 2
    assert (after[:, :half] == 0).all()  # x >= 8 is the patient's right: the picture's left
    np.testing.assert_array_equal(after[:, half:], before[:, half:])


@pytest.mark.parametrize("where", ["volume", "slice"])
def test_noise_outside_the_head_is_not_cropped_away(scan, erasings, where):
    erased_slice = scan[..., 6].copy()
    filled = erasings["3D-Cube-n"] if where == "volume" else erased_slice
    filled[(0,) * filled.ndim] = 0.5
    figure = figure_erasing(
        scan, erasings, {"2D-Patch-n": erased_slice}, slice_index=6, voxel_size_mm=VOXEL_SIZE_MM
    )
    assert {shown(panel).shape for panel in (figure.axes[0], figure.axes[-1])} == {(15, 15)}


def test_no_text_is_smaller_than_print_allows(figure):
    texts = [*figure.texts, *(text for panel in figure.axes for text in panel.texts)]
    assert min(text.get_fontsize() for text in texts) >= SMALL_POINTS
