"""A run as library calls, on arrays and settings: train a model, reconstruct, find the threshold, evaluate.

Workflow scripts and benchmarks call only these functions. The last two do not need torch and are defined in
their stages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from spatial_erasing.cohorts import Split
from spatial_erasing.evaluate.dataset import evaluate
from spatial_erasing.registry import BASELINES, needs_healthy
from spatial_erasing.score.maps import RECONSTRUCTION, stored_as
from spatial_erasing.score.reconstruct import raw_maps, reconstruct
from spatial_erasing.threshold.search import find_threshold
from spatial_erasing.train.network import Network
from spatial_erasing.train.settings import TrainingSettings
from spatial_erasing.train.start import checkpoint_folder, make_network, make_trainer

__all__ = ["evaluate", "find_threshold", "reconstruct_scans", "train_model"]

Observer = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True)
class Kept:
    """The checkpoint of a training, and the observer of its progress."""

    folder: Path  # parent of the checkpoint's folder
    code: str  # fingerprint of the training code; a checkpoint of other code is not resumed
    curves: Path  # parent of the folder of this training's curves, which has the checkpoint's name
    # makes, from that folder, a function that is called with each new row of the history
    observer: Callable[[Path], Observer]


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    network: Network  # with the weights of the best validation, in evaluation mode, on its device
    history: list[dict[str, float]]  # one row per validation
    latent: list[float]  # the network's value per latent dimension at the best validation
    checkpoint: Path | None  # folder of the last state, from which a longer training continues


def train_model(
    settings: TrainingSettings,
    training: Split,
    validation: Split,
    *,
    network: Mapping[str, object],
    device: torch.device,
    kept: Kept | None = None,
) -> Trained:
    """Train a network on healthy subjects, or resume it from its checkpoint.

    Args:
        settings: `start.training_settings` makes them from config values.
        training: healthy subjects.
        validation: healthy subjects for early stopping and the choice of the weights.
        network: an entry of `networks` in config.yaml.
        device: prepared by `device.prepare_process`.
        kept: checkpoint and observer; None for no checkpoint.

    Raises:
        FloatingPointError: the loss became NaN or infinite.
        MemoryError: samples or a batch do not fit on the device.
    """
    fresh = make_network(
        settings.model.spatial_dims,
        training.scans.shape[1:],
        values=network,
        seed=settings.seed,
        device=device,
    )
    trainer = make_trainer(fresh, training, validation, settings)
    if kept is None:
        folder, best = None, trainer.run()
    else:
        folder = checkpoint_folder(trainer, kept.folder, code=kept.code)
        curves = kept.curves / folder.name.removeprefix("checkpoint-")
        best = trainer.run(checkpoint=folder / "latest.pt", observe=kept.observer(curves))
    # the trainer ends with its last weights
    fresh.load_state_dict(best)
    return Trained(fresh.eval(), trainer.progress.history, trainer.progress.best_latent, folder)


def reconstruct_scans(
    model: Network | str,
    scans: Split,
    healthy: Split | None = None,
    *,
    score: Mapping[str, object] | None = None,
    batch_size: int = 1,
) -> np.ndarray:
    """Reconstructions of a split, or the maps of a score that reads the network; float16, shape of its scans.

    Args:
        model: a trained network, or the kind of a baseline.
        healthy: training subjects for a baseline, validation subjects for a score that compares with them.
        score: an entry of `scores` in config.yaml; None, or a score that reads reconstructions, returns
            reconstructions.
        batch_size: axial slices at a time for a 2-D network.
    """
    if isinstance(model, Network) and (score is None or stored_as(score) == RECONSTRUCTION):
        return reconstruct(model, scans.scans, batch_size=batch_size)
    if healthy is None and (isinstance(model, str) or needs_healthy(score or {})):
        raise ValueError(
            "a baseline, or a score that compares with healthy scans, needs healthy subjects; pass them "
            "as healthy."
        )
    if isinstance(model, str):
        return BASELINES.load(model).reconstruct(healthy, scans)
    return raw_maps(model, scans, healthy, score=score or {})
