"""What a window on a GPU measures, as units in order of priority; benchmarks/on_gpu.py runs them."""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path

import yaml

import apply
import check_gpu
import choices
import evaluate
import rehearsal
import train
import train_peers
from measurements import Unit
from spatial_erasing import run
from spatial_erasing.cohorts import read_rows
from spatial_erasing.evaluate.bootstrap import IntervalRule, Sizes, draw_weights
from spatial_erasing.evaluate.metrics import TABLE_METRICS, metrics_of_counts
from spatial_erasing.evaluate.resamples import resample_dataset
from spatial_erasing.jobs.provenance import code_version
from spatial_erasing.models import Run
from spatial_erasing.score.maps import RECONSTRUCTION, stored_as
from spatial_erasing.train.device import choose_device, prepare_process
from spatial_erasing.train.settings import ComputeSettings
from spatial_erasing.train.start import make_network

ROOT = rehearsal.ROOT
MODELS = ("3d-none", "3d-cube-noise", "2d-none", "2d-patch-noise")
CHOICES = ("norm", "kl_weight", "preset", "noise_from")
CHOICE_STEPS = {"2d": 20000, "3d": 6000}
TINY_STUDY = {
    "phantom": {
        "minimum_lesion_ml": 20.0,
        "cohorts": {name: {"kind": name, "subjects": 5} for name in ("healthy", "brats", "atlas")},
    },
    "preprocess": {"grid_voxels": [16, 16, 16]},
    "split": {
        "sizes": {
            "healthy": {"training": 0.6, "validation": 0.4},
            "brats": {"validation": 2, "test": 3},
            "atlas": {"validation": 2, "test": 3},
        }
    },
    "networks": {"vae": {"feature_maps": [4, 8], "latent_size": {"2d": 8, "3d": 16}}},
    "train": {
        "device": "cpu",
        "erasing": {"maximum_slices": 8},
        "optimisation": {"batch_size": 2, "maximum_steps": 2, "validate_every_steps": 1},
    },
    "evaluate": {"bootstrap_samples": 20, "intervals": {"minimum_subjects": 3}},
}
PIECES = {
    "check": "Correctness: a distance is the norm of the difference over the norm",
    "step": "Rate of a training step, preset a or b, batch 32 at 64³",
    "peers": "Training loops; those of other libraries may use TF32 and the fastest kernels",
    "rehearsal": "Models of the study at full size on synthetic brains, one seed, until early stopping",
    "real": "Real brains at 64³, one seed",
    "choices": "Open choices, on synthetic validation brains",
    "scoring": "Scoring, evaluation, and one new scan",
}
TINY_UNITS = {
    *(
        "check/3d-cube-noise/bfloat16",
        "check/2d-patch-noise/processes",
        "step/2d/a/float32",
        "step/2d/together",
    ),
    *("peers/2d", "rehearsal/3d-cube-noise", "real/2d-none", "choices/noise_from/brain/2d-patch-noise"),
    *("scoring/3d", "scoring/metrics", "scoring/apply"),
}
Found = Iterator[tuple[str, str]]


class LackingError(Exception):
    """A unit needs something that this machine lacks."""


def check(options: argparse.Namespace, checks: Callable[[], Iterator[check_gpu.Check]]) -> Found:
    """Results of checks; a failed check is a result as well."""
    for what, how, good in checks(check_gpu.Size(**options.size)):
        yield what, how if good else f"**failed**: {how}"


def step(options: argparse.Namespace, dims: int, preset: str, precision: str) -> Found:
    """Rate of a training step, beside the ceilings."""
    computing = ComputeSettings(precision, compile=options.device != "cpu")
    prepare_process(computing)
    found = train.measure(options, dims, preset, computing)
    yield train.mode(options, computing), described(found)


def together(options: argparse.Namespace, dims: int, trainings: int) -> Found:
    """Summed rate of several trainings at once."""
    computing = ComputeSettings("bfloat16", compile=options.device != "cpu")
    yield f"{trainings} at once", described(train.measure_together(options, dims, trainings, computing))


def peers(options: argparse.Namespace, dims: int) -> Found:
    """Rates of other training loops."""
    for name, rate in train_peers.measure(options, dims):
        yield name, "not installed" if rate is None else f"items/s {rate:,.1f}"


def study_of(options: argparse.Namespace, *overlays: str, steps: object = None) -> dict:
    """The config of a study."""
    asked = argparse.Namespace(config=[ROOT / name for name in overlays], subjects=None, maximum_steps=steps)
    config = rehearsal.read_config(asked)
    return rehearsal.merged(config, TINY_STUDY) if options.tiny else config


