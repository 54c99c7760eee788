"""Comparison of ways to standardise, without a test subject.

    SPATIAL_ERASING_DATA=DATA python benchmarks/standardise.py --work FOLDER [--ways median] [--seeds 1 2 3]

On the brains of config/real.yaml, three answers for every way, and for registration and augmentation on top
of the default ways:

    scale      largest distance between the quantile curves of two healthy brains, and of any two brains
    left out   mean |scan - reconstruction| in the eroded brain, on a data set that the training did not see,
               divided by the same on healthy validation subjects of the scanners that it saw
    lesions    AUPRC in percent on the *validation* subjects of gliomas (T1 and T1ce) and of planted strokes

and, for each way, how far the rest of a healthy brain moves when a dark lesion of 200 ml is planted. Test
subjects are neither scored nor looked at. Trainings are shorter (`MAXIMUM_STEPS`) than those of
config/real.yaml, so that three seeds take three hours on two cores. Each training adds its rows to
FOLDER/rows.csv, and the same command goes on from there.
"""

import argparse
import logging
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import yaml

from lesion_drag import drag
from rehearsal import ROOT, merged, stored, train
from spatial_erasing.cohorts import Split, members, read_rows, read_split, write_rows
from spatial_erasing.evaluate.counts import count_dataset
from spatial_erasing.evaluate.curves import average_precision
from spatial_erasing.models import Run, list_methods
from spatial_erasing.preprocess.quality import largest_distance, quantile_curves
from spatial_erasing.preprocess.stack import StackSettings, stack_cohort
from spatial_erasing.preprocess.standardise.landmarks import learn_landmarks
from spatial_erasing.preprocess.standardise.ways import Standard
from spatial_erasing.score.maps import score_maps
from spatial_erasing.score.postprocess import erode_in_plane
from spatial_erasing.train.settings import AugmentationSettings

logger = logging.getLogger(__name__)

MAXIMUM_STEPS = {"2d": 3000, "3d": 800}
MODELS = ("2d-none", "3d-none", "3d-cube-noise")
LEFT_OUT_MODELS = ("2d-none", "3d-none")
BASELINE = "baseline-mean-healthy"
COHORTS = {"healthy": ("t1",), "planted": ("t1",), "gliomas": ("t1", "t1ce")}
LESION = ("planted", "gliomas")
# Data sets left out of a training, by their scanners; ds002748, the largest, has all validation subjects.
LEFT_OUT = {
    "ds000011": ("ds000011",),
    "three single scans": ("aomic-piop2", "fnndsc", "studyforrest"),
}


@dataclass(frozen=True)
class Trial:
    """One row of the tables.

    Args:
        t1: the way of T1.
        t1ce: the way of T1 with contrast agent.
        augmentation: what differs from `train.augmentation` with everything off.
        register: `preprocess.register`.
    """

    t1: str
    t1ce: str
    augmentation: Mapping[str, object] = field(default_factory=dict)
    register: str = "none"

    @property
    def ways(self) -> dict[str, str]:
        """Sequence to way."""
        return {"t1": self.t1, "t1ce": self.t1ce}

    @property
    def training(self) -> tuple[object, ...]:
        """Trials that share it have the same trained networks: these see T1 alone."""
        return self.t1, self.register, tuple(self.augmentation.items())

    def run(self, folder: Path) -> Path:
        """The folder in which the workflow prepares its brains and splits."""
        return folder / f"run-{self.register}"

    def volumes(self, folder: Path, without: str = "") -> Path:
        """The folder of its volumes, shared by all trials with the same brains and ways."""
        return folder / "volumes" / "-".join((self.register, self.t1, self.t1ce)) / (without or "all")


