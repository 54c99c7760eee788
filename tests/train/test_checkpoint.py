from pathlib import Path

import pytest
import torch

from spatial_erasing.train.checkpoint import (
    device_of_weights,
    load_checkpoint,
    load_network,
    save_weights,
)
from spatial_erasing.train.network import NetworkSettings, SpatialVAE

CPU = torch.device("cpu")


def test_a_weights_file_rebuilds_its_network(tmp_path):
    network = SpatialVAE(NetworkSettings(2, (8, 8), (4, 8), 2, latent_size=5, kernel_size=4)).eval()
    save_weights(tmp_path / "weights.pt", network, network.state_dict())
    again = load_network(tmp_path / "weights.pt", CPU)
    scans = torch.rand(3, 1, 8, 8)
    assert torch.equal(network(scans)[0], again(scans)[0])
    assert again.settings == network.settings
    assert [file.name for file in tmp_path.iterdir()] == ["weights.pt"]


def test_the_same_weights_are_the_same_bytes_in_any_process(tmp_path):
    network = SpatialVAE(NetworkSettings(2, (8, 8), (4, 8), 2, latent_size=5, kernel_size=4))
    for folder in ("a", "b"):
        save_weights(tmp_path / folder / "weights.pt", network, network.state_dict())
    assert (tmp_path / "a/weights.pt").read_bytes() == (tmp_path / "b/weights.pt").read_bytes()


def test_weights_name_the_device_that_they_come_from(tmp_path):
    network = SpatialVAE(NetworkSettings(2, (8, 8), (4, 8), 2, latent_size=5, kernel_size=4))
    save_weights(tmp_path / "weights.pt", network, network.state_dict())
    name = device_of_weights(tmp_path / "weights.pt")
    assert name and name in Path("/proc/cpuinfo").read_text()


def test_a_pickle_of_foreign_origin_is_never_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"network": Trap()}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"weights\.pt cannot be read: .*Delete it and give the same"):
        load_network(tmp_path / "weights.pt", CPU)
    assert not (tmp_path / "executed").exists()


def test_without_a_checkpoint_there_is_nothing_to_load(tmp_path):
    assert load_checkpoint(tmp_path / "latest.pt", CPU) is None


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_damaged_weights_are_named_with_the_command_to_run_next(tmp_path, kept):
    network = SpatialVAE(NetworkSettings(2, (8, 8), (4, 8), 2, latent_size=5, kernel_size=4))
    path = tmp_path / "weights.pt"
    save_weights(path, network, network.state_dict())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    for read in (lambda: load_network(path, CPU), lambda: device_of_weights(path)):
        with pytest.raises(ValueError, match=r"weights\.pt cannot be read: .*the network is trained anew"):
            read()


def test_a_file_of_something_else_is_not_taken_for_weights(tmp_path):
    torch.save({"weights": {}}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="does not hold the weights and settings of a network"):
        load_network(tmp_path / "weights.pt", CPU)
