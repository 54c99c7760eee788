"""Scores and their settings, compared on the validation subjects of a finished run, never on test subjects.

    python benchmarks/scores.py RUN [--models 2d-none 3d-none 3d-cube-noise] [--seeds 1 2 3]
        [--questions relative structural]

RUN is the folder of a finished run with results/train, results/preprocess and results/split. Prints for each
candidate the AUPRC in percent on the validation subjects of each lesion cohort (mean over seeds, lowest and
highest), the mean over cohorts and models, and milliseconds of CPU a scan, with post-processing. A relative
score uses the healthy validation subjects, as in the workflow.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from spatial_erasing.cohorts import Split, read_split
from spatial_erasing.evaluate.counts import count_dataset
from spatial_erasing.evaluate.curves import average_precision
from spatial_erasing.run import reconstruct_scans
from spatial_erasing.score.maps import Scoring, score_maps
from spatial_erasing.train.checkpoint import load_network

RESIDUAL = {"kind": "absolute"}
DARK = {"kind": "signed", "finds": "dark"}
WINDOWS = [3, 5, 7, 9, 11]
STRUCTURAL = {"kind": "structural", "windows_voxels": [3]}
RESTORED = {"kind": "latent_restoration", "of": RESIDUAL, "steps": 20, "rate": 0.1, "prior": 1.0}
SEVERAL = {"kind": "several", "draws": "latent", "count": 16, "keeps": "residual", "floor": 0.02}
PARTS = {"kind": "erased_parts", "edge_voxels": 8, "fill": "noise"}
AGAIN = {"kind": "erase_and_restore", "share": 0.05, "rounds": 4, "fill": "noise"}
IMAGE = {"kind": "restored_image", "steps": 20, "rate": 0.02, "variation": 0.3}
# Question to a score and the values of its settings, which are compared in all combinations.
QUESTIONS = {
    "residual": (RESIDUAL, {}),
    "dark": (DARK, {}),
    "bright": (DARK | {"finds": "bright"}, {}),
    "structural": ({"kind": "structural"}, {"windows_voxels": [[3], [5], [7], [11], WINDOWS]}),
    "restored": (RESTORED, {"steps": [20, 40, 80], "rate": [0.02, 0.05, 0.1]}),
    "restored of": (RESTORED, {"of": [DARK, STRUCTURAL]}),
    "prior": (RESTORED, {"prior": [0.0, 3.0]}),
    "several": (SEVERAL, {"draws": ["latent", "noise"], "keeps": ["residual", "spread", "distance"]}),
    "several floor": (SEVERAL | {"keeps": "distance"}, {"floor": [0.05, 0.1, 0.2]}),
    "several whitened": (SEVERAL | {"keeps": "whitened"}, {"floor": [0.01, 0.05, 0.2], "count": [16, 64]}),
    "parts": (PARTS, {"edge_voxels": [8, 16], "fill": ["zero", "noise"]}),
    "again": (AGAIN, {"share": [0.05, 0.15], "rounds": [1, 4]}),
    "image": (IMAGE, {"variation": [0.0, 0.03, 0.1, 0.3, 1.0]}),
}
OF = {"residual": RESIDUAL, "dark": DARK, "structural": STRUCTURAL, "restored": RESTORED}
OF |= {"restored dark": RESTORED | {"of": DARK}, "restored structural": RESTORED | {"of": STRUCTURAL}}
OF |= {"several": SEVERAL, "parts": PARTS, "again": AGAIN, "image": IMAGE}
RELATIVE = {"kind": "relative", "centred": False, "smoothing_voxels": 2, "floor": 0.5}
RELATIVES = {"centred": [True, False], "smoothing_voxels": [0, 1, 2, 4], "floor": [0.5, 2.0]}
QUESTIONS["relative"] = (RELATIVE | {"of": RESIDUAL}, RELATIVES)
QUESTIONS |= {f"relative of {name}": (RELATIVE | {"of": score}, {}) for name, score in OF.items()}
BASELINES = ("mean_healthy", "brain_median", "z_score", "equalised")


def candidates(questions: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each candidate of these questions with its name."""
    for name in questions:
        score, settings = QUESTIONS[name]
        for values in product(*settings.values()):
            chosen = dict(zip(settings, values, strict=True))
            yield " ".join([name, *(f"{key} {value}" for key, value in chosen.items())]), score | chosen


def read(run: Path, config: Mapping[str, Any], cohort: str, split: str) -> Split:
    """A split of a cohort."""
    files = [run / f"results/preprocess/{cohort}/volumes.npz"], run / f"results/split/{cohort}.csv"
    return read_split(*files, split=split, sequence=config["study"].get("sequence", "t1"))


def auprc(scans: Split, stored: np.ndarray, score: Mapping[str, Any], config: Mapping[str, Any]) -> float:
    """AUPRC in percent after the study's post-processing."""
    keys = ("erosion_iterations", "median_size_voxels")
    scoring = Scoring(score, {key: config["score"][key] for key in keys})
    return 100 * average_precision(count_dataset(score_maps(scans, stored, scoring), scans.lesion))


def main() -> None:
    """Print a row for each candidate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--models", nargs="+", default=["2d-none", "3d-none", "3d-cube-noise"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--questions", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    config = yaml.safe_load((asked.run / "results/config.yaml").read_text())
    healthy = read(asked.run, config, config["study"]["healthy_cohorts"][0], "validation")
    cohorts = {
        name: read(asked.run, config, name, "validation") for name in config["study"]["lesion_cohorts"]
    }
    cohorts = {name: scans for name, scans in cohorts.items() if scans.subjects}
    columns = [f"{model} {cohort}" for model in asked.models for cohort in cohorts]
    print("| score |", " | ".join(columns), "| mean | ms a scan |")
    print("| :-- |", " --: |" * (len(columns) + 2))
    weights = {
        (model, seed): asked.run / f"results/train/{model}/fraction-100/seed-{seed}/weights.pt"
        for model in asked.models
        for seed in asked.seeds
    }
    networks = {key: load_network(path, torch.device("cpu")) for key, path in weights.items()}
    for name, score in candidates(asked.questions):
        began, cells, means = time.process_time(), [], []
        for model in asked.models:
            for scans in cohorts.values():
                found = []
                for seed in asked.seeds:
                    stored = reconstruct_scans(
                        networks[model, seed], scans, healthy, score=score, batch_size=64
                    )
                    found.append(auprc(scans, stored, score, config))
                means.append(np.mean(found))
                cells.append(f"{np.mean(found):.1f} ({min(found):.1f}–{max(found):.1f})")
        seconds = time.process_time() - began
        scored = sum(len(scans.subjects) for scans in cohorts.values()) * len(networks)
        print(f"| {name} | {' | '.join(cells)} | {np.mean(means):.1f} | {1000 * seconds / scored:.0f} |")
        sys.stdout.flush()
    training = read(asked.run, config, config["study"]["healthy_cohorts"][0], "training")
    for kind in BASELINES:
        found = {
            cohort: auprc(scans, reconstruct_scans(kind, scans, training), RESIDUAL, config)
            for cohort, scans in cohorts.items()
        }
        print(f"| {kind} | {' | '.join(f'{cohort} {value:.1f}' for cohort, value in found.items())} |")


if __name__ == "__main__":
    main()
