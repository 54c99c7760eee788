"""Voxel grids: shape, and affine from voxel indices to world coordinates."""

from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Where the voxels of an image lie. Any affine map will do: turned, mirrored, anisotropic or sheared."""

    shape: tuple[int, ...]  # number of voxels along the three axes
    # maps voxel indices to world coordinates in mm (right, anterior, superior), shape (4, 4)
    affine: np.ndarray

    @property
    def voxel_sizes_mm(self) -> np.ndarray:
        """Edges of a voxel, shape (3,)."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    def block(self, box: tuple[slice, ...]) -> Self:
        """The grid of the voxels inside the box."""
        return self.window(tuple(axis.start for axis in box), tuple(axis.stop - axis.start for axis in box))

    def window(self, start: tuple[int, ...], shape: tuple[int, ...]) -> Self:
        """The grid of `shape` voxels that begins at voxel `start`, which may lie outside of this one."""
        affine = self.affine.copy()
        affine[:3, 3] += self.affine[:3, :3] @ start
        return type(self)(tuple(int(size) for size in shape), affine)

    def coarsened(self, shape: tuple[int, ...]) -> Self:
        """The grid of `shape` larger voxels that fills the same space, edge to edge."""
        ratio = np.divide(self.shape, shape)
        # centres: voxel i of the new grid reaches from i·ratio - ½ to (i + 1)·ratio - ½ in old voxels
        to_old = np.diag([*ratio, 1.0])
        to_old[:3, 3] = (ratio - 1) / 2
        return type(self)(tuple(int(size) for size in shape), self.affine @ to_old)

    def corners_in(self, other: "Grid") -> np.ndarray:
        """The outermost voxel centres of this grid as voxel indices of another, shape (8, 3)."""
        last = np.array(self.shape) - 1
        corners = np.array([[*np.multiply(corner, last), 1] for corner in product((0, 1), repeat=3)])
        return (corners @ (np.linalg.inv(other.affine) @ self.affine).T)[:, :3]

    def as_json(self) -> dict:
        """Plain numbers, for a record on disk; `from_json` reads them."""
        return {"shape": list(self.shape), "affine": self.affine.tolist()}

    @classmethod
    def from_json(cls, numbers: dict) -> Self:
        """The grid that `as_json` wrote down."""
        return cls(tuple(numbers["shape"]), np.array(numbers["affine"]))
