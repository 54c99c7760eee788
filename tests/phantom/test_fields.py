import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from spatial_erasing_phantoms.fields import Field, Grid, draw_noise, lattice, ramp, stretch


@pytest.fixture
def oblique_affine():
    angle = np.radians(20)
    affine = np.eye(4)
    affine[:2, :2] = [[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, :3] *= [2.0, 1.5, 3.0]
    affine[:3, 3] = [10, -20, 5]
    return affine


def test_sampling_equals_scipy_and_continues_the_border(oblique_affine):
    generator = np.random.default_rng(1)
    values = generator.normal(size=(2, 9, 8, 7)).astype(np.float32)
    points_mm = generator.uniform(-30, 40, (3, 5, 6, 4)).astype(np.float32)

    sampled = Field(torch.from_numpy(values), oblique_affine).sample(torch.from_numpy(points_mm)).numpy()

    inverse = np.linalg.inv(oblique_affine)
    indices = np.einsum("ab,bijk->aijk", inverse[:3, :3], points_mm) + inverse[:3, 3].reshape(3, 1, 1, 1)
    for channel in range(2):
        expected = map_coordinates(values[channel], indices, order=1, mode="nearest")
        np.testing.assert_allclose(sampled[channel], expected, atol=1e-4)


def test_thinned_grids_keep_their_corners_and_stretch_back_to_all_voxels(oblique_affine):
    grid = Grid((23, 17, 12), oblique_affine)
    thinned = grid.thinned(7.0)

    assert np.prod(thinned.shape) < np.prod(grid.shape) / 10
    np.testing.assert_allclose(stretch(thinned.points(), grid.shape), grid.points(), atol=1e-4)


def test_sampling_stretched_points_equals_sampling_every_voxel(oblique_affine):
    field = Field(torch.rand(1, 9, 8, 7, generator=torch.Generator().manual_seed(0)), np.diag([9.0, 9, 9, 1]))
    grid = Grid((23, 17, 12), oblique_affine)
    stretched = field.sample(grid.thinned(7.0).points(), grid.shape)
    np.testing.assert_allclose(stretched, field.sample(grid.points()), atol=1e-5)


def test_a_block_keeps_the_place_of_its_voxels(oblique_affine):
    grid = Grid((10, 9, 8), oblique_affine)
    box = (slice(2, 7), slice(0, 9), slice(3, 5))
    np.testing.assert_allclose(grid.block(box).points(), grid.points()[:, *box], atol=1e-5)


def test_voxel_volume_is_the_determinant(oblique_affine):
    grid = Grid((10, 9, 8), oblique_affine)
    np.testing.assert_allclose(grid.voxel_sizes_mm, [2.0, 1.5, 3.0])
    assert grid.voxel_ml == pytest.approx(0.009)


@pytest.mark.parametrize("sigma_nodes", [1.0, 2.5])
def test_noise_has_unit_variance_and_the_correlation_of_its_filter(sigma_nodes):
    noise = draw_noise(np.random.default_rng(3), 4, (48, 40, 44), sigma_nodes=sigma_nodes).numpy()

    assert noise.std() == pytest.approx(1, rel=0.06)
    shifted = (noise * np.roll(noise, 2, axis=1)).mean() / noise.var()
    assert shifted == pytest.approx(np.exp(-(2**2) / (4 * sigma_nodes**2)), abs=0.03)


def test_a_ramp_is_half_at_the_surface_and_linear_across_it():
    depth_mm = torch.tensor([-3.0, -1.0, 0.0, 0.5, 1.0, 3.0])
    assert ramp(depth_mm, 2.0).tolist() == [0, 0, 0.5, 0.75, 1, 1]


def test_a_lattice_covers_its_box():
    points_mm = lattice((-10, -7, 0), (11, 8, 4), 3.0).points()
    assert points_mm.amin((1, 2, 3)).tolist() == [-10, -7, 0]
    assert (points_mm.amax((1, 2, 3)) >= torch.tensor([11, 8, 4])).all()
