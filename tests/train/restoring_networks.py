"""Small networks of every kind that restores, for tests."""

from test_engine import trainer_of

OF_VAE = ["bottleneck_channels", "latent_size", "kl_weight"]
KINDS = {
    "denoising": {"kind": "denoising", "noise_level": 0.2, "noise_cells": 3},
    "restoration": {"kind": "restoration", "shape_cells": 2, "maximum_share": 0.4, "maximum_shift": 0.5},
}


def training(model, **settings):
    """A training of a model of config.yaml, such as 3d-denoising, with a small network."""
    network = KINDS[model.partition("-")[2]] | settings.pop("network", {})
    return trainer_of(model, network=network, without=OF_VAE, **settings)
