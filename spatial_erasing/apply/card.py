"""The model card of a bundle, with the front matter that Hugging Face reads."""

from collections.abc import Mapping, Sequence
from typing import Any

LICENSE = (
    "The weights and numbers in this file are licensed under the Apache License, Version 2.0:\n"
    "http://www.apache.org/licenses/LICENSE-2.0\n\n"
    "They are provided as they are, without warranty of any kind, for research. This is no medical device.\n"
)
LIMITS = """\
- Research only. This is no medical device, and no decision about a patient may rest on it.
- The model marks what is unlike the healthy brains that it has learned from. That may be a lesion, another
  scanner, another age, an artefact, or a normal variant; and a lesion may look healthy to it.
- A percentile says which share of healthy brain voxels has a lower score. It is no probability of a lesion.
- Its grid is coarse: what is smaller than a few of its voxels is not seen.
- Warnings name scans that are unlike those of the training. Where one says stop, do not read the map.
"""


def write_card(metadata: Mapping[str, Any]) -> str:
    """The text of README.md in a bundle.

    Args:
        metadata: content of metadata.json.
    """
    population, thresholds = metadata["population"], metadata["thresholds"]
    cohorts = next(iter(thresholds.values()))
    low, high = population["brain_ml"]
    return "\n".join(
        [
            "---",
            "license: apache-2.0",
            "library_name: spatial-erasing",
            "tags: [medical, mri, brain, anomaly-detection, unsupervised]",
            "pipeline_tag: image-segmentation",
            "---",
            f"# {metadata['title']}",
            "",
            f"{metadata['description']} Version {metadata['version']}.",
            "",
            "## Trained on",
            f"{population['training']} healthy training and {population['validation']} healthy validation "
            f"scans ({len(population['scanners'])} scanners or sources; brains of {low} to {high} ml).",
            "",
            "## Threshold",
            f"Found on {cohorts['scans']} validation scans of {', '.join(cohorts['cohorts'])}: "
            + ", ".join(f"{name} {found['threshold']:.4g}" for name, found in thresholds.items())
            + ".",
            "",
            "## How well it does",
            "On test scans, on which nothing was chosen. Chance: the share of lesion voxels.",
            "",
            *_table(metadata["eval_metrics"]),
            "",
            *_intervals(metadata["intervals"]),
            "## Limits",
            LIMITS,
        ]
    )


def _table(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """One row a test set, of the whole ensemble."""
    titles = ("test set", "scans", "AUPRC", "chance", "Dice", "lesions found", "false positives a scan")
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for row in metrics:
        cells = (
            row["cohort"],
            row["scans"],
            _cell(row["average_precision"]),
            _cell(row["prevalence"]),
            _cell(row["dice_dataset"]),
            f"{row['lesions_found']} of {row['lesions']}",
            f"{row['false_positives_a_scan']:.1f}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _intervals(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The study's own intervals of the AUPRC, which are about single networks."""
    lines = [
        f"- {row['model']}, {row['cohort']}: {_cell(row['value'])} "
        f"[{_cell(row['lower'])}, {_cell(row['upper'])}], {row['subjects']} scans, {row['seeds']} trainings"
        for row in rows
        if row["metric"] == "average_precision"
    ]
    head = "AUPRC of a single network, mean of the trainings, with its interval (none: too few scans):"
    return [head, "", *lines, ""] if lines else []


def _cell(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
