"""Short trainings on real brains under varied settings, judged on validation subjects alone.

The brains are those of config/real.yaml. Test subjects are neither scored nor looked at. Each training adds
its rows to FOLDER/rows.csv, and a later call goes on from there; one call at a time.
"""

import argparse
import logging
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from rehearsal import ROOT, merged, overlaid, stored, train
from spatial_erasing.cohorts import Split, members, read_rows, read_split, write_rows
from spatial_erasing.evaluate.counts import count_dataset
from spatial_erasing.evaluate.curves import average_precision
from spatial_erasing.models import Run, list_methods
from spatial_erasing.preprocess.stack import StackSettings, stack_cohort
from spatial_erasing.preprocess.standardise.landmarks import learn_landmarks
from spatial_erasing.preprocess.standardise.ways import Standard
from spatial_erasing.score.maps import score_maps
from spatial_erasing.score.postprocess import erode_in_plane
from spatial_erasing.train.settings import AugmentationSettings

logger = logging.getLogger(__name__)

MAXIMUM_STEPS = {"2d": 3000, "3d": 800}
BASELINE = "baseline-mean-healthy"
COHORTS = {"healthy": ("t1",), "planted": ("t1",), "gliomas": ("t1", "t1ce")}
LESION = ("planted", "gliomas")
# Data sets left out of a training, by their scanners; ds002748, the largest, has all validation subjects.
LEFT_OUT = {
    "ds000011": ("ds000011",),
    "three single scans": ("aomic-piop2", "fnndsc", "studyforrest"),
}
NOTHING = asdict(AugmentationSettings())  # all off by default
COLUMNS = ("trial", "without", "model", "seed", "data", "number", "value")
Key = tuple[str, str, str, int]  # trial, data set left out, model, seed


@dataclass(frozen=True)
class Trial:
    """What a training differs in."""

    t1: str  # way to standardise T1
    t1ce: str  # way to standardise T1 with contrast agent
    changes: Mapping[str, Mapping] = field(default_factory=dict)  # of config.yaml with all augmentation off
    register: str = "none"  # `preprocess.register`
    fraction_percent: int = 100  # of the training subjects
    grid_voxels: int = 32  # along each axis; the padded grid stays

    @property
    def ways(self) -> dict[str, str]:
        """Sequence to way."""
        return {"t1": self.t1, "t1ce": self.t1ce}

    @property
    def training(self) -> tuple[object, ...]:
        """Trials that share it have the same trained networks: these see T1 alone."""
        return self.t1, self.register, str(self.changes), self.fraction_percent, self.grid_voxels

    def run(self, folder: Path) -> Path:
        """The folder in which the workflow prepares its brains and splits."""
        return folder / f"run-{self.register}"

    def volumes(self, folder: Path, without: str = "") -> Path:
        """The folder of its volumes, shared by all trials with the same brains and ways."""
        words = (self.register, self.t1, self.t1ce, str(self.grid_voxels))
        return folder / "volumes" / "-".join(words) / (without or "all")


Trials = Mapping[str, Trial]
Rows = list[dict[str, str]]


def augmented(**values: object) -> dict:
    """Changes of `train.augmentation` as those of a trial."""
    return {"train": {"augmentation": values}}


def read_study() -> dict:
    """config.yaml with config/real.yaml."""
    return overlaid([ROOT / "config/real.yaml"])


def add_options(parser: argparse.ArgumentParser, trials: Trials) -> None:
    """Add the options that the commands share."""
    parser.add_argument("--work", type=Path, required=True, help="brains, volumes and rows; kept")
    parser.add_argument("--trials", nargs="+", default=list(trials), choices=list(trials))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--tables", action="store_true", help="print finished results without training")


