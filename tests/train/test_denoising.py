import pytest
import torch
from restoring_networks import training
from scipy import stats

from spatial_erasing.train.unet import smooth_field


def corrupted(dims, **settings):
    network = training(f"{dims}d-denoising", network=settings).network
    scans = torch.rand(400, 1, *[8] * dims, generator=torch.Generator().manual_seed(1))
    scans[:, :, :2] = 0
    noise = network.draw_noise(len(scans), generator=torch.Generator().manual_seed(2))
    return scans, network.corrupt(scans, noise), noise


@pytest.mark.parametrize("dims", [2, 3])
def test_noise_has_the_standard_deviation_of_the_settings_and_leaves_the_background(dims):
    scans, inputs, _ = corrupted(dims, noise_level=0.3)
    assert (inputs[:, :, :2] == 0).all()
    added = (inputs - scans)[:, :, 2:]
    for pixel in ((0,) * dims, (3,) * dims):
        assert stats.kstest(added[(slice(None), 0, *pixel)] / 0.3, "norm").pvalue > 0.001


@pytest.mark.parametrize("dims", [2, 3])
def test_noise_is_coarse(dims):
    """It is the field of as many cells as the settings say, whatever the scan."""
    scans, inputs, noise = corrupted(dims, noise_cells=2)
    expected = 0.2 * smooth_field(noise, (8,) * dims, 2)
    torch.testing.assert_close((inputs - scans)[:, :, 2:], expected[:, :, 2:], rtol=1e-4, atol=1e-5)
