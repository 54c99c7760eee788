import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from vae_networks import vae, vae_settings

from spatial_erasing.train.checkpoint import (
    device_of_weights,
    load_checkpoint,
    load_network,
    save_atomically,
    save_weights,
)

CPU = torch.device("cpu")


def test_a_weights_file_rebuilds_its_network(tmp_path):
    network = vae(vae_settings(2, (8, 8), kernel_size=4)).eval()
    save_weights(tmp_path / "weights.pt", network, network.state_dict())
    again = load_network(tmp_path / "weights.pt", CPU)
    scans = torch.rand(3, 1, 8, 8)
    assert torch.equal(network(scans)[0], again(scans)[0])
    assert again.settings == network.settings
    assert [file.name for file in tmp_path.iterdir()] == ["weights.pt"]


def test_the_same_weights_are_the_same_bytes_in_any_process(tmp_path):
    network = vae(vae_settings(2, (8, 8), kernel_size=4))
    for folder in ("a", "b"):
        save_weights(tmp_path / folder / "weights.pt", network, network.state_dict())
    assert (tmp_path / "a/weights.pt").read_bytes() == (tmp_path / "b/weights.pt").read_bytes()


def test_weights_name_the_device_that_they_come_from(tmp_path):
    network = vae(vae_settings(2, (8, 8), kernel_size=4))
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
    network = vae(vae_settings(2, (8, 8), kernel_size=4))
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


def change(path, damage):
    content = torch.load(path, weights_only=True)
    damage(content)
    torch.save(content, path)


def first_name(content):
    return next(iter(content["weights"]))


DAMAGE = {
    "foreign weights": lambda content: content.update(weights={"encoder.conv.weight": torch.ones(2)}),
    "a missing weight": lambda content: content["weights"].pop(first_name(content)),
    "a further weight": lambda content: content["weights"].update(another=torch.ones(2)),
    "another shape": lambda content: content["weights"].update({first_name(content): torch.ones(7, 7)}),
    "NaN": lambda content: content["weights"][first_name(content)].fill_(float("nan")),
    "an infinity": lambda content: content["weights"][first_name(content)].fill_(float("inf")),
    "no tensor": lambda content: content["weights"].update({first_name(content): "tensor"}),
    "no dictionary": lambda content: content.update(weights=[torch.ones(2)]),
    "a foreign setting": lambda content: content["network"].update(heads=8),
    "a missing setting": lambda content: content["network"].pop("latent_size"),
    "an absurd setting": lambda content: content["network"].update(latent_size=10**12),
    "an impossible setting": lambda content: content["network"].update(spatial_dims=7),
    "settings of another type": lambda content: content["network"].update(feature_maps="many"),
    "a kind that there is not": lambda content: content["network"].update(kind="gan"),
    "no settings": lambda content: content.update(network=None),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_weights_that_are_no_network_of_ours_end_in_one_sentence(tmp_path, damage):
    network = vae(vae_settings(2, (8, 8), kernel_size=4))
    path = tmp_path / "weights.pt"
    save_weights(path, network, network.state_dict())
    change(path, DAMAGE[damage])
    with pytest.raises(
        ValueError, match=r"weights\.pt does not hold the weights of a network of this"
    ) as error:
        load_network(path, CPU)
    assert "Delete it and give the same snakemake command again" in str(error.value)
    assert "\n" not in str(error.value) and error.value.__suppress_context__


def in_a_child(function, path):
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(function, path).result()


def write_with_limit(path):
    """Where a file may have 20 kB."""
    torch.set_num_threads(1)  # the parent's threads did not survive the fork
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    save_atomically({"weights": torch.ones(100_000)}, path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit files in other ways")
def test_a_checkpoint_that_cannot_be_written_names_its_file_and_disk_and_leaves_the_old_one(tmp_path):
    path = tmp_path / "latest.pt"
    save_atomically({"weights": torch.zeros(2)}, path)
    before = path.read_bytes()
    with pytest.raises(OSError, match=rf"{path} could not be written; its disk, /.*, has \d+ MB free"):
        in_a_child(write_with_limit, path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
