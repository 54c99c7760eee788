"""Preparation of a training: samples on the device, network from the seed, checkpoint folder by content."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spatial_erasing.cohorts import Split
from spatial_erasing.models import ModelSpec
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.engine import Trainer
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
    dims: int, volume_shape: tuple[int, ...], *, values: Mapping[str, Any], seed: int, device: torch.device
) -> Network:
    """A new network on its device, with weights drawn from `seed`.

    The volume has the shape (X, Y, Z), of which a 2-D network sees (X, Y). Values are those of an entry of
    `networks` in config.yaml, some of them by dimensions.
    """
    given = {"spatial_dims": dims, "grid_voxels": volume_shape[:dims]} | _of_dimensions(values, dims)
    # torch's layers take no generator for their initialisation
    torch.manual_seed(hash_seed(seed, "weights"))
    network = build_network(given).to(device)
    return network.to(memory_format=MEMORY_FORMATS[dims])  # type: ignore[call-overload]  # torch's stubs lack it


def training_settings(
    model: ModelSpec, *, values: Mapping[str, Any], computing: ComputeSettings, seed: int
) -> TrainingSettings:
    """Settings of one training.

    Values are `erasing`, `augmentation` and `optimisation` of `train` in config.yaml; those of `optimisation`
    may be by dimensions.
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

    Raises:
        ValueError: a split is empty.
        MemoryError: the samples do not fit on the device.
    """
    for name, split in (("training", training), ("validation", validation)):
        if not split.subjects:
            raise ValueError(f"the {name} split has no preprocessed subject. See results/split/healthy.csv.")
    device = next(network.parameters()).device
    items = [
        training_items(split.scans, split.brain, spatial_dims=settings.model.spatial_dims)
        for split in (training, validation)
    ]
    if device.type == "cuda":
        require_memory(items, free_bytes=torch.cuda.mem_get_info(device)[0])
    of_training, of_validation = (samples.to(device) for samples in items)
    return Trainer(network, of_training, of_validation, settings)


def training_items(volumes: np.ndarray, brain: np.ndarray, *, spatial_dims: int) -> Tensor:
    """The samples of a cohort, with the dtype of `volumes`, shape (items, 1, *grid).

    "For the 2D network only a single 2D slice is used as input" (Bengs et al. 2021, Figure 1): every axial
    slice (last axis) with brain (bool) is one sample. Both arrays have the shape (subjects, X, Y, Z).
    """
    if spatial_dims == 3:
        return torch.from_numpy(volumes).unsqueeze(1)
    slices, holds_brain = np.moveaxis(volumes, 3, 1), brain.any(axis=(1, 2))
    return torch.from_numpy(np.ascontiguousarray(slices[holds_brain])).unsqueeze(1)


def require_memory(samples: Sequence[Tensor], *, free_bytes: int) -> None:
    """Refuse samples that do not fit on the device, where they stay for the whole training."""
    needed = sum(items.nbytes for items in samples)
    if needed > free_bytes:
        count = sum(map(len, samples))
        raise MemoryError(
            f"{count:,} samples take {needed / 1e9:.1f} GB, the device has {free_bytes / 1e9:.1f} GB free, "
            "and they stay there for the whole training. Use a device with more memory, a smaller "
            "preprocess.grid_voxels, or train.device: cpu."
        )


def _of_dimensions(section: Mapping[str, Any], dims: int) -> dict[str, Any]:
    """The values of a section for 2-D or 3-D, if given by dimensions."""
    return {key: value[f"{dims}d"] if isinstance(value, Mapping) else value for key, value in section.items()}


def checkpoint_folder(trainer: Trainer, folder: Path, *, code: str) -> Path:
    """The folder of this training's checkpoint, named by a hash of samples, settings and code.

    Snakemake removes declared outputs before it restarts a job, so checkpoints lie beside them. A training
    with other settings, data or code must not resume from this checkpoint. A training that differs only in
    its length does, since no step depends on the length.
    """
    content = sha256()
    for items in (trainer.training_items, trainer.validation_items):
        # by content, so that recomputed files with the same samples still resume
        content.update(np.ascontiguousarray(items.cpu().numpy()).data)  # no copy on the CPU
    settings = asdict(trainer.settings)
    for end in ("maximum_steps", "patience_steps"):
        del settings["optimisation"][end]
    content.update(json.dumps([trainer.network.to_dict(), settings, code], sort_keys=True).encode())
    checkpoint = folder / f"checkpoint-{content.hexdigest()[:12]}"
    for other in sorted(set(folder.glob("checkpoint-*")) - {checkpoint}):
        logger.info("%s has other settings, data or code; it is kept and not resumed", other)
    return checkpoint


def remove_checkpoints(folder: Path, *, kept: Path | None) -> None:
    """Remove the checkpoints of a training whose weights are saved, of earlier settings and code as well.

    From the one kept, if any, a prolonged training resumes.
    """
    for checkpoint in sorted(set(folder.glob("checkpoint-*")) - {kept}):
        rmtree(checkpoint)
