import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_erasing.images.grids import Grid

SHEARED = np.array([[1.0, 0.2, 0.0, -8.0], [0.1, -0.9, 0.3, 3.0], [0.0, -0.2, 1.3, 5.0], [0, 0, 0, 1]])


def test_a_window_keeps_every_voxel_at_its_place_in_the_world():
    grid = Grid((30, 31, 32), SHEARED)
    part = grid.block((slice(3, 20), slice(0, 31), slice(10, 11)))
    assert part.shape == (17, 31, 1)
    assert np.allclose(part.affine @ [4, 5, 0, 1], grid.affine @ [7, 5, 10, 1])
    beyond = grid.window((-4, 0, 2), (50, 40, 30))
    assert beyond.shape == (50, 40, 30)
    assert np.allclose(beyond.affine @ [4, 0, 0, 1], grid.affine @ [0, 0, 2, 1])


@settings(deadline=None)  # a busy machine is no failure
@given(shape=st.tuples(*[st.integers(1, 200)] * 3), coarse=st.tuples(*[st.integers(1, 90)] * 3))
def test_a_coarser_grid_fills_the_same_space_edge_to_edge(shape, coarse):
    grid, larger = Grid(shape, SHEARED), Grid(shape, SHEARED).coarsened(coarse)
    for corner in ([0, 0, 0], [1, 1, 1], [1, 0, 1]):
        edge_mm = nib.affines.apply_affine(grid.affine, np.multiply(corner, shape) - 0.5)
        larger_mm = nib.affines.apply_affine(larger.affine, np.multiply(corner, coarse) - 0.5)
        assert np.allclose(edge_mm, larger_mm, atol=1e-6)
    assert larger.voxel_ml * np.prod(coarse) == pytest.approx(grid.voxel_ml * np.prod(shape))


def test_sizes_are_those_of_nibabel_and_the_volume_that_of_the_edges():
    grid = Grid((5, 6, 7), SHEARED)
    assert np.allclose(grid.voxel_sizes_mm, nib.affines.voxel_sizes(SHEARED))
    assert Grid((5, 6, 7), np.diag([-0.5, 2.0, 3.0, 1.0])).voxel_ml == pytest.approx(0.003)


def test_the_corners_of_a_grid_in_another_are_the_outermost_of_all_its_voxels():
    grid, other = Grid((4, 5, 6), SHEARED), Grid((9, 9, 9), np.diag([2.0, -1.0, 3.0, 1.0]))
    everywhere = nib.affines.apply_affine(
        np.linalg.inv(other.affine) @ grid.affine, np.argwhere(np.ones(grid.shape))
    )
    corners = grid.corners_in(other)
    assert corners.shape == (8, 3)
    assert np.allclose(corners.min(axis=0), everywhere.min(axis=0))
    assert np.allclose(corners.max(axis=0), everywhere.max(axis=0))
