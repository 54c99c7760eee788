"""Figure 7: scans, their reconstructions and their differences."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from spatial_erasing.evaluate.examples import Example
from spatial_erasing.report.planes import (
    VIEW_NOTE,
    content_box,
    draw_outline,
    draw_section,
    fullest_index,
    mark_sides,
    plane_size_mm,
    section_image,
)
from spatial_erasing.report.style import (
    PAGE_WIDTH_MM,
    SKY,
    SMALL_POINTS,
    PageFigure,
    in_house_style,
    shortened,
)

COLUMNS = ("Input", "Output", "Difference", "Heat map", "Ground truth")
RESIDUAL_MAP = "inferno"

_LABEL_MM, _BAR_MM = 11.0, 13.0
_TITLE_MM, _NOTE_MM, _GAP_MM = 4.6, 4.4, 0.8
_PANEL_MM = (PAGE_WIDTH_MM - _LABEL_MM - _BAR_MM) / len(COLUMNS) - _GAP_MM
_NAME_LETTERS = 24  # as many as fit along a row


@in_house_style
def figure_examples(examples: Sequence[Example], *, voxel_size_mm: tuple[float, float, float]) -> Figure:
    """Axial slices of test subjects where their lesion is largest, as Bengs et al. (2021), Figure 7.

    Difference and heat map share one colour scale over all rows, from 0 to the largest difference shown;
    the heat map fades out towards 0 to let the scan through.
    """
    rows = [_axial_sections(example) for example in examples]
    box = content_box(np.any([(row["scan"] > 0) | row["lesion"] for row in rows], axis=0))
    rows = [{name: section_image(section[box]) for name, section in row.items()} for row in rows]
    shape = (*rows[0]["scan"].T.shape, 1)
    size_mm = plane_size_mm(shape, "axial", voxel_size_mm)
    norm = Normalize(0, max(row["difference"].max() for row in rows) or 1)

    panel_height_mm = _PANEL_MM * size_mm[1] / size_mm[0]
    bottom_mm = _TITLE_MM + len(rows) * (panel_height_mm + _GAP_MM) - _GAP_MM
    figure = PageFigure(PAGE_WIDTH_MM, bottom_mm + _NOTE_MM)
    columns_mm = [_LABEL_MM + column * (_PANEL_MM + _GAP_MM) for column in range(len(COLUMNS))]
    for place, (example, row) in enumerate(zip(examples, rows, strict=True)):
        top_mm = _TITLE_MM + place * (panel_height_mm + _GAP_MM)
        _label_row(figure, example, middle_mm=top_mm + panel_height_mm / 2)
        panels = [figure.add_panel((left_mm, top_mm), (_PANEL_MM, panel_height_mm)) for left_mm in columns_mm]
        _draw_row(panels, row, size_mm, norm)
        if place == 0:
            mark_sides({"axial": panels[0]})
    for left_mm, title in zip(columns_mm, COLUMNS, strict=True):
        figure.add_text(title, (left_mm + _PANEL_MM / 2, 0.8), ha="center")
    _draw_colour_bar(figure, norm, bottom_mm)
    note = f"Axial slices where the lesion is largest. {VIEW_NOTE} Blue: the lesion as annotated."
    figure.add_text(note, (_LABEL_MM, bottom_mm + 1.0), fontsize=SMALL_POINTS)
    return figure


def _axial_sections(example: Example) -> dict[str, np.ndarray]:
    """The axial slice with the largest lesion area, axes (X, Y)."""
    if not example.lesion.any():
        raise ValueError(
            f"subject {example.subject} of {example.cohort} has no lesion voxel; expected one to "
            "choose the slice by. Choose examples among subjects that have a DICE_S."
        )
    index = fullest_index(example.lesion, "axial")
    names = ("scan", "reconstruction", "difference", "lesion")
    return {name: getattr(example, name)[..., index] for name in names}


def _draw_row(
    panels: list[Axes], row: dict[str, np.ndarray], size_mm: tuple[float, float], norm: Normalize
) -> None:
    scanned, reconstructed, different, heated, truth = panels
    for panel in (scanned, heated, truth):
        draw_section(panel, row["scan"], size_mm, vmin=0, vmax=1)
    draw_section(reconstructed, row["reconstruction"], size_mm, vmin=0, vmax=1)
    draw_section(different, row["difference"], size_mm, cmap=RESIDUAL_MAP, norm=norm)

    opacity = np.clip(2 * norm(row["difference"]).filled(0), 0, 1)
    draw_section(heated, row["difference"], size_mm, cmap=RESIDUAL_MAP, norm=norm, alpha=opacity)
    lesion = np.ma.masked_equal(row["lesion"].astype(float), 0)
    draw_section(truth, lesion, size_mm, cmap=ListedColormap([SKY]), alpha=0.6)
    for panel in (different, heated, truth):
        draw_outline(panel, row["lesion"], size_mm, SKY)


def _label_row(figure: PageFigure, example: Example, *, middle_mm: float) -> None:
    upright = {"rotation": 90, "ha": "left", "va": "center"}
    dice = f"DICE$_S$ {100 * example.dice:.1f} %"
    subject = shortened(example.subject, _NAME_LETTERS)
    figure.add_text(example.cohort, (0.4, middle_mm), weight="bold", parse_math=False, **upright)
    figure.add_text(subject, (3.9, middle_mm), size=SMALL_POINTS, parse_math=False, **upright)
    figure.add_text(dice, (7.0, middle_mm), size=SMALL_POINTS, **upright)


def _draw_colour_bar(figure: PageFigure, norm: Normalize, bottom_mm: float) -> None:
    corner_mm = (PAGE_WIDTH_MM - _BAR_MM + 0.8, _TITLE_MM)
    bar = figure.add_panel(corner_mm, (2.6, bottom_mm - _TITLE_MM))
    figure.colorbar(ScalarMappable(norm, RESIDUAL_MAP), cax=bar).outline.set_visible(False)
    bar.set_ylabel("Absolute residual (normalised intensity)", labelpad=2)
    bar.tick_params(pad=1.5)
