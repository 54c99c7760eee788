"""A finished study of tiny synthetic brains, made by the library's own calls, for tests of bundles."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
import yaml

from spatial_erasing.cohorts import read_split, write_rows
from spatial_erasing.images.volumes import Volume
from spatial_erasing.models import ModelSpec, model_and_score
from spatial_erasing.preprocess.geometry import write_chains
from spatial_erasing.preprocess.settings import BrainSettings
from spatial_erasing.preprocess.stack import MANIFEST_COLUMNS, StackSettings, stack_cohort
from spatial_erasing.preprocess.standardise.ways import read_standard
from spatial_erasing.preprocess.subject import prepare_subject
from spatial_erasing.run import reconstruct_scans, train_model
from spatial_erasing.score.maps import MAP, RECONSTRUCTION, save_stored
from spatial_erasing.train.checkpoint import load_network, save_weights
from spatial_erasing.train.device import choose_computing, prepare_process
from spatial_erasing.train.start import training_settings
from tests.preprocess.analytic_head import (
    SEMI_AXES_MM,
    directions_of,
    grid_around,
    intensities_at,
    lesion_at,
    rotation,
    sample,
    write_subject,
)

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
SEEDS = (1, 2)
STRAIGHT = np.eye(3)
MEMBERS = {"healthy": range(6), "strokes": range(10, 14)}
# Orientation and spacing in mm of the same head, as scanners store it.
VARIANTS = {
    "LAS": (directions_of("LAS"), (2.0, 2.0, 2.0)),
    "LPS": (directions_of("LPS"), (2.0, 2.0, 2.0)),
    "PIR": (directions_of("PIR"), (2.0, 2.0, 2.0)),
    "oblique": (rotation((12, -17, 25)), (1.5, 1.5, 1.5)),
    "anisotropic": (directions_of("LPS"), (1.2, 1.2, 2.4)),
}


def small_config():
    """The default config with a grid and networks that train in seconds."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["study"] |= {
        "title": "A small study",
        "healthy_cohorts": ["healthy"],
        "lesion_cohorts": ["strokes"],
        "seeds": list(SEEDS),
    }
    source = {"reader": "table", "path": "none.csv", "sequences": ["t1"], "skull_strip": "none", "batches": 1}
    config["ingest"]["cohorts"] = {"healthy": source, "strokes": source}
    config["preprocess"] |= {
        "spacing_mm": 2.0,
        "brain_range_ml": [50, 2500],
        "padded_grid_voxels": [32, 40, 34],
        "grid_voxels": [16, 16, 16],
    }
    config["networks"]["vae"] |= {"feature_maps": [4, 8], "latent_size": {"2d": 8, "3d": 8}}
    config["train"]["optimisation"] |= {
        "batch_size": 4,
        "warmup_steps": 5,
        "maximum_steps": {"2d": 120, "3d": 120},
        "validate_every_steps": 40,
    }
    config["score"] |= {"erosion_iterations": 1, "median_size_voxels": 3}
    return config


def head(number, directions=STRAIGHT, spacing_mm=(2.0, 2.0, 2.0), *, with_lesion=False):
    """A brain without its skull: one of many that differ a little, with a dark lesion on the left or none."""
    shape, affine = grid_around(directions, spacing_mm)

    def values(points_mm):
        found = intensities_at(points_mm) * (1 + 0.03 * np.sin(points_mm[..., 0] / 15 + number))
        inside = np.linalg.norm(points_mm / SEMI_AXES_MM, axis=-1) < 1
        dark = np.where(lesion_at(points_mm) & with_lesion, 0.35, 1.0)
        return np.where(inside, found * dark, 0)

    return Volume(sample(values, shape, affine).astype(np.float32), affine)


