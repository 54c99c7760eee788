import math

import pytest
import torch
from test_engine import NETWORK, same, trainer_of

from spatial_erasing.train.checkpoint import load_network, save_weights
from spatial_erasing.train.network import trace_shapes
from spatial_erasing.train.networks.vae import vae_loss

SMALL = {"kind": "spatial_vae", "bottleneck_channels": 3}
MODELS = ["2d-spatial-vae", "3d-spatial-vae"]


def train(model, **settings):
    return trainer_of(model, network=SMALL, without=["latent_size"], **settings)


@pytest.mark.parametrize("model", MODELS)
def test_it_is_the_chain_of_its_layers_and_its_loss_is_that_of_the_vae(model):
    trainer = train(model)
    network, scans = trainer.network, trainer.training_items[:3].float()
    noise = network.draw_noise(3, generator=torch.Generator().manual_seed(1))
    code = network.encoder(scans)
    mean, log_variance = network.to_mean(code), network.to_log_variance(code)
    latent = torch.distributions.Normal(mean, (log_variance / 2).exp())
    reconstructions = network.decoder(mean + latent.scale * noise.view_as(mean))
    outputs = network(scans, noise)
    torch.testing.assert_close(outputs[0], reconstructions)
    prior = torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(latent, prior).sum()
    expected = ((reconstructions - scans).abs().sum() + NETWORK["kl_weight"] * kl) / 3
    assert network.loss(scans, outputs)[0].item() == pytest.approx(expected.item(), rel=1e-4)
    assert vae_loss(scans, *outputs, kl_weight=1.0).item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_a_latent_value_reaches_only_its_neighbourhood(model):
    """With kernels of 4 a value of the coarsest of three levels reaches at most 22 pixels."""
    trainer = train(model)
    network, dims = trainer.network.eval(), trainer.network.settings.spatial_dims
    wide = type(network)(
        type(network.settings)(**vars(network.settings) | {"grid_voxels": (64, *[8] * (dims - 1))})
    ).eval()
    latent = torch.zeros(2, wide.settings.latent_size)
    latent.view(2, *wide.settings.code_shape)[1, 0].view(16, -1)[0] = 3.0
    first, second = wide.decode(latent)
    changed = (first != second)[0].flatten(1).any(dim=1)
    assert changed[:4].all() and not changed[16:].any()


@pytest.mark.parametrize("model", MODELS)
def test_the_latent_code_has_its_maps_on_the_coarsest_grid(model):
    trainer = train(model)
    layers = {layer.name: layer for layer in trace_shapes(trainer.network)}
    assert layers["latent"].feature_maps == math.prod((3, *[2] * trainer.model.spatial_dims))
    assert trainer.network.noise_size == trainer.network.settings.latent_size == layers["latent"].feature_maps
    assert len(trainer.validate()[1]) == trainer.network.noise_size


@pytest.mark.parametrize("model", MODELS)
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(model, tmp_path):
    train(model, optimisation={"maximum_steps": {"2d": 4, "3d": 4}}).run(checkpoint=tmp_path / "latest.pt")
    trained = train(model)
    assert same(trained.run(checkpoint=tmp_path / "latest.pt"), train(model).run())
    save_weights(tmp_path / "weights.pt", trained.network, trained.network.state_dict())
    scans = trained.validation_items.float()
    again = load_network(tmp_path / "weights.pt", torch.device("cpu"))
    torch.testing.assert_close(again.reconstruct(scans), trained.network.eval().reconstruct(scans))


def test_training_brings_the_reconstruction_closer_and_gradients_reach_every_parameter():
    trainer = train("3d-spatial-vae", optimisation={"maximum_steps": {"2d": 1, "3d": 60}})
    before = trainer.validate()[0]
    trainer.run()
    assert trainer.progress.best_l1 < 0.8 * before
    assert all(parameter.grad.abs().sum() > 0 for parameter in trainer.network.parameters())
