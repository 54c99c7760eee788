import numpy as np
import pytest
from matplotlib.colors import to_rgba

from spatial_erasing.report.figure_quality import figure_quality
from spatial_erasing.report.planes import plane_image
from spatial_erasing.report.style import ORANGE, SKY

GRID, VOXEL_SIZE_MM = (8, 9, 10), (2.0, 3.0, 2.5)


def pages_of(count, *, subjects_per_page=6):
    rng = np.random.default_rng(2)
    scans = rng.random((count, *GRID)).astype(np.float16)
    brains, lesions = np.zeros((2, count, *GRID), dtype=bool)
    brains[:, 1:7, 1:8, 2:9] = True
    lesions[::2, 2:4, 6:7, 7:8] = True
    names = [f"sub_{place}$y" for place in range(count)]
    sheet = figure_quality(
        "atlas",
        names,
        (scans, brains, lesions),
        voxel_size_mm=VOXEL_SIZE_MM,
        subjects_per_page=subjects_per_page,
    )
    return list(sheet), (scans, brains, lesions)


def outline_colours(panel):
    return [tuple(outline.get_edgecolor()[0]) for outline in panel.collections]


def test_every_subject_is_shown_once_and_pages_are_numbered():
    pages, _ = pages_of(8)
    assert [len(page.axes) for page in pages] == [6 * 3, 2 * 3]
    assert [page.texts[0].get_text() for page in pages] == ["atlas, page 1 of 2", "atlas, page 2 of 2"]
    names = [text.get_text().split(",")[0] for page in pages for text in page.texts[2:]]
    assert names == [f"sub_{place}$y" for place in range(8)]


def test_planes_go_through_the_lesion_and_outline_brain_and_lesion():
    (page,), (scans, _, _) = pages_of(2)
    for panel, plane, index in zip(page.axes[:3], ("axial", "coronal", "sagittal"), (7, 6, 3), strict=True):
        expected = plane_image(scans[0].astype(np.float32), plane, index)
        np.testing.assert_array_equal(panel.images[0].get_array(), expected)
        assert outline_colours(panel) == [to_rgba(SKY), to_rgba(ORANGE)]


def test_subject_without_lesion_is_cut_through_its_brain():
    (page,), (scans, _, _) = pages_of(2)
    axial = page.axes[3]
    np.testing.assert_array_equal(axial.images[0].get_array(), plane_image(scans[1], "axial", 5))
    assert outline_colours(axial) == [to_rgba(SKY)]


def test_lesion_volume_is_in_ml():
    (page,), _ = pages_of(2)
    volume_ml = 2 * 1 * 1 * (2.0 * 3.0 * 2.5) / 1000
    assert page.texts[2].get_text() == f"sub_0$y, lesion {volume_ml:.1f} ml"
    assert page.texts[3].get_text() == "sub_1$y"


def test_names_and_volumes_of_different_length_are_refused():
    volumes = (np.zeros((2, *GRID)), np.zeros((2, *GRID), bool), np.zeros((1, *GRID), bool))
    with pytest.raises(ValueError, match=r"atlas: 2 names, but \[2, 2, 1\]"):
        next(figure_quality("atlas", ["a", "b"], volumes, voxel_size_mm=VOXEL_SIZE_MM))
