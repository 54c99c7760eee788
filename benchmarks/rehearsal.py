r"""The paper's study at its full size on synthetic brains, in pieces of at most ten minutes of a GPU.

    python benchmarks/rehearsal.py template rehearsal/template.npz
    python benchmarks/rehearsal.py piece rehearsal/piece-1 --template rehearsal/template.npz \\
        --models 3d-none --shares 100
    cp -r rehearsal/piece-*/results rehearsal/
    snakemake --cores 8 --configfile config/rehearsal.yaml --directory rehearsal --allowed-rules \\
        synthesise_cohort assign_splits collect_splits collect_metrics collect_cohorts resample_metrics \\
        judge_claims write_table_1 write_table_2 plot_figure_4 plot_figure_5 plot_figure_6 -- \\
        results/report/tables/table_{1,2}.md results/report/figures/figure_{4,5,6}.png

The first command needs the packages of requirements.txt. A piece needs torch, numpy, scipy and pyyaml alone:
it makes the three cohorts of config/rehearsal.yaml (unless --work has them already), trains the models that
are named on their shares of the healthy subjects with their seeds, searches thresholds, evaluates, and leaves
what results/evaluate/, threshold/ and train/ hold of them but the weights: counts, tables and histories, some
megabytes. Pieces may come from any machine; the smallest is one model and one share of the healthy subjects
(--shares; without it, all shares). `--maximum-steps` shortens the trainings: for a try, not for a result.
`--subjects N` takes another number of healthy subjects. Prints the seconds of every step and the peak memory.
"""

import argparse
import importlib
import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import yaml

from spatial_erasing import run
from spatial_erasing.cohorts import Split, read_split, write_rows
from spatial_erasing.evaluate.counts import save_counts
from spatial_erasing.evaluate.dataset import METRIC_COLUMNS, SUBJECT_COLUMNS, DatasetResult
from spatial_erasing.models import Method, ModelSpec, Run, list_datasets, list_methods
from spatial_erasing.score.maps import Scoring
from spatial_erasing.split.assign import assign_splits, split_rows
from spatial_erasing.train.device import choose_computing, choose_device, device_name, prepare_process
from spatial_erasing.train.network import Network
from spatial_erasing.train.start import training_settings
from spatial_erasing_phantoms.small import SmallSettings, make_small_cohort
from spatial_erasing_phantoms.template import read_template, save_template

ROOT = Path(__file__).resolve().parents[1]
SPLIT_COLUMNS = ("cohort", "subject", "scanner", "split", "training_rank")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the seconds of a step."""
    started = time.perf_counter()
    yield
    print(f"| {what} | {time.perf_counter() - started:.1f} |", flush=True)


def merged(base: Mapping, overlay: Mapping) -> dict:
    """A config merged with an overlay, as by Snakemake."""
    joined = dict(base)
    for key, value in overlay.items():
        old = base.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        joined[key] = merged(old, value) if both else value
    return joined


def overlaid(overlays: Iterable[Path]) -> dict:
    """config.yaml with overlays."""
    config: dict = {}
    for path in (ROOT / "config.yaml", *overlays):
        config = merged(config, yaml.safe_load(path.read_text()))
    return config


def read_config(options: argparse.Namespace) -> dict:
    """config.yaml with the rehearsal overlay and the command line's values."""
    config = overlaid(options.config)
    if options.subjects is not None:
        config["phantom"]["cohorts"]["healthy"]["subjects"] = options.subjects
        config["split"]["sizes"]["healthy"] = {"training": 0.9, "validation": 0.1}
    if options.maximum_steps is not None:
        config["train"]["optimisation"]["maximum_steps"] = options.maximum_steps
    return config


def make_data(config: Mapping, work: Path, template: Path) -> None:
    """Write all cohorts and their splits as the files of the other stages."""
    settings = SmallSettings(
        seed=config["phantom"]["seed"],
        scanners=config["phantom"]["scanners"],
        minimum_lesion_ml=config["phantom"]["minimum_lesion_ml"],
        padded_grid_mm=tuple(config["preprocess"]["padded_grid_voxels"]),
        grid_voxels=tuple(config["preprocess"]["grid_voxels"]),
    )
    for cohort, wanted in config["phantom"]["cohorts"].items():
        volumes, splits = work / cohort / "volumes.npz", work / f"{cohort}.csv"
        if volumes.exists() and splits.exists():
            continue
        arrays, rows = make_small_cohort(
            wanted["kind"],
            subjects=wanted["subjects"],
            settings=settings,
            template=read_template(template),
            workers=os.cpu_count() or 1,
        )
        volumes.parent.mkdir(parents=True, exist_ok=True)
        np.savez(volumes, **arrays)
        scanners = {(cohort, str(row["subject"])): str(row["scanner"]) for row in rows}
        sizes, seed = config["split"]["sizes"][cohort], config["split"]["seed"]
        assigned = assign_splits(scanners, sizes=sizes, seed=seed, group=cohort)
        write_rows(splits, split_rows(assigned, scanners, seed=seed), columns=SPLIT_COLUMNS)


def train(config: Mapping, work: Path, folder: Path, job: Run, *, kept: run.Kept | None = None) -> Network:
    """Train one network, or resume what is kept of it, and write its history."""
    values, method = config["train"], list_methods(config)[job.method]
    device = choose_device(values["device"])
    modes = {key: values[key] for key in ("precision", "compile", "deterministic")}
    computing = choose_computing(device, **modes)
    prepare_process(computing)
    files, sequence = ([work / "healthy/volumes.npz"], work / "healthy.csv"), config["study"]["sequence"]
    model = ModelSpec(method.model, method.dims, method.erase, method.fill)
    trained = run.train_model(
        training_settings(model, values=values, computing=computing, seed=job.seed),
        read_split(*files, split="training", sequence=sequence, fraction_percent=job.fraction_percent),
        read_split(*files, split="validation", sequence=sequence),
        network=config["networks"][method.network],
        device=device,
        kept=kept,
    )
    write_rows(folder / "history.csv", trained.history, columns=trained.history[0])
    return trained.network


