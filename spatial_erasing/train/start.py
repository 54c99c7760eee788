"""A training made ready: its samples on the device, its network from the seed, its checkpoint by content."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import torch

from spatial_erasing.cohorts import Split
from spatial_erasing.models import ModelSpec
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.engine import OptimisationSettings, Trainer
from spatial_erasing.train.erasing import ErasingSettings
from spatial_erasing.train.items import training_items
from spatial_erasing.train.network import NetworkSettings, SpatialVAE

MEMORY_FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


def make_trainer(  # noqa: PLR0913  everything that defines a training, by name
    model: ModelSpec,
    training: Split,
    validation: Split,
    *,
    network: Mapping[str, object],
    erasing: Mapping[str, object],
    optimisation: Mapping[str, object],
    device: torch.device,
    seed: int,
    threads: int,
) -> Trainer:
    """A trainer whose network starts from `seed` and whose samples lie on `device`.

    Args:
        model: dimensions and erasing.
        training: healthy subjects to learn from.
        validation: healthy subjects to validate on.
        network: the values of `train.network` in config.yaml, some of them by dimensions.
        erasing: those of `train.erasing`.
        optimisation: those of `train.optimisation`.
        device: where everything happens.
        seed: of the weights; the same everywhere.
        threads: CPU threads.

    Raises:
        ValueError: a split is empty.
    """
    for name, split in (("training", training), ("validation", validation)):
        if not split.subjects:
            raise ValueError(
                f"the {name} split holds no preprocessed subject. See results/split/healthy.csv."
            )
    torch.set_num_threads(threads)
    torch.manual_seed(hash_seed(seed, "weights"))
    dims = model.spatial_dims
    settings = NetworkSettings(
        spatial_dims=dims,
        grid_voxels=training.scans.shape[1 : 1 + dims],
        **_of_dimensions(network, dims),
    )
    # Channels last is what convolutions compute in anyway, on the CPU and on the GPU.
    vae = SpatialVAE(settings).to(device, memory_format=MEMORY_FORMATS[dims])
    items = [
        training_items(split.scans, split.brain, spatial_dims=dims).to(device)
        for split in (training, validation)
    ]
    return Trainer(
        vae,
        *items,
        model=model,
        erasing=ErasingSettings(**erasing),
        optimisation=OptimisationSettings(**_of_dimensions(optimisation, dims)),
    )


def _of_dimensions(section: Mapping[str, object], dims: int) -> dict[str, object]:
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
        content.update(items.cpu().numpy().tobytes())
    settings = [
        asdict(part)
        for part in (trainer.model, trainer.network.settings, trainer.erasing, trainer.optimisation)
    ]
    content.update(json.dumps([settings, code], sort_keys=True).encode())
    return folder / f"checkpoint-{content.hexdigest()[:12]}"