def answers(options: argparse.Namespace, config: Mapping, trials: Trials, keys: Iterable[Key]) -> Rows:
    """The rows of all trainings so far; without `--tables` after the missing ones have run."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    work = options.work.resolve()
    if options.tables:
        return ask(work, config, trials, [], options.cores)
    for trial in {trials[name].register: trials[name] for name in options.trials}.values():
        prepare(trial.run(work), config, trial.register, options.cores)
    return ask(work, config, trials, keys, options.cores)


def prepare(run: Path, config: Mapping, register: str, cores: int) -> None:
    """Prepare brains and splits by the workflow; finished work is kept."""
    wanted = [f"results/split/{group}.csv" for group in COHORTS]
    for cohort in COHORTS:
        batches = config["ingest"]["cohorts"][cohort]["batches"]
        wanted += [f"results/preprocess/{cohort}/batch-{batch:03d}.csv" for batch in range(batches)]
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--quiet", "rules"]
    command += ["--directory", str(run), "--configfile", str(ROOT / "config/real.yaml")]
    # the last configuration wins, and this one has a single value
    command += ["--config", f"preprocess={{register: {register}}}", "--", *wanted]
    subprocess.run(command, cwd=ROOT, check=True)


def prepared_rows(run: Path, cohort: str) -> list[dict[str, str]]:
    """Manifest rows of all brains except those of a test split."""
    splits = read_rows(run / f"results/split/{cohort}.csv")
    seen = {
        subject
        for name in ("training", "validation")
        for _, subject in members(splits, split=name, fraction_percent=100)
    }
    paths = sorted((run / f"results/preprocess/{cohort}").glob("batch-*.csv"))
    rows = [
        row for path in paths for row in read_rows(path) if row["status"] == "done" and row["subject"] in seen
    ]
    return [row | {"folder": str(run / row["folder"])} for row in rows]


def standard_of(ways: Mapping[str, str], run: Path, config: Mapping, *, without: tuple[str, ...]) -> Standard:
    """The targets of these ways; landmarks are learned on the training subjects of the other scanners."""
    standard, targets = config["preprocess"]["standard"], {}
    for sequence, way in ways.items():
        if way == "landmarks":
            folders = training_folders(run, without=without)
            targets[sequence] = learn_landmarks(folders, sequence="t1", **standard["landmarks"])
        elif way != "range":
            targets[sequence] = standard[way][sequence]
    return Standard(ways, targets)


def training_folders(run: Path, *, without: tuple[str, ...]) -> list[Path]:
    """The prepared brains of the healthy training subjects, except those of some scanners."""
    training = members(read_rows(run / "results/split/healthy.csv"), split="training", fraction_percent=100)
    return [
        Path(row["folder"])
        for row in prepared_rows(run, "healthy")
        if ("healthy", row["subject"]) in training and row["scanner"] not in without
    ]


def stack(folder: Path, config: Mapping, trial: Trial, without: str) -> None:
    """Write standardised volumes and splits of all cohorts as the input files of training."""
    work, run, left_out = trial.volumes(folder, without), trial.run(folder), LEFT_OUT.get(without, ())
    if (work / "done").exists():
        return
    settings = StackSettings(
        standard=standard_of(trial.ways, run, config, without=left_out),
        padded_grid_voxels=tuple(config["preprocess"]["padded_grid_voxels"]),
        grid_voxels=(trial.grid_voxels,) * 3,
        lesion_downsampling=config["preprocess"]["lesion_downsampling"],
    )
    for cohort, sequences in COHORTS.items():
        arrays, _ = stack_cohort(prepared_rows(run, cohort), sequences=sequences, settings=settings, cores=1)
        (work / cohort).mkdir(parents=True, exist_ok=True)
        np.savez(work / cohort / "volumes.npz", **arrays)
        splits = read_rows(run / f"results/split/{cohort}.csv")
        if cohort == "healthy":
            write_rows(
                work / "left_out.csv",
                [row | {"split": "validation"} for row in splits if row["scanner"] in left_out],
                columns=splits[0],
            )
            splits = [row for row in splits if row["scanner"] not in left_out]
        write_rows(work / f"{cohort}.csv", splits, columns=splits[0])
    (work / "done").touch()


def residual(config: Mapping, work: Path, scans: Split, model: str, network: object) -> float:
    """Mean |scan - reconstruction| over the eroded brains of healthy subjects."""
    output, _ = stored(config, work, scans, list_methods(config)[model], network)
    brain = erode_in_plane(scans.brain, config["score"]["erosion_iterations"])
    return float(np.abs(scans.scans.astype(np.float32) - output.astype(np.float32))[brain].mean())


def auprc(config: Mapping, work: Path, model: str, network: object, cohort: str, sequence: str) -> float:
    """AUPRC in percent over the validation subjects of a cohort."""
    scans = read_split(
        [work / cohort / "volumes.npz"], work / f"{cohort}.csv", split="validation", sequence=sequence
    )
    maps, scoring = stored(config, work, scans, list_methods(config)[model], network)
    counts = count_dataset(score_maps(scans, maps, scoring), scans.lesion)
    return 100 * average_precision(counts)


def answer(folder: Path, config: Mapping, trials: Trials, keys: list[Key]) -> list[dict[str, object]]:
    """The rows of one training, for each trial that shares it."""
    torch.set_num_threads(1)
    name, without, model, seed = keys[0]
    trial, network = trials[name], None
    optimisation = {"maximum_steps": MAXIMUM_STEPS, "patience_steps": max(MAXIMUM_STEPS.values())}
    short = merged(config, {"train": {"augmentation": NOTHING, "optimisation": optimisation}})
    if model != BASELINE:
        history = folder / "histories" / "-".join(map(str, keys[0]))
        job = Run(model, trial.fraction_percent, seed)
        network = train(merged(short, trial.changes), trial.volumes(folder, without), history, job)
    return [row for key in keys for row in scored(folder, config, trials[key[0]], key, network)]


def scored(folder: Path, config: Mapping, trial: Trial, key: Key, network: object) -> list[dict[str, object]]:
    """The rows of one trial and its trained network."""
    _, without, model, _ = key
    work = trial.volumes(folder, without)
    choice = {"split": "validation", "sequence": config["study"]["sequence"]}
    healthy = read_split([work / "healthy/volumes.npz"], work / "healthy.csv", **choice)
    found = {("healthy", "residual"): residual(config, work, healthy, model, network)}
    if without:
        left_out = read_split([work / "healthy/volumes.npz"], work / "left_out.csv", **choice)
        found["left out", "residual"] = residual(config, work, left_out, model, network)
    else:
        for cohort in LESION:
            for sequence in COHORTS[cohort]:
                found[f"{cohort}-{sequence}", "auprc"] = auprc(config, work, model, network, cohort, sequence)
    names = dict(zip(COLUMNS, key, strict=False))
    return [
        names | {"data": data, "number": number, "value": value} for (data, number), value in found.items()
    ]


def ask(folder: Path, config: Mapping, trials: Trials, keys: Iterable[Key], cores: int) -> Rows:
    """All rows; finished trainings are read, the others are run, several at a time."""
    table = folder / "rows.csv"
    rows = read_rows(table) if table.exists() else []
    done = {(row["trial"], row["without"], row["model"], int(row["seed"])) for row in rows}
    waiting: dict[tuple, list[Key]] = {}
    for key in keys:
        if key not in done:
            waiting.setdefault((trials[key[0]].training, *key[1:]), []).append(key)
    for name, without in sorted({key[:2] for shared in waiting.values() for key in shared}):
        stack(folder, config, trials[name], without)
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        failed: list[list[Key]] = []
        futures = {pool.submit(answer, folder, config, trials, shared): shared for shared in waiting.values()}
        for number, future in enumerate(as_completed(futures), start=1):
            if error := future.exception():  # the other trainings keep their rows
                logger.error("%s failed: %s", futures[future], error)
                failed.append(futures[future])
                continue
            rows += [{name: str(cell) for name, cell in row.items()} for row in future.result()]
            write_rows(table, rows, columns=COLUMNS)
            logger.info("%d of %d: %s", number, len(waiting), futures[future])
    if failed:
        sys.exit(
            f"{len(failed)} of {len(waiting)} trainings failed, see above. The same command repeats them."
        )
    return rows


def mean_and_range(values: list[float], digits: int) -> str:
    """Such as 25.1 (24.5 to 26.0); one number without its range."""
    if not values:
        return "–"
    text = f"{np.mean(values):.{digits}f}"
    return text + (f" ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else "")


def table(titles: list[str], rows: Iterable[list[str]], *, words: int) -> None:
    """Print a table, with left-aligned text in the first columns and numbers in the others."""
    print(f"\n| {' | '.join(titles)} |")
    print(f"| {' | '.join([':--'] * words + ['--:'] * (len(titles) - words))} |")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
