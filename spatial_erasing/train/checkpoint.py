"""Checkpoints that a kill cannot break, and weights that carry their network's settings."""

from dataclasses import asdict
from pathlib import Path

import torch

from spatial_erasing.atomic import replaced_when_complete
from spatial_erasing.train.device import device_name
from spatial_erasing.train.network import NetworkSettings, SpatialVAE


def save_atomically(content: dict, path: Path) -> None:
    """Write tensors and plain values under a temporary name, then rename: never half there."""
    with replaced_when_complete(path) as unfinished:
        torch.save(content, unfinished)


def load_checkpoint(path: Path, device: torch.device) -> dict | None:
    """The content of a checkpoint, or None where there is none yet. Never executes what the file holds."""
    return torch.load(path, map_location=device, weights_only=True) if path.exists() else None


def save_weights(path: Path, network: SpatialVAE, weights: dict[str, torch.Tensor]) -> None:
    """Write weights with all that rebuilds their network, and the name of the device that they come from."""
    device = device_name(next(network.parameters()).device)
    save_atomically({"network": asdict(network.settings), "weights": weights, "device": device}, path)


def device_of_weights(path: str | Path) -> str:
    """The device on which the weights of a file were trained."""
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["device"]


def load_network(path: Path, device: torch.device) -> SpatialVAE:
    """The trained network of a weights file, ready to reconstruct."""
    content = torch.load(path, map_location=device, weights_only=True)
    network = SpatialVAE(NetworkSettings(**content["network"]))
    network.load_state_dict(content["weights"])
    return network.to(device).eval()