def write_head(path, *args, with_lesion=False):
    """The same as an image file."""
    volume = head(*args, with_lesion=with_lesion)
    image = nib.Nifti1Image(volume.intensities, volume.affine)
    image.set_sform(volume.affine, code=1)
    image.set_qform(volume.affine, code=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def make_study(folder):
    """A study in `folder`, finished but for its report."""
    config, results = small_config(), folder / "results"
    results.mkdir(parents=True)
    (results / "config.yaml").write_text(yaml.safe_dump(config))
    for cohort, numbers in MEMBERS.items():
        _prepare(results, config, cohort, numbers, with_lesion=cohort == "strokes")
    names = {cohort: [f"{cohort}-{n}" for n in numbers] for cohort, numbers in MEMBERS.items()}
    _split(results, "healthy", names["healthy"], training=4)
    _split(results, "strokes", names["strokes"], training=0)
    for seed in SEEDS:
        _train(results, config, seed)
    (results / "evaluate").mkdir()
    columns = ["model", "fraction_percent", "cohort", "sequence", "metric", "value", "subjects", "seeds"]
    write_rows(results / "evaluate/intervals.csv", [], columns=columns)
    return folder


def with_maps(study, folder, method, seed):
    """A copy of the study with one more method, whose score reads the network, and its maps of one seed."""
    shutil.copytree(study, folder)
    results = folder / "results"
    config = yaml.safe_load((results / "config.yaml").read_text())
    config["study"]["table_1_models"].append(method)
    (results / "config.yaml").write_text(yaml.safe_dump(config))
    model, score = model_and_score(method)
    network = load_network(results / f"train/{model}/fraction-100/seed-{seed}/weights.pt", CPU)
    healthy = read_split(
        [results / "preprocess/healthy/volumes.npz"],
        results / "split/healthy.csv",
        split="validation",
        sequence="t1",
    )
    values = {"healthy": healthy, "score": config["scores"][score]}
    _store(results, network, f"{method}/fraction-100/seed-{seed}", what=MAP, **values)
    return folder


def _prepare(results, config, cohort, numbers, *, with_lesion):
    """Raw files, prepared brains, and the arrays of a cohort."""
    preprocess = config["preprocess"]
    settings = BrainSettings(**{name: preprocess[name] for name in BrainSettings.__dataclass_fields__})
    folder, rows = results / f"preprocess/{cohort}", []
    for number in numbers:
        name = f"{cohort}-{number}"
        scan = head(number, with_lesion=with_lesion)
        lesion = Volume(
            sample(lesion_at, scan.intensities.shape, scan.affine).astype(np.float32), scan.affine
        )
        row = write_subject(
            results / "raw" / name, scan, lesion=lesion if with_lesion else None, cohort=cohort
        )
        rows.append(prepare_subject([row], folder=folder / "subjects" / name, settings=settings, code="code"))
    arrays, chains = stack_cohort(
        rows,
        sequences=("t1",),
        settings=StackSettings(
            read_standard({"t1": preprocess["standardise"]["t1"]}, {"t1": 0.5}, []),
            tuple(preprocess["padded_grid_voxels"]),
            tuple(preprocess["grid_voxels"]),
            preprocess["lesion_downsampling"],
        ),
        cores=1,
    )
    write_rows(folder / "manifest.csv", rows, columns=MANIFEST_COLUMNS)
    write_chains(folder / "geometry.json", chains)
    np.savez(folder / "volumes.npz", **arrays)


def _split(results, cohort, names, *, training):
    """The first subjects train, half of the others validate, the rest test."""
    rest = names[training:]
    validation = rest if cohort == "healthy" else rest[: len(rest) // 2]
    rows = [
        {
            "cohort": cohort,
            "subject": name,
            "split": "training"
            if name in names[:training]
            else "validation"
            if name in validation
            else "test",
            "training_rank": 0.0,
        }
        for name in names
    ]
    write_rows(results / f"split/{cohort}.csv", rows, columns=["cohort", "subject", "split", "training_rank"])


def _train(results, config, seed):
    """The weights of a seed, and what they make of the lesion cohort."""
    computing = choose_computing(
        CPU, **{n: config["train"][n] for n in ("precision", "compile", "deterministic")}
    )
    prepare_process(computing)
    values = {name: config["train"][name] for name in ("erasing", "augmentation", "optimisation")}
    files = ([results / "preprocess/healthy/volumes.npz"], results / "split/healthy.csv")
    trained = train_model(
        training_settings(
            ModelSpec("3d-none", 3, "none", "none"), values=values, computing=computing, seed=seed
        ),
        read_split(*files, split="training", sequence="t1"),
        read_split(*files, split="validation", sequence="t1"),
        network=config["networks"]["vae"],
        device=CPU,
    )
    run = f"3d-none/fraction-100/seed-{seed}"
    weights = results / f"train/{run}/weights.pt"
    weights.parent.mkdir(parents=True)
    save_weights(weights, trained.network, trained.network.state_dict(), code="code")
    _store(results, load_network(weights, CPU), run, what=RECONSTRUCTION)


def _store(results, network, run, *, what, **values):
    """What the score stage stores of both splits of the lesion cohort."""
    for split in ("validation", "test"):
        volumes = [results / "preprocess/strokes/volumes.npz"]
        scans = read_split(volumes, results / "split/strokes.csv", split=split, sequence="t1")
        path = results / f"score/{run}/strokes-t1/{split}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = reconstruct_scans(network, scans, **values)
        save_stored(path, scans, stored, what=what, made_by=json.dumps({}))
