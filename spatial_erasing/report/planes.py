"""Sections through RAS volumes as a radiologist sees them, with the right proportions.

The patient's right is on the left of axial and coronal sections, anterior on the left of sagittal ones;
anterior (axial) or superior is up. Volumes have axes left->right, posterior->anterior, inferior->superior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from scipy import ndimage

from spatial_erasing.report.style import SMALL_POINTS, PageFigure

# The axes that lie across and up the page, and the one that is cut.
PLANES = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
CUT = {"axial": 2, "coronal": 1, "sagittal": 0}
SIDES = {"axial": ("R", "L"), "coronal": ("R", "L"), "sagittal": ("A", "P")}
VIEW_NOTE = "Radiological view: the patient's right (R) is on the left."
GAP_MM = 0.6  # between neighbouring sections


def section_image(section: np.ndarray) -> np.ndarray:
    """Turn a section, axes (across, up), into image rows from top to bottom in radiological view."""
    return section[::-1, ::-1].T


def plane_image(volume: np.ndarray, plane: str, index: int) -> np.ndarray:
    """The section of a RAS volume at this index, as image rows from top to bottom in radiological view."""
    return section_image(np.take(volume, index, axis=CUT[plane]))


def plane_size_mm(shape: tuple[int, ...], plane: str, voxel_size_mm: Sequence[float]) -> tuple[float, float]:
    """Width and height of a section."""
    across, down = (float(shape[axis] * voxel_size_mm[axis]) for axis in PLANES[plane])
    return across, down


def fullest_index(region: np.ndarray, plane: str) -> int:
    """The section with most voxels of a region, the middle one of equals; the grid's middle if empty."""
    counts = np.count_nonzero(region, axis=tuple(PLANES[plane]))
    fullest = np.flatnonzero(counts == counts.max())
    return int(fullest[len(fullest) // 2]) if counts.max() else region.shape[CUT[plane]] // 2


def content_box(content: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around all true voxels with a margin of one; the whole grid if there are none."""
    if not content.any():
        return (slice(None),) * content.ndim
    box = ndimage.find_objects(content.astype(np.uint8))[0]
    return tuple(slice(max(axis.start - 1, 0), axis.stop + 1) for axis in box)


def draw_section(
    axes: Axes,
    image: np.ndarray,
    size_mm: tuple[float, float],
    *,
    view_mm: tuple[float, float] | None = None,
    **settings: Any,
) -> AxesImage:
    """Show a section in mm, centred on black in a view of its own width and height or of these."""
    (width_mm, height_mm), (view_width_mm, view_height_mm) = size_mm, view_mm or size_mm
    settings = {"cmap": "gray", "interpolation": "nearest"} | settings
    extent_mm = (-width_mm / 2, width_mm / 2, -height_mm / 2, height_mm / 2)
    shown = axes.imshow(image, extent=extent_mm, aspect="equal", **settings)
    axes.set(xticks=[], yticks=[], facecolor="black")
    axes.set(xlim=(-view_width_mm / 2, view_width_mm / 2), ylim=(-view_height_mm / 2, view_height_mm / 2))
    axes.spines[:].set_visible(False)
    return shown


def draw_outline(axes: Axes, mask: np.ndarray, size_mm: tuple[float, float], colour: str) -> None:
    """Draw the border of a mask, an image as in `draw_section`; nothing if it is empty."""
    if not mask.any():
        return
    rows, columns = mask.shape
    width_mm, height_mm = size_mm
    x_mm = (np.arange(-1, columns + 1) + 0.5) * width_mm / columns - width_mm / 2
    y_mm = height_mm / 2 - (np.arange(-1, rows + 1) + 0.5) * height_mm / rows
    # a ring of background closes the outline of a mask that touches the edge of the grid
    axes.contour(x_mm, y_mm, np.pad(mask.astype(float), 1), levels=[0.5], colors=[colour], linewidths=0.8)


def mark_sides(panels: Mapping[str, Axes]) -> None:
    """Write in each plane's panel which side of the patient is left and right in it."""
    for plane, axes in panels.items():
        for place, side, alignment in zip((0.02, 0.98), SIDES[plane], ("left", "right"), strict=True):
            label = {"color": "white", "fontsize": SMALL_POINTS, "ha": alignment, "va": "top"}
            axes.text(place, 0.98, side, transform=axes.transAxes, **label)


@dataclass(frozen=True)
class PlaneRow:
    """How large the three sections of a volume are on the page."""

    sizes_mm: dict[str, tuple[float, float]]  # width and height of each plane's section in the patient
    scale: float  # mm on the page per mm in the patient

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
        figure: PageFigure,
        volume: np.ndarray,
        region: np.ndarray,
        *,
        corner_mm: tuple[float, float],
        outlines: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> dict[str, Axes]:
        """Draw the sections that hold most of a region, and return their axes.

        Args:
            region: mask that decides where to cut, same shape.
            outlines: colour -> mask to draw the border of, same shape.
        """
        panels, (left_mm, top_mm) = {}, corner_mm
        for plane, size_mm in self.sizes_mm.items():
            width_mm = self.scale * size_mm[0]
            panels[plane] = figure.add_panel((left_mm, top_mm), (width_mm, self.height_mm))
            index = fullest_index(region, plane)
            view_mm = (size_mm[0], self.height_mm / self.scale)
            image = plane_image(volume, plane, index)
            draw_section(panels[plane], image, size_mm, view_mm=view_mm, vmin=0, vmax=1)
            for colour, mask in outlines.items():
                draw_outline(panels[plane], plane_image(mask, plane, index), size_mm, colour)
            left_mm += width_mm + GAP_MM
        return panels