def synthetic(options: argparse.Namespace, *, steps: object = None) -> tuple[dict, Path]:
    """The config of the rehearsal, and the folder of its brains, which are made where they are missing."""
    config, work = study_of(options, "config/rehearsal.yaml", steps=steps), options.work / "brains"
    template = options.template or options.work / "template.npz"
    if not template.exists():
        rehearsal.write_template(argparse.Namespace(output=template))
    rehearsal.make_data(config, work, template)
    return config, work


def train_and_evaluate(
    config: Mapping, work: Path, folder: Path, model: str, cohorts: tuple[str, ...]
) -> Found:
    """When a training stops, and its metrics on test subjects with their intervals."""
    began = time.perf_counter()
    # the time may end within the training, and the next call continue on the same machine
    kept = run.Kept(folder, code_version(), folder, lambda _: lambda _row: None)
    network = rehearsal.train(config, work, folder, Run(model, 100, 1), kept=kept)
    rows, seconds = read_rows(folder / "history.csv"), time.perf_counter() - began
    best = min(rows, key=lambda row: float(row["validation_l1"]))
    best = {
        key: f"{float(best[key]):.4g}" for key in ("step", "validation_l1", "validation_kl", "active_units")
    }
    found = {"last step": rows[-1]["step"], "s with compilation": f"{seconds:.0f}"}
    yield "training", described(found | {f"best {key}": cell for key, cell in best.items()})
    rule, samples = IntervalRule(**config["evaluate"]["intervals"]), config["evaluate"]["bootstrap_samples"]
    for cohort in cohorts:
        began = time.perf_counter()
        names = {"method": model, "percent": "100", "seed": "1", "cohort": cohort, "sequence": "t1"}
        result, threshold = rehearsal.evaluate(config, work, folder / "results", names, network)
        weights = draw_weights(len(result.counts), samples=samples, seed=1)
        sizes = tuple(config["evaluate"]["lesion_size_percentiles"])
        resampled = resample_dataset(result.counts, weights, threshold=threshold, size_percentiles=sizes)
        for metric in TABLE_METRICS:
            values, subjects = resampled[metric]
            lower, upper = rule.interval(values, sizes=Sizes([subjects]))
            yield f"{cohort}, {metric}, %", f"{100 * values[0]:.1f} ({100 * lower:.1f} to {100 * upper:.1f})"
        yield f"{cohort}, seconds with resampling", f"{time.perf_counter() - began:.1f}"


def rehearse(options: argparse.Namespace, model: str) -> Found:
    """A model of Table 1 on synthetic brains, at the paper's size, until early stopping."""
    config, work = synthetic(options)
    folder = options.work / "rehearsal" / model
    yield from train_and_evaluate(config, work, folder, model, ("brats", "atlas"))


def real(options: argparse.Namespace, model: str) -> Found:
    """A model on real brains."""
    folder = options.work / "real" / model
    if options.tiny:
        config, work = synthetic(options)
        yield from train_and_evaluate(config, work, folder, model, ("brats",))
        return
    if options.real is None:
        raise LackingError("real brains, --real FOLDER")
    config, base = study_of(options, "config/real.yaml"), study_of(options)
    config |= {key: base[key] for key in ("networks", "score")}  # those of 64³
    config["train"] |= {"device": options.device, "erasing": base["train"]["erasing"]}
    yield from train_and_evaluate(config, options.real, folder, model, ("gliomas",))


def choose(options: argparse.Namespace, question: str, value: str, model: str) -> Found:
    """One value of an open choice, on validation subjects."""
    config, work = synthetic(options, steps=CHOICE_STEPS)
    changed = rehearsal.merged(config, choices.QUESTIONS[question][value])
    found = {name: f"{float(cell):.4g}" for name, cell in choices.answer(changed, work, model, 1).items()}
    yield f"seed 1, at most {CHOICE_STEPS[model[:2]]} steps", described(found)


def score(options: argparse.Namespace, dims: int) -> Found:
    """Seconds to reconstruct test volumes, and for each score that reads the network."""
    device = choose_device(options.device, trainings_per_gpu=64)
    prepare_process(ComputeSettings())
    values, grid = train.NETWORK | train.PRESETS["a"], (options.grid,) * 3
    network = make_network(dims, grid, values=values, seed=1, device=device).eval()
    scans, healthy = (train.make_volumes(count, options.grid) for count in (options.test_volumes, 2))
    entries = yaml.safe_load((ROOT / "config.yaml").read_text())["scores"]
    ways = {"reconstructions": None}
    ways |= {name: entry for name, entry in entries.items() if stored_as(entry) != RECONSTRUCTION}
    for name, entry in ways.items():
        run.reconstruct_scans(network, train.make_volumes(1, options.grid), healthy, score=entry)  # warm up
        arguments = {"score": entry, "batch_size": 64}
        seconds, _ = evaluate.timed(run.reconstruct_scans, network, scans, healthy, **arguments)
        yield f"{name} of {len(scans.subjects)} volumes", f"{seconds:.2f} s"


