"""A contact sheet of all preprocessed subjects, to find by eye what went wrong."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from spatial_erasing.report.plane_row import PlaneRow
from spatial_erasing.report.planes import VIEW_NOTE, mark_sides
from spatial_erasing.report.style import (
    ORANGE,
    PAGE_WIDTH_MM,
    SKY,
    SMALL_POINTS,
    add_text,
    in_house_style,
    new_figure,
    shortened,
)

_COLUMNS = 3
_COLUMN_GAP_MM = 4.0
_HEADER_MM = 5.0
_TITLE_MM = 4.2
_NAME_LETTERS = 26


def figure_quality(
    cohort: str,
    subjects: Sequence[str],
    volumes: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    voxel_size_mm: tuple[float, float, float],
    subjects_per_page: int = 27,
) -> Iterator[Figure]:
    """Pages that show three planes of every subject with the outlines of its brain and its lesion.

    Cut where the lesion is largest, or the brain if there is none; the whole grid is shown.

    Args:
        subjects: names, in the order of the volumes.
        volumes: scans in [0, 1], brain masks and lesions, each (n, X, Y, Z).
        subjects_per_page: 27 fill a page of A4.
    """
    if len({len(subjects), *map(len, volumes)}) > 1:
        raise ValueError(
            f"{cohort}: {len(subjects)} names, but {[len(v) for v in volumes]} scans, brains and lesions; "
            "expected one of each for every subject. Preprocess this cohort again."
        )
    pages = -(-len(subjects) // subjects_per_page)
    for page in range(pages):
        on_page = slice(page * subjects_per_page, (page + 1) * subjects_per_page)
        title = f"{cohort}, page {page + 1} of {pages}"
        yield _draw_page(title, subjects[on_page], tuple(v[on_page] for v in volumes), voxel_size_mm)


@in_house_style
def _draw_page(title: str, subjects: Sequence[str], volumes: tuple, voxel_size_mm: tuple) -> Figure:
    """Subjects in rows of three."""
    width_mm = (PAGE_WIDTH_MM + _COLUMN_GAP_MM) / _COLUMNS - _COLUMN_GAP_MM
    row = PlaneRow.of_width(width_mm, volumes[0].shape[1:], voxel_size_mm)
    row_mm = _TITLE_MM + row.height_mm
    figure = new_figure(PAGE_WIDTH_MM, _HEADER_MM + row_mm * -(-len(subjects) // _COLUMNS))
    note = f"Blue: brain mask. Orange: lesion. {VIEW_NOTE}"
    add_text(figure, title, left_mm=0, top_mm=0.8, weight="bold", parse_math=False)
    add_text(figure, note, left_mm=PAGE_WIDTH_MM, top_mm=1.0, ha="right", fontsize=SMALL_POINTS)

    for place, (subject, scan, brain, lesion) in enumerate(zip(subjects, *volumes, strict=True)):
        rank, column = divmod(place, _COLUMNS)
        left_mm, top_mm = column * (width_mm + _COLUMN_GAP_MM), _HEADER_MM + rank * row_mm
        name = shortened(subject, _NAME_LETTERS) + _lesion_note(lesion, voxel_size_mm)
        add_text(figure, name, left_mm=left_mm, top_mm=top_mm + 1.0, fontsize=SMALL_POINTS, parse_math=False)
        outlines = {SKY: brain, ORANGE: lesion}
        region = lesion if lesion.any() else brain
        corner_mm = (left_mm, top_mm + _TITLE_MM)
        panels = row.draw(figure, scan.astype(np.float32), region, corner_mm=corner_mm, outlines=outlines)
        if rank == 0:
            mark_sides(panels)
    return figure


def _lesion_note(lesion: np.ndarray, voxel_size_mm: tuple[float, float, float]) -> str:
    volume_ml = np.count_nonzero(lesion) * np.prod(voxel_size_mm) / 1000
    return f", lesion {volume_ml:.1f} ml" if volume_ml else ""
