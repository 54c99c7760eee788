"""Small networks of the kind vae, for tests."""

from spatial_erasing.train.networks.vae import Network, Settings

DEFAULTS = {
    "feature_maps": (4, 8),
    "bottleneck_channels": 2,
    "latent_size": 5,
    "kernel_size": 5,
    "norm": "group",
    "activation": "leaky_relu",
    "output_activation": "linear",
    "kl_weight": 1.0,
}


def vae_settings(dims, grid_voxels, **changes):
    return Settings(dims, grid_voxels, **DEFAULTS | changes)


def vae(settings):
    return Network(settings)
