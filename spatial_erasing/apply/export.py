"""A finished study to a bundle: everything that applying one of its methods to a new scan needs."""

import importlib.metadata
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spatial_erasing import __version__
from spatial_erasing.apply.archive import pack_arrays, write_archive
from spatial_erasing.apply.bundle import FORMAT, settings_text
from spatial_erasing.apply.card import LICENSE, write_card
from spatial_erasing.apply.example import example_files
from spatial_erasing.apply.healthy import HealthyBrains, measure_scores, median_residual
from spatial_erasing.apply.networks import combine, reconstruct_with_all, weights_as_bytes
from spatial_erasing.apply.run_folder import RunFolder
from spatial_erasing.cohorts import Split, voxel_size_mm
from spatial_erasing.evaluate.components import LESION, components_of_split
from spatial_erasing.evaluate.dataset import evaluate
from spatial_erasing.preprocess.quality import healthy_band
from spatial_erasing.preprocess.settings import NETWORKS
from spatial_erasing.score.maps import score_maps
from spatial_erasing.threshold.search import find_threshold
from spatial_erasing.train.checkpoint import load_network
from spatial_erasing.train.network import Network

# Metrics of a bundle's card, among those of the study.
REPORTED = ("average_precision", "prevalence", "dice_dataset", "dice_subject_mean", "slice_average_precision")


def write_bundle(folder: RunFolder, output: str | Path, *, version: str = "1.0") -> None:
    """Write the bundle of methods of a finished study; all their seeds become one ensemble.

    The threshold is searched for the ensemble on the validation scans of all lesion cohorts together, with
    the study's own search; test scans give the numbers of the card and nothing else.

    Args:
        folder: of the study, the methods and their seeds.
        output: zip to write.
        version: of the model, for its metadata.

    Raises:
        ValueError: there is no such method, its score cannot leave the study, or the networks of the methods
            differ in more than their weights.
    """
    networks = [load_network(weights, torch.device("cpu")) for weights in folder.weights.values()]
    if any(network.to_dict() != networks[0].to_dict() for network in networks):
        raise ValueError(
            f"{', '.join(folder.methods)} have different networks; a bundle holds weights of one. Give "
            "--model methods of the same dimensions and the same entry of `networks`."
        )
    batch_size = folder.config["score"]["batch_size"] if folder.described[0].dims == 2 else 1
    thresholds = {score: _threshold(folder, score) for score in folder.scores}
    settings = _settings(folder, networks[0], thresholds=thresholds, batch_size=batch_size)
    arrays = _healthy_arrays(folder, networks, thresholds=thresholds, batch_size=batch_size)
    metadata = _metadata(folder, networks, version=version, thresholds=thresholds)
    files = {
        "settings.json": settings_text(settings),
        "metadata.json": settings_text(metadata),
        "healthy.npz": pack_arrays(arrays),
        "LICENSE": LICENSE.encode(),
        "README.md": write_card(metadata).encode(),
        **{
            f"weights/{name}.safetensors": weights_as_bytes(network)
            for name, network in zip(folder.weights, networks, strict=True)
        },
    }
    write_archive(output, files | example_files(files))


def _threshold(folder: RunFolder, score: str) -> dict[str, Any]:
    """The threshold of the ensemble, and on which validation scans it was found."""
    splits, stored = [], []
    for cohort in folder.lesion_cohorts:
        scans = folder.lesions(cohort, "validation")
        if scans.subjects:
            splits.append(scans)
            stored.append(combine(folder.stored(cohort, "validation", scans)).mean)
    search = {name: folder.config["threshold"][name] for name in ("iterations", "lower", "upper")}
    together = _join(splits)
    found = find_threshold(together, np.concatenate(stored), scoring=folder.scoring(score), search=search)
    cohorts = sorted({cohort for cohort, _ in together.subjects})
    return {
        "threshold": found["threshold"],
        "dice": found["dice"],
        "scans": len(together.subjects),
        "cohorts": cohorts,
    }


def _join(splits: list[Split]) -> Split:
    """Several splits as one."""
    if not splits:
        raise ValueError(
            "no lesion cohort of the study has validation scans, so that nothing sets a threshold."
        )
    names = ("scans", "brain", "lesion", "lesion_slices")
    arrays = (np.concatenate([getattr(split, name) for split in splits]) for name in names)
    return Split([subject for split in splits for subject in split.subjects], *arrays)


def _settings(
    folder: RunFolder, network: Network, *, thresholds: Mapping[str, Mapping], batch_size: int
) -> dict[str, Any]:
    """The content of settings.json: sections of the study's config, and what it learned."""
    preprocess = folder.config["preprocess"] | {"padded_grid_voxels": folder.padded_grid_voxels()}
    way, sequence = preprocess["standardise"][folder.sequence], folder.sequence
    target = None
    if way == "landmarks":
        target = folder.landmarks()[sequence]
    elif way != "range":
        target = preprocess["standard"][way][sequence]
    stated = folder.config["ingest"]["cohorts"][folder.healthy_cohorts[0]]["skull_strip"]
    return {
        "preprocess": preprocess,
        "sequence": sequence,
        "target": target,
        "skull_strip": stated if stated in NETWORKS else next(iter(NETWORKS)),
        "network": network.to_dict(),
        "scores": folder.scores,
        "score": folder.score,
        "post_processing": folder.post_processing,
        "batch_size": batch_size,
        "thresholds": {name: found["threshold"] for name, found in thresholds.items()},
    }


