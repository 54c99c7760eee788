"""Which part of a scan its page shows: turned to the patient's sides, without the air, not too fine."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.resample import turned_grid

MAXIMUM_VOXELS = 9_000_000  # a file of some 10 MB


@dataclass(frozen=True)
class Shown:
    """The part of a scan that the page shows, its axes turned towards right, anterior and superior.

    Args:
        grid: of the whole turned scan.
        box: the part around head and map.
        steps: how many voxels along each axis become one on the page.
    """

    grid: Grid
    box: tuple[slice, ...]
    steps: tuple[int, ...]

    @property
    def page_grid(self) -> Grid:
        """The voxels of the page; the last of an axis may reach over the edge of the box."""
        part = self.grid.block(self.box)
        shape = tuple(math.ceil(size / step) for size, step in zip(part.shape, self.steps, strict=True))
        padded = tuple(size * step for size, step in zip(shape, self.steps, strict=True))
        return part.window((0, 0, 0), padded).coarsened(shape)

    def coarse(self, levels: np.ndarray, *, keep_highest: bool = True) -> np.ndarray:
        """An array on the box, as uint8 on the page's grid: the highest or the mean value of its voxels."""
        if self.steps == (1, 1, 1):
            return levels.astype(np.uint8, copy=False)
        shape = self.page_grid.shape
        missing = (n * step - size for n, step, size in zip(shape, self.steps, levels.shape, strict=True))
        padded = np.pad(levels, [(0, count) for count in missing], mode="edge")
        parts = padded.reshape([n for pair in zip(shape, self.steps, strict=True) for n in pair])
        axes = (1, 3, 5)
        return (parts.max(axes) if keep_highest else parts.mean(axes, dtype=np.float32)).astype(np.uint8)

    def page_index(self, centre_mm: Sequence[float], axial_slice: int) -> list[int]:
        """The voxel of the page, inside of it, where a region is shown.

        Args:
            centre_mm: of the region: right, anterior, superior.
            axial_slice: in which it is shown, counted from 0 at the lowest of the whole scan.
        """
        place = np.linalg.inv(self.grid.affine) @ [*centre_mm, 1.0]
        # the margin: rounding of the inverse must not decide between two voxels
        across, up, _ = np.ceil(place[:3] - 0.5 - 1e-6).astype(int)
        start = [part.start for part in self.box]
        index = (np.array([across, up, axial_slice]) - start) // self.steps
        return np.clip(index, 0, np.subtract(self.page_grid.shape, 1)).tolist()


def turned_volumes(affine: np.ndarray, volumes: Sequence[np.ndarray]) -> tuple[Grid, list[np.ndarray]]:
    """The same voxels in the order nearest to right, anterior, superior, and their grid."""
    orientation = nib.orientations.io_orientation(affine)
    turned = [nib.orientations.apply_orientation(volume, orientation) for volume in volumes]
    return turned_grid(Volume(volumes[0], affine)), turned


def shown_part(grid: Grid, scan: np.ndarray, maps: Mapping[str, np.ndarray]) -> Shown:
    """The part around head and map without the air, and how coarse it must be to fit into a page."""
    bright = scan > 0.1 * high_intensity(scan)
    box = []
    for axis, size in enumerate(scan.shape):
        others = tuple(other for other in range(3) if other != axis)
        # more than what noise leaves in the air
        needed = np.count_nonzero(bright, axis=others) > 0.005 * bright.size / size
        for name in ("percentile", "mask"):
            needed |= maps[name].any(others)
        places = np.flatnonzero(needed) if needed.any() else np.array([0, size - 1])
        box.append(slice(max(int(places[0]) - 2, 0), min(int(places[-1]) + 3, size)))
    shape = np.array([part.stop - part.start for part in box])
    steps = np.ones(3, dtype=int)
    while np.prod(np.ceil(shape / steps)) > MAXIMUM_VOXELS:
        steps[np.argmin(grid.voxel_sizes_mm * steps)] *= 2
    return Shown(grid, tuple(box), tuple(steps.tolist()))


def tilt_degrees(grid: Grid) -> float:
    """The largest angle between an axis of a turned grid and that of the world which it is nearest to."""
    cosines = np.diag(grid.affine[:3, :3]) / grid.voxel_sizes_mm
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())


def high_intensity(values: np.ndarray, percent: float = 99.0) -> float:
    """A high percentile of the positive values, about a million of them; 0 if there are none."""
    every = max(math.floor((values.size / 1_000_000) ** (1 / values.ndim)), 1)
    some = values[(slice(None, None, every),) * values.ndim]
    some = some[some > 0]
    return float(np.percentile(some, percent)) if some.size else 0.0
