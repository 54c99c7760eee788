"""A run on arrays, trained on another sequence than T1."""

import numpy as np
import torch
from paper_study import CONFIG, spec

from spatial_erasing.cohorts import read_split, write_rows
from spatial_erasing.run import reconstruct_scans, train_model
from spatial_erasing.train.settings import ComputeSettings
from spatial_erasing.train.start import training_settings

VAE = CONFIG["networks"]["vae"] | {"feature_maps": [4, 8], "latent_size": {"2d": 4, "3d": 6}}
OPTIMISATION = {"batch_size": 2, "learning_rate": 0.01, "warmup_steps": 0, "maximum_steps": 4}
OPTIMISATION |= {"validate_every_steps": 2, "patience_steps": 4}
SHAPE = (6, 8, 8, 8)


def write_cohort(folder, sequences):
    """Six healthy subjects, four of them for training."""
    brain = np.ones(SHAPE, dtype=bool)
    arrays = {"subject": [f"s{k}" for k in range(SHAPE[0])], "brain": brain, "lesion": ~brain}
    folder.mkdir(parents=True)
    np.savez(folder / "volumes.npz", lesion_slices=np.zeros((6, 8), dtype=bool), **arrays, **sequences)
    rows = [
        {"cohort": "healthy", "subject": f"s{k}", "training_rank": 0}
        | {"split": "training" if k < 4 else "validation"}
        for k in range(SHAPE[0])
    ]
    write_rows(folder / "healthy.csv", rows, columns=rows[0])
    return [folder / "volumes.npz"], folder / "healthy.csv"


def trained_on(sequence, files):
    """Weights of a network that was trained on a sequence, and what it makes of the validation scans."""
    values = {"erasing": CONFIG["train"]["erasing"] | {"maximum_slices": 4}, "optimisation": OPTIMISATION}
    values |= {"augmentation": CONFIG["train"]["augmentation"]}
    settings = training_settings(spec("3d-cube-noise"), values=values, computing=ComputeSettings(), seed=1)
    training, validation = (
        read_split(*files, split=split, sequence=sequence) for split in ("training", "validation")
    )
    trained = train_model(settings, training, validation, network=VAE, device=torch.device("cpu"))
    weights = torch.cat([weight.flatten() for weight in trained.network.state_dict().values()])
    return weights.numpy(), reconstruct_scans(trained.network, validation)


def test_a_network_depends_on_the_scans_of_its_sequence_and_not_on_the_name(tmp_path):
    bright, dark = np.random.default_rng(1).random((2, *SHAPE)).astype(np.float16)
    files = write_cohort(tmp_path / "one/healthy", {"t1": dark, "flair": bright})
    exchanged = write_cohort(tmp_path / "two/healthy", {"t1": bright, "flair": dark})
    on_flair, on_t1 = trained_on("flair", files), trained_on("t1", exchanged)
    for first, second in zip(on_flair, on_t1, strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(on_flair[0], trained_on("t1", files)[0])
