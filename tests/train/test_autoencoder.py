import pytest
import torch
from paper_study import CONFIG
from test_engine import NETWORK, trainer_of

from spatial_erasing.score.reconstruct import reconstruct
from spatial_erasing.train.checkpoint import load_network, save_weights
from spatial_erasing.train.network import trace_shapes

SMALL = {key: value for key, value in NETWORK.items() if key != "kl_weight"} | {"kind": "autoencoder"}


def train(model="3d-autoencoder", **settings):
    return trainer_of(model, network=SMALL, without=["kl_weight"], **settings)


@pytest.mark.parametrize("model", ["2d-none", "3d-autoencoder"])
def test_it_is_the_chain_of_its_layers_and_its_loss_is_their_l1(model):
    trainer = train(model)
    network, scans = trainer.network, trainer.training_items[:3].float()
    chain = torch.nn.Sequential(network.encoder, network.to_code, network.from_code, network.decoder)
    outputs = network(scans)
    torch.testing.assert_close(outputs[0], chain(scans))
    loss, numbers = network.loss(scans, outputs)
    assert loss.item() == pytest.approx((outputs[0] - scans).abs().sum().item() / 3, rel=1e-5)
    assert numbers["l1"].item() == pytest.approx((outputs[0] - scans).abs().mean().item(), rel=1e-5)


def test_training_brings_the_reconstruction_closer_and_gradients_reach_every_parameter():
    trainer = train(optimisation={"maximum_steps": {"2d": 1, "3d": 60}})
    before, latent = trainer.validate()
    trainer.run()
    assert trainer.progress.best_l1 < 0.8 * before and latent == []
    assert list(trainer.progress.history[0]) == ["step", "epoch", "training_l1", "validation_l1", "seconds"]
    assert all(parameter.grad.abs().sum() > 0 for parameter in trainer.network.parameters())


def test_its_weights_file_brings_it_back(tmp_path):
    trainer = train()
    save_weights(tmp_path / "weights.pt", trainer.network, trainer.network.state_dict())
    again = load_network(tmp_path / "weights.pt", torch.device("cpu"))
    volumes = trainer.validation_items[:, 0].numpy()
    ours, theirs = (
        reconstruct(network, volumes, batch_size=4) for network in (trainer.network.eval(), again)
    )
    assert (ours == theirs).all() and again.settings == trainer.network.settings


def test_layers_are_drawn_as_those_of_the_vae():
    names = [layer.name for layer in trace_shapes(train().network)]
    assert names == [layer.name for layer in trace_shapes(trainer_of("3d-none").network)]


def test_the_entry_of_the_config_has_the_layers_of_the_paper_s():
    vae, plain = CONFIG["networks"]["vae"], CONFIG["networks"]["autoencoder"]
    assert vae == plain | {"kind": "vae", "kl_weight": vae["kl_weight"]}
