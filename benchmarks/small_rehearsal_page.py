"""The page of the small rehearsal: the paper's claims judged on its rows, and a table of AUPRC."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from spatial_erasing.cohorts import read_rows, write_rows
from spatial_erasing.evaluate.bootstrap import IntervalRule
from spatial_erasing.evaluate.contrasts import Naming
from spatial_erasing.evaluate.resamples import (
    ALL_COHORTS,
    Quantity,
    Resampled,
    Resampling,
    interval_rows,
    resample_study,
)
from spatial_erasing.evaluate.trainings import interval_over_trainings
from spatial_erasing.evaluate.verdicts import (
    CLAIM_COLUMNS,
    COMPARISON_COLUMNS,
    judge_claims,
    read_subject_dice,
)
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.models import list_methods, methods_of_paper
from spatial_erasing.report.claims_page import claims_notes, printed_claims, write_claims


def write_page(
    path: Path, config: Mapping, rows: Path, *, done: Mapping[str, tuple[int, int]], workers: int
) -> None:
    """Judge the claims on the existing rows, and write the page with the names of missing pieces.

    Args:
        path: the page.
        config: of the small rehearsal.
        rows: folder of the rows.
        done: seeds with rows and all seeds, of every piece.
        workers: processes.
    """
    values, study = config["evaluate"], config["study"]
    percentiles = tuple(values["lesion_size_percentiles"])
    rule = IntervalRule(**values["intervals"])
    folders = [path.parent for path in sorted(rows.glob("*/*/*/evaluate/*/*/*/*/counts.npz"))]
    found = resample_study(
        folders,
        sequence=study["sequence"],
        resampling=Resampling(values["bootstrap_samples"], values["seed"], percentiles),
        workers=workers,
    )
    exact = auprc_of_seeds(folders)
    found = shift_to_exact(found, exact)
    naming = Naming(methods_of_paper(list_methods(config)), study["sequence"])
    subjects = [row for folder in folders for row in read_rows(folder / "subjects.csv")]
    comparisons, claims = judge_claims(
        found,
        read_subject_dice(subjects, size_percentiles=percentiles),
        naming=naming,
        cohorts={name: config["ingest"]["cohorts"][name]["sequences"] for name in study["lesion_cohorts"]},
        rule=rule,
        seed=values["seed"],
    )
    printed = printed_claims(
        as_text(claims, CLAIM_COLUMNS),
        as_text(comparisons, COMPARISON_COLUMNS),
        naming=naming,
        paper_cohorts={},
    )
    notes = claims_notes(
        samples=values["bootstrap_samples"], **values["intervals"], size_percentiles=percentiles
    )
    write_claims(printed, path, caption=study["title"], notes=notes)
    tables = (*gains(found, exact, rule, config), *numbers(found, exact, rule, config))
    write_text(path, "\n".join([*head(done), path.read_text(), *tables]) + "\n")


def auprc_of_seeds(folders: Iterable[Path]) -> dict[Quantity, list[float]]:
    """The exact AUPRC of every method, share of the training subjects and test set: one value a seed."""
    exact: dict[Quantity, list[float]] = {}
    for row in (row for folder in folders for row in read_rows(folder / "metrics.csv")):
        if row["metric"] == "average_precision":
            places = (row["cohort"], row["sequence"], row["metric"])
            quantity = Quantity(row["model"], int(row["fraction_percent"]), *places)
            exact.setdefault(quantity, []).append(float(row["value"]))
    return exact


def shift_to_exact(
    found: Mapping[Quantity, Resampled], exact: Mapping[Quantity, list[float]]
) -> dict[Quantity, Resampled]:
    """Shift resampled AUPRCs so that the AUPRCs of each test set and seed are the exact ones."""
    moved: dict[Quantity, list[list[float]]] = {}
    for quantity, values in exact.items():
        for place in (quantity, quantity._replace(cohort=ALL_COHORTS)):
            moved.setdefault(place, []).append(values)
    shifted = dict(found)
    for quantity in moved.keys() & found.keys():
        by_seed = np.mean(moved[quantity], axis=0)
        samples = found[quantity].samples + (by_seed.mean() - found[quantity].samples[0])
        shifted[quantity] = replace(found[quantity], samples=samples, by_seed=tuple(by_seed.tolist()))
    return shifted


def head(done: Mapping[str, tuple[int, int]]) -> list[str]:
    """The first lines of the page."""
    begun = [f"`{name}` ({seeds} of {of} seeds)" for name, (seeds, of) in done.items() if 0 < seeds < of]
    not_begun = [f"`{name}`" for name, (seeds, _) in done.items() if not seeds]
    return [
        "# Claims of the paper on synthetic brains at 32³",
        "",
        "Written by `python benchmarks/small_rehearsal.py page` from the rows in `docs/small_rehearsal/`; do "
        "not edit it. The brains are synthetic and coarse: these numbers say nothing about patients.",
        "",
        "`brats` are synthetic tumours, `atlas` synthetic strokes. A piece is one model on one share of the "
        "training subjects. [Rivals](rivals.md) explains the scores named after a comma.",
        "",
        f"**Pieces with some seeds only:** {', '.join(begun) or 'none'}. "
        f"**Missing pieces:** {', '.join(not_begun) or 'none'}.",
        "",
    ]


def gains(
    found: Mapping[Quantity, Resampled],
    exact: Mapping[Quantity, list[float]],
    rule: IntervalRule,
    config: Mapping,
) -> Iterator[str]:
    """AUPRC with erasing minus without, over test subjects and over trainings, as Markdown."""
    study, methods = config["study"], list_methods(config)
    cohorts = study["lesion_cohorts"]
    yield from ("## Erasing minus no erasing, AUPRC in percentage points", "")
    yield (
        f"With {rule.confidence_percent} % intervals of one kind of chance each. *Subjects*: other test "
        "subjects with these trainings (paired resamples). *Trainings*: all seeds on average, with these "
        "test subjects (Student's t of the seeds' differences)."
    )
    titles = (f"{cohort} | subjects | trainings" for cohort in cohorts)
    yield from ("", f"| networks | training subjects, % | seeds | {' | '.join(titles)} |")
    yield "| :-- | --: | --: |" + " --: |" * 3 * len(cohorts)
    plain = {methods[name].dims: name for name in study["models"] if methods[name].erase == "none"}
    erased = [name for name in study["models"] if name not in plain.values() and methods[name].dims in plain]
    for percent, name in product(sorted(study["fractions_percent"], reverse=True), erased):
        pair = (name, plain[methods[name].dims])
        places = [(percent, cohort, study["sequence"], "average_precision") for cohort in cohorts]
        quantities = [[Quantity(model, *place) for model in pair] for place in places]
        if all(quantity in exact for both in quantities for quantity in both):
            seeds = min(len(exact[quantity]) for quantity in quantities[0])
            cells = [cell for both in quantities for cell in gain(found, exact, *both, rule)]
            names = " − ".join(methods[model].title for model in pair)
            yield f"| {names} | {percent} | {seeds} | {' | '.join(cells)} |"
    yield ""


def gain(
    found: Mapping[Quantity, Resampled],
    exact: Mapping[Quantity, list[float]],
    first: Quantity,
    second: Quantity,
    rule: IntervalRule,
) -> Iterator[str]:
    """A difference in percentage points, with its intervals over test subjects and over trainings."""
    differences = found[first].samples - found[second].samples
    yield f"{100 * differences[0]:+.1f}"
    lower, upper = rule.interval(differences, sizes=found[first].sizes)
    yield f"[{100 * lower:+.1f}, {100 * upper:+.1f}]"
    weights = {first: 1.0, second: -1.0}
    lower, upper = interval_over_trainings(weights, exact, confidence_percent=rule.confidence_percent)
    yield f"[{100 * lower:+.1f}, {100 * upper:+.1f}]" if np.isfinite(lower) else "–"


def numbers(
    found: Mapping[Quantity, Resampled],
    exact: Mapping[Quantity, list[float]],
    rule: IntervalRule,
    config: Mapping,
) -> Iterator[str]:
    """AUPRC of every method and share of the training subjects, with seeds and interval, as Markdown."""
    sequence, cohorts = config["study"]["sequence"], config["study"]["lesion_cohorts"]
    metric, methods = "average_precision", list_methods(config)
    wanted = (sequence, metric)
    rows = [row for row in interval_rows(found, rule) if (row["sequence"], row["metric"]) == wanted]
    cells = {(row["model"], row["fraction_percent"], row["cohort"]): row for row in rows}
    yield from ("## AUPRC in percent", "")
    yield (
        f"Mean over seeds (lowest to highest seed) [{rule.confidence_percent} % interval over test subjects]."
    )
    yield from ("", f"| method | training subjects, % | seeds | {' | '.join(cohorts)} |")
    yield "| :-- | --: | --: |" + " --: |" * len(cohorts)
    named = {(name, percent) for name, percent, _ in cells}
    for name, percent in sorted(named, key=lambda key: (-key[1], [*methods].index(key[0]))):
        texts = []
        for cohort in cohorts:
            row = cells[name, percent, cohort]
            seeds = exact[Quantity(name, percent, cohort, sequence, metric)]
            spread = f" ({100 * min(seeds):.1f} to {100 * max(seeds):.1f})" if len(seeds) > 1 else ""
            interval = f"[{100 * row['lower']:.1f}, {100 * row['upper']:.1f}]"
            texts.append(f"{100 * row['value']:.1f}{spread} {interval}")
        yield f"| {methods[name].title} | {percent} | {len(seeds)} | {' | '.join(texts)} |"


def as_text(rows: list[dict], columns: Iterable[str]) -> list[dict[str, str]]:
    """Rows with the texts that a file would hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        write_rows(path, rows, columns=columns)
        return read_rows(path)
