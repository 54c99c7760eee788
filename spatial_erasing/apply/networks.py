"""The trained networks of a bundle, and what they make of a scan together."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load, save

from spatial_erasing.apply.archive import readable
from spatial_erasing.apply.bundle import Bundle
from spatial_erasing.cohorts import Split
from spatial_erasing.run import reconstruct_scans
from spatial_erasing.train.checkpoint import network_with_weights
from spatial_erasing.train.device import prepare_process
from spatial_erasing.train.network import Network
from spatial_erasing.train.settings import ComputeSettings


class Ensemble(NamedTuple):
    """Several networks on scans: the mean of their reconstructions or maps, and the spread of these.

    Args:
        mean: float16, shape of the scans.
        spread: standard deviation over the networks, float32; 0 for a single one.
    """

    mean: np.ndarray
    spread: np.ndarray


def weights_as_bytes(network: Network) -> bytes:
    """The weights of a network as a safetensors file."""
    return save({name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()})


def load_networks(bundle: Bundle, device: str) -> list[Network]:
    """Every network of a bundle, in evaluation mode on its device.

    Args:
        bundle: opened.
        device: "cpu", "auto", or a GPU such as "cuda:0".

    Raises:
        ValueError: weights are damaged or do not belong to the settings, or there is no such device.
    """
    place = find_device(device)
    if place.type != "cpu":  # a network on a CPU is exact anyway, and this imports half of torch
        prepare_process(ComputeSettings(precision="float32", compile=False, deterministic=True))
    networks = []
    for name in bundle.weights:
        with readable(bundle.path, name):
            values = bundle.settings["network"]
            if values["spatial_dims"] not in (2, 3) or max(values["grid_voxels"]) > 512:
                raise ValueError(
                    f"a network of {values['spatial_dims']} dimensions for {values['grid_voxels']}"
                )
            networks.append(network_with_weights(values, load(bundle.files[name])).to(place).eval())
    return networks


def find_device(device: str) -> torch.device:
    """The device of a word of the command line.

    Raises:
        ValueError: this machine does not have it.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"the device '{device}' cannot be used ({reason}). Try --device cpu.") from error
    return found


def reconstruct_with_all(
    networks: Sequence[Network],
    scans: Split,
    *,
    batch_size: int,
    score: Mapping[str, Any] | None = None,
) -> Ensemble:
    """Mean and spread of the reconstructions of all networks; of a single one, its own to the last bit.

    Args:
        networks: of one ensemble.
        scans: a split, or a single scan as one.
        batch_size: axial slices at a time of a 2-D network.
        score: reads the network, but no healthy scans; its raw maps then take the place of reconstructions.
    """
    return combine(
        [reconstruct_scans(network, scans, score=score, batch_size=batch_size) for network in networks]
    )


def combine(reconstructions: Sequence[np.ndarray]) -> Ensemble:
    """Mean, in float32 and then rounded to float16, and standard deviation (ddof 0).

    Args:
        reconstructions: of each network, or its raw maps, float16, all of one shape.
    """
    stacked = np.stack(reconstructions).astype(np.float32)
    return Ensemble(stacked.mean(axis=0).astype(np.float16), stacked.std(axis=0))
