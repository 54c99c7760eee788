import numpy as np
import pytest
import torch
from vae_networks import vae, vae_settings

from spatial_erasing.score.reconstruct import reconstruct


@pytest.fixture
def volumes():
    return np.random.default_rng(0).random((3, 8, 8, 12)).astype(np.float16)


def network_of(dims, grid):
    torch.manual_seed(0)
    return vae(vae_settings(dims, grid, bottleneck_channels=None, latent_size=6, kernel_size=4)).eval()


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_a_2d_network_sees_every_axial_slice_by_itself(volumes, batch_size):
    network = network_of(2, (8, 8))
    outputs = reconstruct(network, volumes, batch_size=batch_size)
    with torch.no_grad():
        for subject in range(3):
            for z in range(12):
                scan = torch.from_numpy(volumes[subject, :, :, z].astype(np.float32))[None, None]
                expected = network.decode(network.encode(scan)[0])[0, 0].numpy()
                np.testing.assert_allclose(outputs[subject, :, :, z], expected, atol=2e-3)


def test_a_3d_network_sees_whole_volumes_with_z_at_its_mean(volumes):
    network = network_of(3, (8, 8, 12))
    outputs = reconstruct(network, volumes, batch_size=2)
    with torch.no_grad():
        scans = torch.from_numpy(volumes.astype(np.float32))[:, None]
        expected = network.decode(network.encode(scans)[0])[:, 0].numpy()
    np.testing.assert_allclose(outputs, expected, atol=2e-3)
    np.testing.assert_array_equal(outputs, reconstruct(network, volumes, batch_size=2))