def stored(
    config: Mapping, work: Path, scans: Split, method: Method, network: Network | None
) -> tuple[np.ndarray, Scoring]:
    """Reconstructions or maps of a method, and its scoring."""
    post_processing = {key: config["score"][key] for key in ("erosion_iterations", "median_size_voxels")}
    scoring = Scoring(config["scores"][method.score], post_processing)
    split = "training" if method.is_baseline else "validation"
    files, sequence = ([work / "healthy/volumes.npz"], work / "healthy.csv"), config["study"]["sequence"]
    healthy = read_split(*files, split=split, sequence=sequence)
    batch_size = config["score"]["batch_size"]
    found = run.reconstruct_scans(
        network or method.baseline, scans, healthy, score=scoring.score, batch_size=batch_size
    )
    return found, scoring


def evaluate(
    config: Mapping, work: Path, results: Path, names: Mapping[str, str], network: Network | None
) -> tuple[DatasetResult, float]:
    """Metrics of one run on one cohort and sequence, and its threshold, after writing both."""
    cohort, sequence, method = names["cohort"], names["sequence"], list_methods(config)[names["method"]]
    validation, test = (
        read_split([work / cohort / "volumes.npz"], work / f"{cohort}.csv", split=split, sequence=sequence)
        for split in ("validation", "test")
    )
    maps, scoring = stored(config, work, validation, method, network)
    search = {key: config["threshold"][key] for key in ("iterations", "lower", "upper")}
    record = run.find_threshold(validation, maps, scoring=scoring, search=search)
    maps, scoring = stored(config, work, test, method, network)
    found = run.evaluate(test, maps, scoring=scoring, names=names, threshold=record)
    place = f"{names['method']}/fraction-{names['percent']}/seed-{names['seed']}/{cohort}-{sequence}"
    threshold, folder = results / f"threshold/{place}.json", results / f"evaluate/{place}"
    threshold.parent.mkdir(parents=True, exist_ok=True)
    threshold.write_text(json.dumps(record, indent=1))
    write_rows(folder / "metrics.csv", found.metrics, columns=METRIC_COLUMNS)
    write_rows(folder / "subjects.csv", found.subjects, columns=SUBJECT_COLUMNS)
    save_counts(folder / "counts.npz", found.counts, threshold=record["threshold"])
    np.savez(folder / "slices.npz", score=found.slices, abnormal=test.lesion_slices)
    return found, record["threshold"]


def run_piece(options: argparse.Namespace) -> None:
    """Train, score and evaluate the named models."""
    torch.set_num_threads(options.threads)
    config, results = read_config(options), options.output / "results"
    work = options.work or Path(tempfile.mkdtemp(prefix="rehearsal-"))
    study = config["study"]
    print("| step | seconds |\n| :-- | --: |")
    with timed("brains and splits"):
        make_data(config, work, options.template)
    cohorts = config["ingest"]["cohorts"]
    for name in options.models:
        shares = study["fractions_percent"] if name in study["models"] else [100]
        shares = [share for share in shares if share in (options.shares or shares)]
        for job in (Run(name, share, seed) for share in shares for seed in study["seeds"]):
            title, network = f"{name}, {job.fraction_percent} %, seed {job.seed}", None
            if not list_methods(config)[name].is_baseline:
                with timed(f"{title}: training"):
                    network = train(config, work, results / "train" / job.folder, job)
            for dataset in list_datasets(job, study=study, cohorts=cohorts):
                cohort, _, sequence = dataset.rpartition("-")
                names = {"method": name, "percent": str(job.fraction_percent), "seed": str(job.seed)}
                names |= {"cohort": cohort, "sequence": sequence}
                with timed(f"{title}: {cohort} {sequence}"):
                    evaluate(config, work, results, names, network)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\n{device_name(choose_device(config['train']['device']))}, peak {peak:.1f} GB of memory", end="")
    print(
        f", {torch.cuda.max_memory_allocated() / 1e9:.1f} GB of it on the GPU"
        if torch.cuda.is_available()
        else ""
    )


def main() -> None:
    """Make the template or a piece."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    template = commands.add_parser("template", help="save the template for machines without nilearn")
    template.add_argument("output", type=Path)
    template.set_defaults(run=write_template)
    piece = commands.add_parser("piece", help="train and evaluate some models")
    piece.add_argument("output", type=Path)
    piece.add_argument("--template", type=Path, required=True)
    piece.add_argument("--models", nargs="+", required=True, help="entries of models")
    piece.add_argument("--config", nargs="+", type=Path, default=[ROOT / "config/rehearsal.yaml"])
    piece.add_argument("--shares", nargs="+", type=int, help="fractions of the healthy subjects, in percent")
    piece.add_argument("--work", type=Path, help="folder that keeps the brains for the next piece")
    piece.add_argument("--subjects", type=int, help="number of healthy subjects")
    piece.add_argument("--maximum-steps", type=int)
    piece.add_argument("--threads", type=int, default=1, help="CPU threads; the rules use 1")
    piece.set_defaults(run=run_piece)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options.run(options)


def write_template(options: argparse.Namespace) -> None:
    """Save the template."""
    maker = importlib.import_module("spatial_erasing_phantoms.mni152")
    save_template(maker.load_template(3.0), options.output)


if __name__ == "__main__":
    main()