MOVED = {"mirror": True, "rotation_degrees": 5.0, "scale": 0.06, "shift_percent": 3.0}
DEFAULT = ("median", "two_quantiles")
WAYS = {
    "range": Trial("range", "range"),
    "median": Trial("median", "median"),
    "T1 median, T1ce two_quantiles": Trial(*DEFAULT),
    "landmarks": Trial("landmarks", "landmarks"),
    "white_matter": Trial("white_matter", "white_matter"),
    "range, contrast 1.1": Trial("range", "range", {"contrast": 1.1}),
    "T1 median, T1ce two_quantiles, contrast 0.35": Trial(*DEFAULT, {"contrast": 0.35}),
    "moved": Trial(*DEFAULT, MOVED),
    "registered": Trial(*DEFAULT, register="affine"),
    "registered, moved": Trial(*DEFAULT, MOVED, register="affine"),
    "registered, moved, contrast 0.35": Trial(*DEFAULT, MOVED | {"contrast": 0.35}, register="affine"),
}
NOTHING = asdict(AugmentationSettings())  # all off by default
Key = tuple[str, str, str, int]  # way, data set left out, model, seed
COLUMNS = ("way", "without", "model", "seed", "data", "number", "value")


def read_study() -> dict:
    """config.yaml with config/real.yaml."""
    config: dict = {}
    for path in (ROOT / "config.yaml", ROOT / "config/real.yaml"):
        config = merged(config, yaml.safe_load(path.read_text()))
    return config


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


def stack(work: Path, run: Path, config: Mapping, ways: Mapping[str, str], without: tuple[str, ...]) -> None:
    """Write standardised volumes and splits of all cohorts as the input files of training."""
    if (work / "done").exists():
        return
    settings = StackSettings(
        standard=standard_of(ways, run, config, without=without),
        padded_grid_voxels=tuple(config["preprocess"]["padded_grid_voxels"]),
        grid_voxels=tuple(config["preprocess"]["grid_voxels"]),
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
                [row | {"split": "validation"} for row in splits if row["scanner"] in without],
                columns=splits[0],
            )
            splits = [row for row in splits if row["scanner"] not in without]
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


def answer(folder: Path, config: Mapping, keys: list[Key]) -> list[dict[str, object]]:
    """The rows of one training, for each trial that shares it."""
    torch.set_num_threads(1)
    name, without, model, seed = keys[0]
    optimisation = {"maximum_steps": MAXIMUM_STEPS, "patience_steps": max(MAXIMUM_STEPS.values())}
    values = {"augmentation": NOTHING | WAYS[name].augmentation, "optimisation": optimisation}
    config, network = merged(config, {"train": values}), None
    if model != BASELINE:
        history = folder / "histories" / "-".join(map(str, keys[0]))
        network = train(config, WAYS[name].volumes(folder, without), history, Run(model, 100, seed))
    return [row for key in keys for row in scored(folder, config, key, network)]


def scored(folder: Path, config: Mapping, key: Key, network: object) -> list[dict[str, object]]:
    """The rows of one trial and its trained network."""
    name, without, model, _ = key
    work = WAYS[name].volumes(folder, without)
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


def ask(folder: Path, config: Mapping, keys: Iterable[Key], cores: int) -> list[dict[str, str]]:
    """All rows; finished trainings are read, the others are run, several at a time."""
    table = folder / "rows.csv"
    rows = read_rows(table) if table.exists() else []
    done = {(row["way"], row["without"], row["model"], int(row["seed"])) for row in rows}
    waiting: dict[tuple, list[Key]] = {}
    for key in keys:
        if key not in done:
            waiting.setdefault((WAYS[key[0]].training, *key[1:]), []).append(key)
    for name, without in sorted({key[:2] for shared in waiting.values() for key in shared}):
        left_out = LEFT_OUT.get(without, ())
        trial = WAYS[name]
        stack(trial.volumes(folder, without), trial.run(folder), config, trial.ways, left_out)
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        failed: list[list[Key]] = []
        futures = {pool.submit(answer, folder, config, shared): shared for shared in waiting.values()}
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


