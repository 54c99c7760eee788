"""A training made ready: its samples on the device, its network from the seed, its checkpoint by content."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spatial_erasing.cohorts import Split
from spatial_erasing.models import ModelSpec
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.engine import Trainer
from spatial_erasing.train.items import training_items
from spatial_erasing.train.network import MEMORY_FORMATS, Network, build_network
from spatial_erasing.train.settings import (
    AugmentationSettings,
    ComputeSettings,
    ErasingSettings,
    OptimisationSettings,
    TrainingSettings,
)

logger = logging.getLogger(__name__)


def make_network(
    dims: int,
    volume_shape: tuple[int, ...],
    *,
    values: Mapping[str, Any],
    seed: int,
    device: torch.device,
) -> Network:
    """A fresh network, its weights drawn from `seed`, on its device.

    Args:
        dims: of the network, 2 or 3.
        volume_shape: (X, Y, Z); a 2-D network sees (X, Y).
        values: those of its entry of `networks` in config.yaml, some of them by dimensions.
        seed: the same seed gives the same weights everywhere.
        device: where it computes.
    """
    given = {"spatial_dims": dims, "grid_voxels": volume_shape[:dims]} | _of_dimensions(values, dims)
    torch.manual_seed(hash_seed(seed, "weights"))
    network = build_network(given).to(device)
    return network.to(memory_format=MEMORY_FORMATS[dims])  # type: ignore[call-overload]  # torch's stubs lack it


def training_settings(
    model: ModelSpec, *, values: Mapping[str, Any], computing: ComputeSettings, seed: int
) -> TrainingSettings:
    """Settings of one training.

    Args:
        model: dimensions and erasing.
        values: those of `train` in config.yaml: `erasing`, `augmentation` and `optimisation`, some of them by
            dimensions.
        computing: how its device computes.
        seed: of all that is drawn while training.
    """
    return TrainingSettings(
        model,
        ErasingSettings(**values["erasing"]),
        AugmentationSettings(**values["augmentation"]),
        OptimisationSettings(**_of_dimensions(values["optimisation"], model.spatial_dims)),
        computing,
        seed,
    )


def make_trainer(network: Network, training: Split, validation: Split, settings: TrainingSettings) -> Trainer:
    """A trainer with the samples of both splits on the network's device.

    Args:
        network: fresh, on its device.
        training: healthy subjects to learn from.
        validation: healthy subjects to validate on.
        settings: of the training.

    Raises:
        ValueError: a split is empty.
        MemoryError: the samples do not fit on the device.
    """
    for name, split in (("training", training), ("validation", validation)):
        if not split.subjects:
            raise ValueError(
                f"the {name} split holds no preprocessed subject. See results/split/healthy.csv."
            )
    device = next(network.parameters()).device
    items = [
        training_items(split.scans, split.brain, spatial_dims=settings.model.spatial_dims)
        for split in (training, validation)
    ]
    if device.type == "cuda":
        require_memory(items, free_bytes=torch.cuda.mem_get_info(device)[0])
    of_training, of_validation = (samples.to(device) for samples in items)
    return Trainer(network, of_training, of_validation, settings)


def require_memory(samples: Sequence[Tensor], *, free_bytes: int) -> None:
    """Refuse samples that a device cannot hold: they stay there for the whole training.

    Args:
        samples: of each split.
        free_bytes: on the device.

    Raises:
        MemoryError: naming both sizes.
    """
    needed = sum(items.nbytes for items in samples)
    if needed > free_bytes:
        count = sum(map(len, samples))
        raise MemoryError(
            f"{count:,} samples take {needed / 1e9:.1f} GB, the device has {free_bytes / 1e9:.1f} GB free, "
            "and they stay there while the network trains. Use a device with more memory, a smaller "
            "preprocess.grid_voxels, or train.device: cpu."
        )


def _of_dimensions(section: Mapping[str, Any], dims: int) -> dict[str, Any]:
    """The values of a section for 2-D or 3-D, where some are given for each; lists become tuples."""
    chosen = {
        key: value[f"{dims}d"] if isinstance(value, Mapping) else value for key, value in section.items()
    }
    return {key: tuple(value) if isinstance(value, list) else value for key, value in chosen.items()}


def checkpoint_folder(trainer: Trainer, folder: Path, *, code: str) -> Path:
    """Where this training keeps its checkpoint: a name that changes with all that defines its result.

    Snakemake removes declared outputs before it starts a rule again, so checkpoints lie beside them; and a
    training with another setting, other data or other code must never go on from this one's.
    """
    content = sha256()
    for items in (trainer.training_items, trainer.validation_items):
        content.update(np.ascontiguousarray(items.cpu().numpy()).data)  # no copy of what lies on the CPU
    settings = [trainer.network.to_dict(), asdict(trainer.settings), code]
    content.update(json.dumps(settings, sort_keys=True).encode())
    checkpoint = folder / f"checkpoint-{content.hexdigest()[:12]}"
    for other in sorted(set(folder.glob("checkpoint-*")) - {checkpoint}):
        logger.info(
            "%s is of other settings, data or code; it is left alone and nothing goes on from it", other
        )
    return checkpoint