def count(options: argparse.Namespace) -> Found:
    """Seconds from stored reconstructions to metrics with intervals, with all cores."""
    volumes, cores = options.test_volumes, os.cpu_count() or 1
    grid = max(32, options.grid)  # on a coarser one nothing is left of the brains after the erosion
    wall, (counts, _) = evaluate.timed(evaluate.evaluate_ours, volumes, grid=grid, workers=cores)
    search, threshold = evaluate.timed(evaluate.search_threshold, counts)
    of_subjects = map(counts.of, range(len(counts)))
    metrics, _ = evaluate.timed(metrics_of_counts, of_subjects, threshold=threshold)
    weights = draw_weights(len(counts), samples=20 if options.tiny else 2000, seed=1)
    arguments = {"threshold": threshold, "size_percentiles": (33.3, 66.7)}
    resampling, _ = evaluate.timed(resample_dataset, counts, weights, **arguments)
    found = {"maps and counts, volumes made as well": wall, "threshold": search, "metrics": metrics}
    found |= {"resamples": resampling}
    cells = {what: f"{seconds:.2f} s" for what, seconds in found.items()}
    yield f"{volumes} volumes, {cores} processes", described(cells)


def apply_one(options: argparse.Namespace) -> Found:
    """Seconds of the command for one new scan, with the example model."""
    import nibabel  # noqa: PLC0415 - not on every machine

    from spatial_erasing.apply.bundle import open_bundle  # noqa: PLC0415 - these read images as well
    from spatial_erasing.apply.example import example_scan  # noqa: PLC0415
    from spatial_erasing.apply.one_scan import Model  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        scan = Path(folder, "scan.nii.gz")
        nibabel.save(example_scan(Model(open_bundle(), device="cpu").settings), scan)
        found = apply.measure(scan, ["--stripped", "--device", options.device])
    yield "the example scan, stripped", described({key: f"{value:.2f}" for key, value in found.items()})


def described(found: Mapping[str, object]) -> str:
    """Names and numbers as one line."""
    return "; ".join(f"{name} {value}" for name, value in found.items())


def list_units(options: argparse.Namespace) -> list[Unit]:
    """All units, in order of priority."""

    def unit(
        name: str, seconds: int, measure: Callable, *arguments: object, rule: str = "train_model"
    ) -> Unit:
        return Unit(
            PIECES[name.partition("/")[0]], name, seconds, partial(measure, options, *arguments), rule
        )

    def check_unit(name: str, seconds: int, function: Callable, *arguments: object) -> Unit:
        return unit(f"check/{name}", seconds, check, partial(function, *arguments))

    checks = [
        check_unit(f"{model}/{precision}", 90, check_gpu.check_precision, model, precision)
        for model, precision in product(("3d-cube-noise", "2d-patch-noise"), ("bfloat16", "float32"))
    ]
    checks += [
        check_unit(f"{model}/processes", 150, check_gpu.check_processes, model)
        for model in ("3d-cube-noise", "2d-patch-noise")
    ]
    if options.device != "cpu":
        checks.append(check_unit("3d-cube-noise/memory", 30, check_gpu.check_memory, "3d-cube-noise"))
    steps = [
        unit(f"step/{dims}d/{preset}/{precision}", 90, step, dims, preset, precision)
        for preset, precision, dims in (
            *product("a", ("bfloat16",), (3, 2)),
            *product("a", ("float32",), (3, 2)),
            *product("b", ("bfloat16",), (3, 2)),
        )
    ]
    steps.append(unit("step/2d/together", 120, together, 2, 1 if options.tiny else 4))
    loops = [unit(f"peers/{dims}d", 120, peers, dims) for dims in (3, 2)]
    studies = [unit(f"rehearsal/{model}", 300, rehearse, model) for model in MODELS]
    studies += [unit(f"real/{model}", 150, real, model) for model in MODELS]
    asked = [
        unit(f"choices/{question}/{value}/{model}", 180, choose, question, value, model)
        for model in ("3d-cube-noise", "2d-patch-noise")
        for question in CHOICES
        for value in choices.QUESTIONS[question]
    ]
    scores = [unit(f"scoring/{dims}d", 40, score, dims, rule="reconstruct_scans") for dims in (3, 2)] + [
        unit("scoring/metrics", 60, count, rule="evaluate_dataset"),
        unit("scoring/apply", 30, apply_one, rule="reconstruct_scans"),
    ]
    units = [*checks, *steps, *loops, *studies, *asked, *scores]
    return [unit for unit in units if unit.name in TINY_UNITS] if options.tiny else units