def questions(names: list[str], seeds: list[int]) -> Iterator[Key]:
    """Every trial, in order of priority: the first seed with its left-out data sets, then the other seeds."""
    first, *others = seeds
    yield from ((name, "", BASELINE, 1) for name in names)
    yield from ((name, "", model, first) for model in MODELS for name in names)
    yield from (
        (name, without, model, first) for model in LEFT_OUT_MODELS for without in LEFT_OUT for name in names
    )
    yield from ((name, "", model, seed) for seed in others for model in MODELS for name in names)


def curves(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Quantile curves of the brains of each cohort on the networks' grid, T1."""
    found = {}
    for cohort in COHORTS:
        with np.load(WAYS[name].volumes(folder) / cohort / "volumes.npz") as arrays:
            found[cohort] = quantile_curves(arrays["t1"], arrays["brain"])
    return found


def dragged(folder: Path, config: Mapping, name: str) -> list[float]:
    """Intensity change of the rest of each healthy validation brain by 200 ml of lesion."""
    run = WAYS[name].run(folder)
    standard = standard_of(WAYS[name].ways, run, config, without=())
    percentiles = {key: config["preprocess"][key] for key in ("lower_percentile", "upper_percentile")}
    splits = read_rows(run / "results/split/healthy.csv")
    validation = members(splits, split="validation", fraction_percent=100)
    rows = [row for row in prepared_rows(run, "healthy") if ("healthy", row["subject"]) in validation]
    return [drag(Path(row["folder"]), standard, percentiles=percentiles) for row in rows]


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


def scale_row(folder: Path, config: Mapping, name: str) -> list[str]:
    """The distance of two brains, and the effect of a lesion on the rest of its brain."""
    found = curves(folder, name)
    distances = largest_distance(found["healthy"]), largest_distance(np.concatenate(list(found.values())))
    moved = mean_and_range(dragged(folder, config, name), 3)
    return [name, *(f"{distance:.2f}" for distance in distances), moved]


def print_tables(folder: Path, config: Mapping, rows: list[dict[str, str]], names: list[str]) -> None:
    """The three answers as Markdown."""
    values = defaultdict(list)
    for row in rows:
        values[row["way"], row["without"], row["model"], row["data"]].append(float(row["value"]))

    def ratios(name: str, without: str, model: str) -> str:
        pairs = zip(
            values[name, without, model, "left out"], values[name, without, model, "healthy"], strict=True
        )
        return mean_and_range([left_out / seen for left_out, seen in pairs], 2)

    titles = {name: method.title for name, method in list_methods(config).items()}
    ways = {(WAYS[name].t1, WAYS[name].register): name for name in reversed(names)}.values()  # first of each
    columns = ["way", "quantile curves, healthy", "all", "200 ml of lesion move the rest by"]
    table(columns, (scale_row(folder, config, way) for way in ways), words=1)
    rows_of_ratios = [
        [name, titles[model], *(ratios(name, without, model) for without in LEFT_OUT)]
        for name in names
        for model in LEFT_OUT_MODELS
    ]
    table(["way", "model", *(f"without {name}" for name in LEFT_OUT)], rows_of_ratios, words=2)
    data = [f"{cohort}-{sequence}" for cohort in LESION for sequence in COHORTS[cohort]]
    rows_of_auprc = [
        [name, titles[model], *(mean_and_range(values[name, "", model, place], 1) for place in data)]
        for name in names
        for model in (*MODELS, BASELINE)
    ]
    table(["way", "model", *data], rows_of_auprc, words=2)


def main() -> None:
    """Run the trainings and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="brains, volumes and rows; kept")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--tables", action="store_true", help="print finished results without training")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    config, folder = read_study(), options.work.resolve()
    for trial in {(trial := WAYS[name]).register: trial for name in options.ways}.values():
        prepare(trial.run(folder), config, trial.register, options.cores)
    keys = [] if options.tables else list(questions(options.ways, options.seeds))
    rows = ask(folder, config, keys, options.cores)
    print_tables(folder, config, rows, options.ways)


if __name__ == "__main__":
    main()
