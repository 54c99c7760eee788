import numpy as np
import pytest
import torch
from scipy import stats
from scipy.ndimage import distance_transform_edt
from test_engine import trainer_of

from spatial_erasing.train.erase import draw_erased, draw_parameters, draw_regions
from spatial_erasing.train.erasing import sphere
from spatial_erasing.train.settings import ErasingSettings

GRIDS = [(32, 32), (31, 24), (16, 16, 16), (12, 16, 20)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("grid", [(21, 21), (21, 21, 21)])
@pytest.mark.parametrize("radius", [0.4, 2.5, 4.2, 9.9])
def test_a_region_is_all_that_lies_nearer_to_its_centre_than_the_radius(grid, radius):
    """Against scipy's distance to the one pixel in the middle."""
    middle = np.ones(grid, dtype=bool)
    middle[(10,) * len(grid)] = False
    expected = distance_transform_edt(middle) < radius
    drawn = torch.tensor([[10.5] * len(grid) + [radius]])
    np.testing.assert_array_equal(sphere.region(drawn, grid)[0].numpy(), expected)


@pytest.mark.parametrize("grid", GRIDS)
def test_shares_are_within_the_limits_and_use_them(grid):
    regions = draw_regions("sphere", 300, grid, settings=ErasingSettings(), generator=generator())
    shares = regions.flatten(1).float().mean(dim=1)
    assert 0.01 <= shares.min() < 0.03 and 0.18 < shares.max() <= 0.25


@pytest.mark.parametrize("grid", [(32, 32), (16, 16, 16)])
def test_centres_are_uniform_and_the_uncut_volume_is_the_share_that_was_drawn(grid):
    settings = ErasingSettings(minimum_share=0, maximum_share=0.2)
    drawn = draw_parameters("sphere", 2000, grid, settings=settings, generator=generator()).numpy()
    for axis, size in enumerate(grid):
        assert stats.kstest(drawn[:, axis] / size, "uniform").pvalue > 0.001
    radii = drawn[:, -1]
    volume = np.pi * radii**2 if len(grid) == 2 else 4 / 3 * np.pi * radii**3
    assert stats.kstest(volume / np.prod(grid) / 0.2, "uniform").pvalue > 0.001


def test_samples_that_stay_whole_have_no_region():
    settings = ErasingSettings(probability=0.5)
    drawn = draw_erased("sphere", 400, (16, 16), settings=settings, generator=generator())
    is_erased = sphere.region(drawn, (16, 16)).flatten(1).any(dim=1)
    assert stats.binomtest(int(is_erased.sum()), 400, 0.5).pvalue > 0.001


def test_limits_that_no_sphere_meets_are_refused():
    with pytest.raises(
        ValueError, match=r"no disc or ball on the grid \(2, 2\) covered a share of 0.01 to 0.2"
    ):
        draw_regions("sphere", 3, (2, 2), settings=ErasingSettings(maximum_share=0.2), generator=generator())


def test_the_entry_of_the_config_trains():
    trainer = trainer_of("3d-sphere-noise")
    assert [row["step"] for row in (trainer.run(), trainer.progress.history)[1]] == [4, 8, 12]
