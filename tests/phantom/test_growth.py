import numpy as np
import pytest
import torch
from scipy.stats import kstest, truncnorm

from spatial_erasing_phantoms.growth import draw_seed_mm, draw_volume_ml, site
from spatial_erasing_phantoms.strokes import TERRITORIES


def test_volumes_follow_a_log_normal_cut_to_its_limits():
    generator = np.random.default_rng(0)
    volumes_ml = [
        draw_volume_ml(generator, median_ml=6, spread=1.6, limits_ml=(0.1, 150)) for _ in range(2000)
    ]
    low, high = (np.log(limit / 6) / 1.6 for limit in (0.1, 150))
    assert kstest(np.log(volumes_ml), truncnorm(low, high, loc=np.log(6), scale=1.6).cdf).pvalue > 0.01
    assert min(volumes_ml) >= 0.1
    assert max(volumes_ml) <= 150


@pytest.mark.parametrize("volume_ml", [0.1, 6.0, 100.0])
def test_a_smooth_ball_in_brain_gets_the_radius_of_its_volume(coarse_brain, volume_ml):
    seed_mm = np.array([0.0, -18.0, 10.0])
    place = site(coarse_brain, seed_mm, volume_ml)
    everywhere = torch.ones_like(place.brain)
    place = type(place)(**(vars(place) | {"brain": everywhere}))
    distance_mm = (place.points_mm - place.seed_mm.view(3, 1, 1, 1)).norm(dim=0)

    depth_mm = place.filled(-distance_mm, volume_ml)

    radius_mm = (3000 * volume_ml / (4 * np.pi)) ** (1 / 3)
    np.testing.assert_allclose(depth_mm, radius_mm - distance_mm, atol=0.03 * radius_mm)


def test_an_irregular_body_holds_its_volume_of_brain(coarse_brain):
    place = site(coarse_brain, np.array([40.0, -18.0, 10.0]), 20.0)
    depth_mm = place.filled(place.ball_mm(np.random.default_rng(1), wobble=0.4), 20.0)
    inside = (depth_mm > 0) & (place.brain >= 0.5)
    assert float(inside.sum() * place.grid.voxel_ml) == pytest.approx(20.0, rel=0.01)


def test_stretching_keeps_the_volume_of_a_body(coarse_brain):
    place = site(coarse_brain, np.array([0.0, -18.0, 10.0]), 10.0)
    for seed in range(4):
        body_mm = place.ball_mm(np.random.default_rng(seed), wobble=0.0)
        inside = float((body_mm > -0.8 * place.radius_mm).sum() * place.grid.voxel_ml)
        assert inside == pytest.approx(10.0 * 0.8**3, rel=0.03)


def test_seeds_lie_in_tissue_of_both_hemispheres(coarse_brain):
    tissue = coarse_brain.tissues["grey"] + coarse_brain.tissues["white"]
    generator = np.random.default_rng(2)
    seeds_mm = np.array(
        [draw_seed_mm(generator, coarse_brain, TERRITORIES, tissue=tissue) for _ in range(24)]
    )

    indices = (np.linalg.inv(coarse_brain.grid.affine) @ np.column_stack([seeds_mm, np.ones(24)]).T)[:3]
    assert (tissue.numpy()[tuple(indices.round().astype(int))] >= 0.7).all()
    right = (seeds_mm[:, 0] > 0).mean()
    assert 0.2 < right < 0.8
