"""Further questions to short trainings on real brains, judged on validation subjects, never on test subjects.

    SPATIAL_ERASING_DATA=DATA python benchmarks/real_choices.py erasing --work FOLDER [--seeds 1 2 3]

`erasing`: does any setting that the paper leaves open make a network trained with erasing better than the
same network without? `networks`: the kinds of networks beside the VAE. Every row states the AUPRC in percent
of the validation subjects, with the paper's score, and its difference from the network without erasing of the
same dimensions and seed, as mean (lowest to highest) over the seeds. FOLDER may be the one of
`standardise.py`, whose trainings are then not repeated.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace

from spatial_erasing.models import list_methods
from standardise import DEFAULT, MOVED, WAYS
from trials import (
    Key,
    Rows,
    Trial,
    add_options,
    answers,
    augmented,
    mean_and_range,
    merged,
    read_study,
    table,
)

BASE = "registered, moved"  # as config/real.yaml
DATA = ("gliomas-t1", "gliomas-t1ce", "planted-t1")
ERASED = ("3d-cube-noise",)
PAIR = ("3d-none", *ERASED)


def varied(values: Mapping[str, Mapping], *, fraction_percent: int = 100) -> Trial:
    """The base trial with other values of `train`."""
    changes = merged(augmented(**MOVED), {"train": values})
    return Trial(*DEFAULT, changes, register="affine", fraction_percent=fraction_percent)


def erasing(**values: float | str) -> Trial:
    """The base trial with another erasing."""
    return varied({"erasing": values})


def optimised(**values: object) -> Trial:
    """The base trial with another optimisation."""
    return varied({"optimisation": values})


# a network without erasing does not change with the erasing, so that of the base trial is compared
ERASING = {
    BASE: (WAYS[BASE], ("2d-none", "2d-patch-noise", *PAIR, "3d-cube-zero", "3d-half-volume-noise")),
    "noise from the brain": (erasing(noise_from="brain"), ERASED),
    "every sample erased": (erasing(probability=1.0), ERASED),
    "1 to 5 % erased": (erasing(maximum_share=0.05), ERASED),
    "10 to 50 % erased": (erasing(minimum_share=0.1, maximum_share=0.5), ERASED),
    "half of the brains": (varied({}, fraction_percent=50), PAIR),
    "grid of 48³": (replace(WAYS[BASE], grid_voxels=48), PAIR),
    "batch of 32, 400 steps": (optimised(batch_size=32, maximum_steps={"2d": 1500, "3d": 400}), PAIR),
    "2,400 steps": (optimised(maximum_steps={"2d": 9000, "3d": 2400}), PAIR),
}
# whether other brains, scales or augmentation change the answer; `standardise.py` trains the same pairs
PREPARED = ("range", "landmarks", "T1 median, T1ce two_quantiles", "registered", "moved")
ERASING |= {name: (WAYS[name], PAIR) for name in (*PREPARED, "registered, moved, contrast 0.35")}
KINDS = ("denoising", "restoration", "spatial-vae")
NETWORKS = {
    BASE: (WAYS[BASE], ("2d-none", "3d-none", *(f"{dims}d-{kind}" for kind in KINDS for dims in (3, 2))))
}
QUESTIONS = {"erasing": ERASING, "networks": NETWORKS}


def trials_of(asked: Mapping[str, tuple]) -> dict[str, Trial]:
    """The trials of a question by their names."""
    return {name: trial for name, (trial, _) in asked.items()}


def questions(asked: Mapping[str, tuple], names: list[str], seeds: list[int]) -> Iterator[Key]:
    """The trainings of a question, all seeds of a trial before the next trial."""
    yield from ((name, "", model, seed) for name in names for seed in seeds for model in asked[name][1])


def found_in(rows: Rows) -> dict[tuple[str, str, str], dict[str, float]]:
    """Values of each trial, model and data set, by seed."""
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in rows:
        if not row["without"]:
            place = row["trial"], row["model"], row["data"]
            found.setdefault(place, {})[row["seed"]] = float(row["value"])
    return found


def table_rows(asked: Mapping[str, tuple], rows: Rows, titles: Mapping[str, str]) -> Iterator[list[str]]:
    """Cells of every trial and model: values, and differences from the network without erasing."""
    found = found_in(rows)
    for name, (_, models) in asked.items():
        for model in models:
            cells = []
            for data in DATA:
                values = found.get((name, model, data), {})
                plain = f"{model[:2]}-none"
                other = found.get((name if plain in models else BASE, plain, data), {})
                paired = [values[seed] - other[seed] for seed in values if seed in other and model != plain]
                cells += [mean_and_range(list(values.values()), 1), mean_and_range(paired, 1)]
            yield [name, titles[model], *cells]


def main() -> None:
    """Run the trainings of a question and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asking = parser.add_subparsers(dest="question", required=True)
    for question, trials_and_models in QUESTIONS.items():
        add_options(asking.add_parser(question), trials_of(trials_and_models))
    options, config = parser.parse_args(), read_study()
    asked = QUESTIONS[options.question]
    trials = trials_of(asked)
    rows = answers(options, config, trials, questions(asked, options.trials, options.seeds))
    titles = {name: method.title for name, method in list_methods(config).items()}
    columns = ["trial", "model", *(text for data in DATA for text in (data, "minus no erasing"))]
    table(columns, table_rows(asked, rows, titles), words=2)


if __name__ == "__main__":
    main()
