"""Checkpoints that survive a kill, and weights with their network's settings."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from spatial_erasing.jobs.atomic import not_written, replaced_when_complete
from spatial_erasing.jobs.provenance import describe_maker
from spatial_erasing.train.device import device_name
from spatial_erasing.train.network import Network, build_network, build_on_meta
from spatial_erasing.train.settings import OptimisationSettings

logger = logging.getLogger(__name__)

_TRAIN_AGAIN = "Delete it and give the same snakemake command again: the network is trained anew."


@dataclass
class Progress:
    """Progress of a training: the content of a checkpoint besides weights and optimiser."""

    step: int = 0  # finished steps
    best_step: int = 0  # with the best validation loss
    best_l1: float = math.inf  # mean absolute error per voxel on the validation items at that step
    best_latent: list[float] = field(default_factory=list)  # the network's `latent_numbers` at that step
    seconds: float = 0.0  # over all starts of this training
    history: list[dict[str, float]] = field(default_factory=list)  # one row per validation

    def is_beyond(self, optimisation: OptimisationSettings) -> bool:
        """Whether a training with these limits would have ended before this step."""
        earlier = Progress()
        for row in self.history[:-1]:
            if row["validation_l1"] < earlier.best_l1:
                earlier.best_l1, earlier.best_step = row["validation_l1"], int(row["step"])
            if row["step"] - earlier.best_step >= optimisation.patience_steps:
                return True
        return self.step > optimisation.maximum_steps


def save_atomically(content: dict, path: Path) -> None:
    """Write tensors and plain values under a temporary name, then rename, so that no file is partial."""
    try:
        with replaced_when_complete(path) as unfinished:
            torch.save(content, unfinished)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # torch itself names neither file nor disk
        raise OSError(f"{not_written(path)} ({_first_line(error)}). Make room there.") from error


def load_checkpoint(path: Path, device: torch.device) -> dict | None:
    """The content of a checkpoint, never executing code from it; None if the file is missing or damaged.

    A damaged file is renamed and kept, and the training starts from scratch.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a damaged file can raise any exception
        damaged = path.with_suffix(".damaged")
        path.replace(damaged)
        logger.warning(
            "%s cannot be read (%s). It is kept as %s; the training starts from scratch.",
            path,
            _first_line(error),
            damaged.name,
        )
        return None


def save_weights(
    path: Path, network: Network, weights: dict[str, torch.Tensor], *, code: str | None = None
) -> None:
    """Write weights with the settings of their network and their provenance."""
    device = device_name(next(network.parameters()).device)
    content = {"network": network.to_dict(), "weights": weights, "device": device}
    save_atomically(content | {"made_by": describe_maker(code, device=device)}, path)


def device_of_weights(path: str | Path) -> str:
    """The device on which the weights of a file were trained."""
    # mapped, so that the weights themselves are not read
    return _read_weights(path, torch.device("cpu"), mmap=True)["device"]


def maker_of_weights(path: str | Path) -> str | None:
    """Provenance of the weights in a file; None for files of earlier versions without it."""
    return _read_weights(path, torch.device("cpu"), mmap=True).get("made_by")


def load_network(path: Path, device: torch.device) -> Network:
    """The trained network of a weights file, in evaluation mode.

    Raises:
        ValueError: the file is damaged or not a weights file.
    """
    content = _read_weights(path, device)
    try:
        network = network_with_weights(content["network"], content["weights"])
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # other content can raise any exception
        raise ValueError(
            f"{path} does not hold the weights of a network of this version: {_first_line(error)}. "
            f"{_TRAIN_AGAIN}"
        ) from None
    return network.to(device).eval()


def network_with_weights(settings: Mapping[str, object], weights: Mapping[str, torch.Tensor]) -> Network:
    """The network of these settings with these weights, on the CPU; else a ValueError says what differs."""
    # checked before memory is allocated
    expected = build_on_meta(settings).state_dict()
    if names := sorted(expected.keys() ^ weights.keys()):
        kind = "missing" if names[0] in expected else "unknown"
        raise ValueError(f"{names[0]} is {kind} ({len(names)} names differ)")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(
                f"{name} has the shape {tuple(tensor.shape)}, its settings say {tuple(expected[name].shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds values that are NaN or infinite")
    network = build_network(settings)
    network.load_state_dict(weights)
    return network


def _read_weights(path: str | Path, device: torch.device, *, mmap: bool = False) -> dict:
    """The content that `save_weights` wrote; never executes code from the file."""
    try:
        content = torch.load(path, map_location=device, weights_only=True, mmap=mmap)
    except (FileNotFoundError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{path} cannot be read: {_first_line(error)}. {_TRAIN_AGAIN}") from None
    if not isinstance(content, dict) or not {"network", "weights", "device"} <= content.keys():
        raise ValueError(f"{path} does not hold the weights and settings of a network. {_TRAIN_AGAIN}")
    return content


def _first_line(error: Exception) -> str:
    """The first line of an error; torch appends long advice."""
    return str(error).partition("\n")[0].rstrip(". ") or type(error).__name__