def _healthy_arrays(
    folder: RunFolder, networks: list[Network], *, thresholds: Mapping[str, Mapping], batch_size: int
) -> dict[str, np.ndarray]:
    """The content of healthy.npz: scores of validation scans; volumes and curves of all healthy brains."""
    training, validation = folder.healthy("training"), folder.healthy("validation")
    known = {*training.subjects, *validation.subjects}
    rows = [row for row in folder.manifest() if (row["cohort"], row["subject"]) in known]
    brain_ml = np.array(sorted(float(row["brain_ml"]) for row in rows))
    band = healthy_band(training.scans, training.brain, sequence=folder.sequence)
    plain = reconstruct_with_all(networks, validation, batch_size=batch_size).mean
    residuals = map(median_residual, validation.scans, plain, validation.brain)
    arrays = HealthyBrains(brain_ml, band, np.array(list(residuals))).as_arrays()
    stored = reconstruct_with_all(networks, validation, batch_size=batch_size, score=folder.maps_of).mean
    voxel_ml = math.prod(voxel_size_mm(folder.volumes(folder.healthy_cohorts[0]))) / 1000
    for score in folder.scores:
        found = measure_scores(
            score_maps(validation, stored, folder.scoring(score)),
            validation.brain,
            erosion_iterations=folder.post_processing["erosion_iterations"],
            limits=(thresholds[score]["threshold"], voxel_ml),
        )
        arrays |= found.as_arrays(score)
    return arrays


def _metadata(
    folder: RunFolder, networks: list[Network], *, version: str, thresholds: Mapping[str, Mapping]
) -> dict[str, Any]:
    """The content of metadata.json: MONAI's keys for bundles, then population, metrics and thresholds."""
    study, own = folder.config["study"], thresholds[folder.score]
    title = " and ".join(method.title for method in folder.described)
    shape = list(networks[0].settings.grid_voxels)
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 1,
        "spatial_shape": shape,
    }
    image |= {"dtype": "float32", "value_range": [0, 1], "is_patch_data": False}
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "torch", "safetensors")}
    return {
        "bundle_format": FORMAT,
        "name": "+".join(folder.methods),
        "title": title,
        "version": version,
        "changelog": {version: f"written by spatial-erasing {__version__}"},
        "numpy_version": packages["numpy"],
        "pytorch_version": packages["torch"],
        "required_packages_version": {"spatial-erasing": __version__, "safetensors": packages["safetensors"]},
        "task": "Unsupervised anomaly segmentation of the brain",
        "description": f"{title}, {len(networks)} network(s), of the study: {study['title']}.",
        "authors": "The study named in the description",
        "copyright": "See LICENSE",
        "data_source": ", ".join(folder.healthy_cohorts),
        "intended_use": "Research only. No medical device; no decision about a patient may rest on it.",
        "network_data_format": {
            "inputs": {"image": image | {"channel_def": {"0": folder.sequence}}},
            "outputs": {"pred": image | {"channel_def": {"0": "reconstruction"}}},
        },
        "models": list(folder.methods),
        "seeds": list(folder.seeds),
        "population": _population(folder),
        "thresholds": thresholds,
        "eval_metrics": _metrics(folder, own),
        "intervals": _intervals(folder),
    }


def _population(folder: RunFolder) -> dict[str, Any]:
    """The population that the networks were trained on."""
    counts = {split: len(folder.healthy(split).subjects) for split in ("training", "validation")}
    rows = list(folder.manifest())
    volumes = [float(row["brain_ml"]) for row in rows]
    scanners = sorted({row["scanner"] for row in rows})
    return counts | {"scanners": scanners, "brain_ml": [round(min(volumes)), round(max(volumes))]}


def _metrics(folder: RunFolder, threshold: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ensemble's numbers on the test scans of each lesion cohort, voxel-wise and lesion-wise."""
    rows, scoring = [], folder.scoring(folder.score)
    rule = folder.config["evaluate"]["diagnostics"]
    rule = {name: rule[name] for name in ("connectivity", "minimum_overlap_percent")}
    for cohort in folder.lesion_cohorts:
        test = folder.lesions(cohort, "test")
        stored = combine(folder.stored(cohort, "test", test)).mean
        names = {"method": "+".join(folder.methods), "percent": str(folder.percent), "seed": "ensemble"}
        names |= {"cohort": cohort, "sequence": folder.sequence}
        found = evaluate(test, stored, scoring=scoring, names=names, threshold=threshold)
        values = {row["metric"]: row["value"] for row in found.metrics}
        components = components_of_split(
            score_maps(test, stored, scoring),
            test.lesion,
            [name for _, name in test.subjects],
            threshold=threshold["threshold"],
            rule=rule,
        )
        lesions = [row for row in components if row["kind"] == LESION]
        rows.append(
            {"cohort": cohort, "scans": len(test.subjects)}
            | {name: _number(values[name]) for name in REPORTED}
            | {
                "lesions": len(lesions),
                "lesions_found": sum(int(str(row["is_detected"])) for row in lesions),
                "false_positives_a_scan": (len(components) - len(lesions)) / max(len(test.subjects), 1),
            }
        )
    return rows


def _intervals(folder: RunFolder) -> list[dict[str, Any]]:
    """The study's own intervals: means over single networks."""
    rows = [
        row for row in folder.intervals() if row["metric"] in REPORTED and row["sequence"] == folder.sequence
    ]
    numbers = ("value", "lower", "upper")
    kept = ("model", "cohort", "metric", "subjects", "seeds")
    return [
        {name: row[name] for name in kept} | {name: _number(row[name]) for name in numbers} for row in rows
    ]


def _number(value: Any) -> float | None:
    """A number for JSON, which has no NaN."""
    return None if np.isnan(float(value)) else json.loads(json.dumps(float(value)))
