"""Open hyperparameters of the paper, compared on synthetic validation brains, never on test subjects.

    python benchmarks/choices.py norm --template rehearsal/template.npz [--work FOLDER] [--seeds 1 2 3]
    python benchmarks/choices.py kl_weight --template rehearsal/template.npz --output choices.csv

Rows are added to --output, so that a question may be asked in pieces and on different machines: with one of
--models, one of --seeds and some thousand --maximum-steps a piece takes minutes on a GPU. `norm` and
`patience` are judged by the l1 of healthy validation subjects; `kl_weight`, `preset` and `noise_from` by the
AUPRC of the *validation* subjects of the lesion cohorts, as healthy l1 alone always prefers no KL at all,
which is a plain autoencoder. Beside both stand KL and active units: a posterior that has collapsed has none.
Prints a row a value and model, mean and range over the seeds. On a CPU: --config config/rehearsal.yaml
config/small_rehearsal.yaml, which is coarser and far smaller.
"""

import argparse
import logging
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from rehearsal import ROOT, make_data, merged, read_config, stored, train
from spatial_erasing.cohorts import read_rows, read_split, write_rows
from spatial_erasing.evaluate.counts import count_dataset
from spatial_erasing.evaluate.curves import average_precision
from spatial_erasing.models import Run, list_methods
from spatial_erasing.score.maps import score_maps
from train import PRESETS

QUESTIONS = {
    "norm": {norm: {"networks": {"vae": {"norm": norm}}} for norm in ("none", "batch", "group")},
    "patience": {"as config.yaml": {}},
    "kl_weight": {f"{weight:g}": {"networks": {"vae": {"kl_weight": weight}}} for weight in (0, 0.1, 1, 4)},
    "preset": {name: {"networks": {"vae": dict(values)}} for name, values in PRESETS.items()},
    "noise_from": {source: {"train": {"erasing": {"noise_from": source}}} for source in ("image", "brain")},
}
PATIENCES = (500, 1000, 2500, 5000)  # steps
COLUMNS = ("question", "value", "model", "seed", "validation_l1", "best_step", "last_step", "kl")
COLUMNS = (*COLUMNS, "active_units", "brats_auprc_percent", "atlas_auprc_percent")


def answer(config: Mapping, work: Path, model: str, seed: int) -> dict[str, object]:
    """Results of one training: best validation loss, and AUPRC of lesions in validation subjects."""
    folder = work / "history"
    try:
        network = train(config, work, folder, Run(model, 100, seed))
    except FloatingPointError as error:
        logging.getLogger(__name__).warning("%s", error)
        return {"validation_l1": float("nan")}
    history = read_rows(folder / "history.csv")
    best = min(history, key=lambda row: float(row["validation_l1"]))
    found = {"validation_l1": best["validation_l1"], "best_step": best["step"], "kl": best["validation_kl"]}
    found |= {"active_units": best["active_units"], "last_step": history[-1]["step"]}
    for cohort in config["study"]["lesion_cohorts"]:
        files, sequence = (
            ([work / cohort / "volumes.npz"], work / f"{cohort}.csv"),
            config["study"]["sequence"],
        )
        scans = read_split(*files, split="validation", sequence=sequence)
        maps, scoring = stored(config, work, scans, list_methods(config)[model], network)
        counts = count_dataset(score_maps(scans, maps, scoring), scans.lesion)
        found[f"{cohort}_auprc_percent"] = 100 * average_precision(counts)
    return found


def kept_by_patience(history: list[dict[str, str]], patience: int) -> tuple[float, int]:
    """The l1 and the last step of a training with this patience."""
    best, best_step = float("inf"), 0
    for row in history:
        step, l1 = int(row["step"]), float(row["validation_l1"])
        if l1 < best:
            best, best_step = l1, step
        if step - best_step >= patience:
            return best, step
    return best, int(history[-1]["step"])


def print_answers(rows: list[dict[str, str]]) -> None:
    """One row per value and model: mean and range over the seeds."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["question"], row["value"], row["model"]].append(row)
    numbers = (
        "validation_l1",
        "best_step",
        "kl",
        "active_units",
        "brats_auprc_percent",
        "atlas_auprc_percent",
    )
    print(f"| question | value | model | seeds | {' | '.join(name.replace('_', ' ') for name in numbers)} |")
    print("| :-- | :-- | :-- | --: |" + " --: |" * len(numbers))
    for key, group in groups.items():
        cells = []
        for name in numbers:
            values = [float(row[name]) for row in group if row.get(name) not in (None, "", "nan")]
            spread = f" ({min(values):.4g} to {max(values):.4g})" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.4g}{spread}" if values else "diverged")
        print(f"| {' | '.join(key)} | {len(group)} | {' | '.join(cells)} |")


def main() -> None:
    """Ask one question."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("choices.csv"))
    parser.add_argument("--models", nargs="+", default=["2d-patch-noise", "3d-cube-noise"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--config", nargs="+", type=Path, default=[ROOT / "config/rehearsal.yaml"])
    parser.add_argument("--work", type=Path, help="folder that keeps the brains for the next question")
    parser.add_argument("--subjects", type=int, help="number of healthy subjects")
    parser.add_argument("--maximum-steps", type=int)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    config, work = read_config(options), options.work or Path(tempfile.mkdtemp(prefix="choices-"))
    make_data(config, work, options.template)
    rows = read_rows(options.output) if options.output.exists() else []
    for value, changes in QUESTIONS[options.question].items():
        for model, seed in ((model, seed) for model in options.models for seed in options.seeds):
            found = answer(merged(config, changes), work, model, seed)
            names = {"question": options.question, "value": value, "model": model, "seed": seed}
            rows.append({key: str(cell) for key, cell in (names | found).items()})
            write_rows(options.output, rows, columns=COLUMNS)
            if options.question == "patience":
                for patience in PATIENCES:
                    l1, step = kept_by_patience(read_rows(work / "history/history.csv"), patience)
                    print(f"{model}, seed {seed}: patience {patience} keeps l1 {l1:.5f}, ends at step {step}")
    print_answers([row for row in rows if row["question"] == options.question])


if __name__ == "__main__":
    main()
