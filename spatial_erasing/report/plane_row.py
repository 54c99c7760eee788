"""Axial, coronal and sagittal section of one volume side by side, at one scale."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatial_erasing.report.planes import (
    PLANES,
    draw_outline,
    draw_section,
    fullest_index,
    plane_image,
    plane_size_mm,
)
from spatial_erasing.report.style import add_panel

GAP_MM = 0.6  # between neighbouring sections


@dataclass(frozen=True)
class PlaneRow:
    """How large the three sections of a volume are on the page.

    Args:
        sizes_mm: width and height of each plane's section in the patient.
        scale: mm on the page per mm in the patient.
    """

    sizes_mm: dict[str, tuple[float, float]]
    scale: float

    @classmethod
    def of_width(
        cls, width_mm: float, shape: tuple[int, ...], voxel_size_mm: tuple[float, ...]
    ) -> "PlaneRow":
        """The row that fills this width on the page with a volume of this shape and voxel size."""
        sizes_mm = {plane: plane_size_mm(shape, plane, voxel_size_mm) for plane in PLANES}
        gaps_mm = GAP_MM * (len(PLANES) - 1)
        return cls(sizes_mm, (width_mm - gaps_mm) / sum(width for width, _ in sizes_mm.values()))

    @property
    def height_mm(self) -> float:
        """Height on the page, of the tallest section: the others lie centred on black."""
        return self.scale * max(height for _, height in self.sizes_mm.values())

    def draw(
        self,
        figure: Figure,
        volume: np.ndarray,
        region: np.ndarray,
        *,
        corner_mm: tuple[float, float],
        outlines: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> dict[str, Axes]:
        """Draw the sections that hold most of a region, and return their axes.

        Args:
            volume: intensities in [0, 1], shape (X, Y, Z).
            region: mask that decides where to cut, same shape.
            corner_mm: left and top of the row on the page.
            outlines: colour -> mask to draw the border of, same shape.
        """
        panels, (left_mm, top_mm) = {}, corner_mm
        for plane, size_mm in self.sizes_mm.items():
            size = {"width_mm": self.scale * size_mm[0], "height_mm": self.height_mm}
            panels[plane] = add_panel(figure, left_mm=left_mm, top_mm=top_mm, **size)
            index = fullest_index(region, plane)
            view_mm = (size_mm[0], self.height_mm / self.scale)
            image = plane_image(volume, plane, index)
            draw_section(panels[plane], image, size_mm, view_mm=view_mm, vmin=0, vmax=1)
            for colour, mask in outlines.items():
                draw_outline(panels[plane], plane_image(mask, plane, index), size_mm, colour)
            left_mm += size["width_mm"] + GAP_MM
        return panels
