"""Voxel grids and smooth fields in world space, used by all parts of a phantom."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from torch import Tensor
from torch.nn import functional

from spatial_erasing.images import grids


class Grid(grids.Grid):
    """A voxel grid on which fields are sampled."""

    def thinned(self, step_mm: float) -> "Grid":
        """A grid with the same corners and a step of at most about this length, never finer than this grid.

        Smooth quantities are computed on it and interpolated to all voxels by `stretch`.
        """
        before = np.array(self.shape) - 1
        after = np.minimum(before, np.ceil(before * self.voxel_sizes_mm / step_mm)).astype(int)
        scale = np.diag([*(before / after), 1.0])
        return Grid(tuple((after + 1).tolist()), self.affine @ scale)

    def points(self) -> Tensor:
        """World coordinates of all voxels in mm, shape (3, *shape)."""
        indices = [torch.arange(n, dtype=torch.float32) for n in self.shape]
        return move(self.affine, torch.stack(torch.meshgrid(*indices, indexing="ij")))


@dataclass(frozen=True)
class Field:
    """Values on a regular lattice in world space.

    Args:
        values: shape (channels, i, j, k).
        affine: maps lattice indices to world coordinates in mm, shape (4, 4).
    """

    values: Tensor
    affine: np.ndarray

    def sample(
        self, points_mm: Tensor, shape: tuple[int, ...] | None = None, *, mode: str = "bilinear"
    ) -> Tensor:
        """Values at points, shape (channels, i, j, k); the border is extended outside the lattice.

        Args:
            points_mm: world coordinates, shape (3, i, j, k).
            shape: if given, the points are on a thinned grid and are stretched to this shape first.
            mode: "bilinear" (trilinear here, by torch's name) or "nearest".
        """
        indices = move(np.linalg.inv(self.affine), points_mm)
        last = torch.tensor(self.values.shape[1:], dtype=indices.dtype).sub(1).view(3, 1, 1, 1)
        normalised = (2 * indices / last - 1).flip(0)  # grid_sample expects the last axis first, in [-1, 1]
        if shape is not None:
            normalised = stretch(normalised, shape)
        return functional.grid_sample(
            self.values[None],
            normalised.permute(1, 2, 3, 0)[None],
            mode=mode,
            padding_mode="border",
            align_corners=True,
        )[0]


def move(affine: np.ndarray, points: Tensor) -> Tensor:
    """Points of shape (3, i, j, k) under an affine map."""
    matrix = torch.as_tensor(affine, dtype=points.dtype)
    return torch.einsum("ab,bijk->aijk", matrix[:3, :3], points) + matrix[:3, 3].view(3, 1, 1, 1)


def stretch(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Values on a thinned grid, (channels, i, j, k), interpolated to a full grid with the same corners."""
    if tuple(values.shape[1:]) == tuple(shape):
        return values
    return functional.interpolate(values[None], size=shape, mode="trilinear", align_corners=True)[0]


def ramp(depth_mm: Tensor, width_mm: float) -> Tensor:
    """Share of a voxel inside a surface: 0 outside, 1 inside, 0.5 where the depth below it is 0."""
    return (depth_mm / width_mm).add_(0.5).clamp_(0, 1)


def draw_noise(
    generator: np.random.Generator, channels: int, shape: tuple[int, ...], *, sigma_nodes: float
) -> Tensor:
    """Smooth Gaussian noise of mean 0 and standard deviation 1 on a lattice, shape (channels, *shape)."""
    white = generator.standard_normal((channels, *shape), dtype=np.float32)
    # periodic, so that the standard deviation is the same up to the border
    smooth = np.stack([gaussian_filter(channel, sigma_nodes, mode="wrap") for channel in white])
    return torch.from_numpy(smooth / _deviation_left(shape, sigma_nodes))


@lru_cache(maxsize=32)
def _deviation_left(shape: tuple[int, ...], sigma_nodes: float) -> np.float32:
    """Standard deviation of white noise after the filter: the root of the sum of its squared weights."""
    return np.prod(
        [
            np.linalg.norm(gaussian_filter1d(np.eye(1, n, dtype=np.float32)[0], sigma_nodes, mode="wrap"))
            for n in shape
        ]
    )


def lattice(low_mm: tuple, high_mm: tuple, step_mm: float) -> Grid:
    """A regular RAS lattice that covers a box in world space."""
    shape = tuple(int(np.ceil((high - low) / step_mm)) + 1 for low, high in zip(low_mm, high_mm, strict=True))
    affine = np.diag([step_mm, step_mm, step_mm, 1.0])
    affine[:3, 3] = low_mm
    return Grid(shape, affine)
