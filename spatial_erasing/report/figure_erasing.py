"""Figure 3: the region that each strategy erases from a healthy volume."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from spatial_erasing.report.planes import (
    GAP_MM,
    VIEW_NOTE,
    PlaneRow,
    content_box,
    draw_section,
    mark_sides,
    section_image,
)
from spatial_erasing.report.style import PAGE_WIDTH_MM, SMALL_POINTS, PageFigure, in_house_style

_VOLUME_GAP_MM, _TITLE_MM, _NOTE_MM = 4.0, 5.2, 4.4
_TITLE_DROP_MM = 1.4  # from the top of a title's strip to its text
_VOLUMES_PER_ROW = 2  # one strategy filled with zeros, then with noise


@in_house_style
def figure_erasing(
    scan_volume: np.ndarray,
    erased_volumes: Mapping[str, np.ndarray],
    erased_slices: Mapping[str, np.ndarray],
    *,
    slice_index: int,
    voxel_size_mm: tuple[float, float, float],
) -> Figure:
    """Every erasing strategy on one healthy volume, as Bengs et al. (2021), Figure 3, here with both fills.

    Volumes are cut where most of the brain is erased, two volumes a row. Below: an axial slice before and
    after 2-D erasing.

    Args:
        scan_volume: the volume before erasing, in [0, 1], shape (X, Y, Z), RAS.
        erased_volumes: title -> erased volume, same shape; in the order zero, noise, zero, noise, ...
        erased_slices: title -> erased axial slice, shape (X, Y).
        slice_index: the axial slice that `erased_slices` started from.
    """
    box = _box_of_all(scan_volume, erased_volumes, erased_slices, slice_index)
    scan = scan_volume[box]
    before = {f"axial slice {slice_index}": scan_volume[..., slice_index]}
    slices = {title: section[box[:2]] for title, section in (before | dict(erased_slices)).items()}

    width_mm = (PAGE_WIDTH_MM - _VOLUME_GAP_MM) / _VOLUMES_PER_ROW
    row = PlaneRow.of_width(width_mm, scan.shape, voxel_size_mm)
    row_mm = _TITLE_MM + row.height_mm
    slices_top_mm = row_mm * -(-len(erased_volumes) // _VOLUMES_PER_ROW) + _VOLUME_GAP_MM
    slice_width_mm = (PAGE_WIDTH_MM + GAP_MM) / len(slices) - GAP_MM
    size_mm = row.sizes_mm["axial"]
    bottom_mm = slices_top_mm + _TITLE_MM + slice_width_mm * size_mm[1] / size_mm[0]

    figure = PageFigure(PAGE_WIDTH_MM, bottom_mm + _NOTE_MM)
    erased_titled = list(erased_volumes.items())
    for rank, first in enumerate(range(0, len(erased_titled), _VOLUMES_PER_ROW)):
        pair = erased_titled[first : first + _VOLUMES_PER_ROW]
        # both fills of a strategy are cut in the same planes
        region = (scan > 0) & np.any([erased[box] != scan for _, erased in pair], axis=0)
        for column, (title, erased) in enumerate(pair):
            left_mm, top_mm = column * (width_mm + _VOLUME_GAP_MM), rank * row_mm
            figure.add_text(title, (left_mm, top_mm + _TITLE_DROP_MM))
            panels = row.draw(figure, erased[box], region, corner_mm=(left_mm, top_mm + _TITLE_MM))
            if rank == 0:
                mark_sides(panels)
    _draw_slices(figure, slices, size_mm, top_mm=slices_top_mm, width_mm=slice_width_mm)
    figure.add_text(VIEW_NOTE, (0, bottom_mm + 1.0), fontsize=SMALL_POINTS)
    return figure


def _box_of_all(
    scan_volume: np.ndarray,
    erased_volumes: Mapping[str, np.ndarray],
    erased_slices: Mapping[str, np.ndarray],
    slice_index: int,
) -> tuple[slice, ...]:
    """The part of the grid in which anything is shown: the head and all that was filled outside it."""
    content = scan_volume > 0
    for erased in erased_volumes.values():
        content = content | (erased != scan_volume)
    for erased in erased_slices.values():
        content[..., slice_index] |= erased != scan_volume[..., slice_index]
    return content_box(content)


def _draw_slices(
    figure: PageFigure,
    slices: Mapping[str, np.ndarray],
    size_mm: tuple[float, float],
    *,
    top_mm: float,
    width_mm: float,
) -> None:
    section_mm = (width_mm, width_mm * size_mm[1] / size_mm[0])
    for place, (title, section) in enumerate(slices.items()):
        left_mm = place * (width_mm + GAP_MM)
        figure.add_text(title, (left_mm, top_mm + _TITLE_DROP_MM), fontsize=SMALL_POINTS)
        panel = figure.add_panel((left_mm, top_mm + _TITLE_MM), section_mm)
        draw_section(panel, section_image(section), size_mm, vmin=0, vmax=1)
        if place == 0:
            mark_sides({"axial": panel})
