"""Comparison of ways to standardise, without a test subject.

    SPATIAL_ERASING_DATA=DATA python benchmarks/standardise.py --work FOLDER [--trials median] [--seeds 1 2 3]

On the brains of config/real.yaml, three answers for every way, and for registration and augmentation on top
of the default ways:

    scale      largest distance between the quantile curves of two healthy brains, and of any two brains
    left out   mean |scan - reconstruction| in the eroded brain, on a data set that the training did not see,
               divided by the same on healthy validation subjects of the scanners that it saw
    lesions    AUPRC in percent on the *validation* subjects of gliomas (T1 and T1ce) and of planted strokes

and, for each way, how far the rest of a healthy brain moves when a dark lesion of 200 ml is planted. Test
subjects are neither scored nor looked at. Trainings are shorter (`MAXIMUM_STEPS`) than those of
config/real.yaml, so that three seeds take three hours on two cores. Each training adds its rows to
FOLDER/rows.csv, and the same command goes on from there. `real_choices.py` asks further questions.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from lesion_drag import drag
from spatial_erasing.cohorts import members, read_rows
from spatial_erasing.models import list_methods
from spatial_erasing.preprocess.quality import largest_distance, quantile_curves
from trials import (
    BASELINE,
    COHORTS,
    LEFT_OUT,
    LESION,
    Key,
    Rows,
    Trial,
    add_options,
    answers,
    augmented,
    mean_and_range,
    prepared_rows,
    read_study,
    standard_of,
    table,
)

MODELS = ("2d-none", "3d-none", "3d-cube-noise")
LEFT_OUT_MODELS = ("2d-none", "3d-none")
MOVED = {"mirror": True, "rotation_degrees": 5.0, "scale": 0.06, "shift_percent": 3.0}
DEFAULT = ("median", "two_quantiles")
WAYS = {
    "range": Trial("range", "range"),
    "median": Trial("median", "median"),
    "T1 median, T1ce two_quantiles": Trial(*DEFAULT),
    "landmarks": Trial("landmarks", "landmarks"),
    "white_matter": Trial("white_matter", "white_matter"),
    "range, contrast 1.1": Trial("range", "range", augmented(contrast=1.1)),
    "T1 median, T1ce two_quantiles, contrast 0.35": Trial(*DEFAULT, augmented(contrast=0.35)),
    "moved": Trial(*DEFAULT, augmented(**MOVED)),
    "registered": Trial(*DEFAULT, register="affine"),
    "registered, moved": Trial(*DEFAULT, augmented(**MOVED), register="affine"),
    "registered, moved, contrast 0.35": Trial(*DEFAULT, augmented(**MOVED, contrast=0.35), register="affine"),
}


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


def scale_row(folder: Path, config: Mapping, name: str) -> list[str]:
    """The distance of two brains, and the effect of a lesion on the rest of its brain."""
    found = curves(folder, name)
    distances = largest_distance(found["healthy"]), largest_distance(np.concatenate(list(found.values())))
    moved = mean_and_range(dragged(folder, config, name), 3)
    return [name, *(f"{distance:.2f}" for distance in distances), moved]


def print_tables(folder: Path, config: Mapping, rows: Rows, names: list[str]) -> None:
    """The three answers as Markdown."""
    values = defaultdict(list)
    for row in rows:
        values[row["trial"], row["without"], row["model"], row["data"]].append(float(row["value"]))

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
    add_options(parser, WAYS)
    options, config = parser.parse_args(), read_study()
    rows = answers(options, config, WAYS, questions(options.trials, options.seeds))
    print_tables(options.work.resolve(), config, rows, options.trials)


if __name__ == "__main__":
    main()
