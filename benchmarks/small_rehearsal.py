"""The claims of the paper on the brains of config/small_rehearsal.yaml, in pieces for two cores.

    python benchmarks/small_rehearsal.py list
    python benchmarks/small_rehearsal.py run 3d-none [--seeds 1 2] --work FOLDER
    python benchmarks/small_rehearsal.py page

A piece is a model with its seeds. Baselines come first, then the four models of `study.models` with five
seeds each, the same four with three seeds on 10, 20 and 60 % of the healthy training subjects (as
`3d-none-10-percent`), the paper's ten other models and the networks that are not in the paper with three
seeds each. A model that is trained on all subjects is evaluated by every score that the study names for it.
`run` takes pieces by name, or all in this order; a piece should take at most two hours, and --seeds
shortens it. Two trainings run at a time, one thread each, until patience ends them. After a kill the same
command continues: a finished training has its rows in docs/small_rehearsal/, an unfinished one resumes from
its checkpoint in --work, which also keeps the brains. Rows are histories, metrics and counts, to be
committed; weights are not kept, so a score that the study names later needs its trainings again. `page`
writes docs/small_rehearsal.md from the existing rows, and names the missing pieces.
"""

import argparse
import logging
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from rehearsal import ROOT, evaluate, make_data, overlaid, train, write_template
from small_rehearsal_page import write_page
from spatial_erasing.cohorts import read_rows
from spatial_erasing.evaluate.counts import SubjectCounts, first_pattern, load_counts, save_counts
from spatial_erasing.jobs.parallel import map_in_processes
from spatial_erasing.jobs.provenance import rule_fingerprint
from spatial_erasing.jobs.results import open_arrays
from spatial_erasing.models import Method, Run, list_datasets, list_methods, model_and_score
from spatial_erasing.registry import ERASINGS, FILLS, NETWORKS
from spatial_erasing.run import Kept
from trials import mean_and_range

CONFIGS = [ROOT / "config/rehearsal.yaml", ROOT / "config/small_rehearsal.yaml"]
ROWS, PAGE = ROOT / "docs/small_rehearsal", ROOT / "docs/small_rehearsal.md"
SEEDS_OF_OTHERS = 3
COARSE_BITS = 5  # of a float16: 32 levels between a score and its double


def pieces(config: Mapping) -> dict[str, list[Run]]:
    """Every piece with its trainings, in order; baselines have no training and one seed."""
    study = config["study"]
    seeds, models = study["seeds"], study["models"]
    listed = {name: [Run(name, 100, seeds[0])] for name in study["baselines"]}
    listed |= {name: [Run(name, 100, seed) for seed in seeds] for name in models}
    few = seeds[:SEEDS_OF_OTHERS]
    for percent in (percent for percent in study["fractions_percent"] if percent < 100):
        listed |= {f"{name}-{percent}-percent": [Run(name, percent, seed) for seed in few] for name in models}
    named = [model_and_score(name)[0] for name in study["table_1_models"]]
    networks = [name for name, entry in config["models"].items() if "network" in entry]
    for name in (*named, *networks):
        listed.setdefault(name, [Run(name, 100, seed) for seed in few])
    return listed


def is_done(job: Run, rows: Path) -> bool:
    """Whether the rows of a training and of its evaluation exist."""
    return (rows / job.folder).is_dir()


def coarser(path: Path) -> None:
    """Merge the scores of a file into fewer levels; no score crosses the threshold.

    Dice stays exact. An AUPRC falls by about half a percentage point in all resamples, which `shift_to_exact`
    corrects. The file shrinks to a tenth.
    """
    counts, threshold = load_counts(path)
    first = first_pattern(threshold)
    pattern = counts.pattern >> COARSE_BITS << COARSE_BITS
    pattern = np.where(counts.pattern >= first, np.maximum(pattern, first), pattern)
    places = counts.owner.astype(np.int64) << 16 | pattern
    levels, group = np.unique(places, return_inverse=True)
    lesion, normal = (
        np.bincount(group, voxels).astype(np.uint32) for voxels in (counts.lesion, counts.normal)
    )
    owner, pattern = (levels >> 16).astype(np.int32), (levels & 0xFFFF).astype(np.uint16)
    save_counts(path, SubjectCounts(counts.subjects, owner, pattern, lesion, normal), threshold=threshold)


def code_of(method: Method, config: Mapping) -> str:
    """Fingerprint of the code that trains a model, its network, erasing and fill included."""
    kinds = [NETWORKS.file(config["networks"][method.network]["kind"]), ERASINGS.file(method.erase)]
    kinds += [FILLS.file(method.fill)] if method.fill != "none" else []
    return rule_fingerprint("train_model", kinds=tuple(kinds))


def run_training(job: Run, *, config: Mapping, work: Path, rows: Path) -> str:
    """Train or resume, and evaluate by the scores that the study names; all rows are written at once."""
    checkpoints, results = work / "checkpoints" / job.folder, work / "results" / job.folder
    methods, network = list_methods(config), None
    if not methods[job.method].is_baseline:
        code = code_of(methods[job.method], config)
        kept = Kept(checkpoints, code, checkpoints, lambda _: lambda _row: None)
        network = train(config, work, results, job, kept=kept)
    is_whole = job.fraction_percent == 100  # a fraction is compared by the paper's score alone
    names = [name for name, method in methods.items() if method.model == job.method]
    for name in names if is_whole else [job.method]:
        scored = replace(job, method=name)
        for dataset in list_datasets(scored, study=config["study"], cohorts=config["ingest"]["cohorts"]):
            cohort, _, sequence = dataset.rpartition("-")
            run = {"method": name, "percent": str(job.fraction_percent), "seed": str(job.seed)}
            evaluate(config, work, results, run | {"cohort": cohort, "sequence": sequence}, network)
            folder = results / "evaluate" / scored.folder / dataset
            coarser(folder / "counts.npz")
            with open_arrays(folder / "slices.npz") as arrays:
                slices = dict(arrays)
            np.savez_compressed(folder / "slices.npz", **slices)
    shutil.rmtree(results / "threshold")  # counts.npz has the threshold
    target = rows / job.folder
    copied = target.with_name(f".{target.name}")
    shutil.copytree(results, copied, dirs_exist_ok=True)
    copied.rename(target)
    shutil.rmtree(results)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return job.folder


def run_pieces(options: argparse.Namespace) -> None:
    """Run the trainings without rows, of the named pieces or of all."""
    config = overlaid(options.config)
    listed, work = pieces(config), options.work
    unknown = sorted(set(options.pieces) - set(listed))
    if unknown:
        raise SystemExit(f"no piece is called {', '.join(unknown)}. The pieces: {', '.join(listed)}")
    jobs = [job for name in options.pieces or listed for job in listed[name]]
    wanted = options.seeds or config["study"]["seeds"]
    jobs = [job for job in jobs if job.seed in wanted and not is_done(job, options.rows)]
    template = work / "template.npz"
    work.mkdir(parents=True, exist_ok=True)
    if not template.exists():
        write_template(argparse.Namespace(output=template))
    make_data(config, work, template)
    task = partial(run_training, config=config, work=work, rows=options.rows)
    for done, folder in enumerate(map_in_processes(task, jobs, workers=options.workers), 1):
        print(f"{folder} is done, {done} of {len(jobs)}", flush=True)


def list_pieces(options: argparse.Namespace) -> None:
    """Print every piece, its seeds with rows, and the steps and minutes of their trainings, as Markdown."""
    config = overlaid(options.config)
    print("| piece | seeds with rows | steps | minutes a training |\n| :-- | --: | --: | --: |")
    for name, jobs in pieces(config).items():
        paths = [options.rows / job.folder / "history.csv" for job in jobs if is_done(job, options.rows)]
        last = [read_rows(path)[-1] for path in paths if path.exists()]  # a baseline has no history
        steps = mean_and_range([float(row["step"]) for row in last], 0)
        minutes = mean_and_range([float(row["seconds"]) / 60 for row in last], 1)
        print(f"| `{name}` | {len(paths)} of {len(jobs)} | {steps} | {minutes} |")


def make_page(options: argparse.Namespace) -> None:
    """Judge the claims on the existing rows, and write the page."""
    config = overlaid(options.config)
    done = {
        name: (sum(is_done(job, options.rows) for job in jobs), len(jobs))
        for name, jobs in pieces(config).items()
    }
    write_page(options.page, config, options.rows, done=done, workers=options.workers)


def main() -> None:
    """List, run or report pieces."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", nargs="+", type=Path, default=CONFIGS, help="overlays of config.yaml")
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("list", help="name the pieces").set_defaults(run=list_pieces)
    piece = commands.add_parser("run", help="train and evaluate seeds without rows")
    piece.add_argument("pieces", nargs="*", help="by default all, in their order")
    piece.add_argument("--seeds", nargs="+", type=int, help="by default all of the piece")
    piece.add_argument("--work", type=Path, required=True, help="keeps the brains and the checkpoints")
    piece.set_defaults(run=run_pieces)
    page = commands.add_parser("page", help="judge the claims on the existing rows")
    page.add_argument("--page", type=Path, default=PAGE)
    page.set_defaults(run=make_page)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options.run(options)


if __name__ == "__main__":
    main()
