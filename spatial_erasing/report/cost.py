"""What a run has cost, rule by rule, from the benchmark files that Snakemake writes beside the logs."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spatial_erasing.report.table_writers import markdown_table


@dataclass(frozen=True)
class RuleCost:
    """The cost of all jobs of a rule that ran last.

    Args:
        rule: its name.
        jobs: how many.
        wall_seconds: of all jobs, as if one after the other.
        processor_seconds: of all cores and jobs.
        peak_mb: of the job that took most memory; shared pages count once.
    """

    rule: str
    jobs: int
    wall_seconds: float
    processor_seconds: float
    peak_mb: float


def read_costs(folder: str | Path) -> list[RuleCost]:
    """The cost of every rule, the longest first.

    Args:
        folder: with one TSV file a job, below a folder of the rule's name where a rule has several.
    """
    measured: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for path in sorted(Path(folder).rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        with path.open(newline="") as stream:
            measured[rule] += [_numbers(row) for row in csv.DictReader(stream, delimiter="\t")]
    costs = []
    for rule, jobs in measured.items():
        wall, processor, memory = zip(*jobs, strict=True)
        costs.append(RuleCost(rule, len(jobs), sum(wall), sum(processor), max(memory)))
    return sorted(costs, key=lambda cost: -cost.wall_seconds)


def cost_markdown(costs: Sequence[RuleCost], devices: Mapping[str, Sequence[str]]) -> str:
    """The costs as a table in Markdown.

    Args:
        costs: of the rules.
        devices: of the rules whose results name one.
    """
    titles = ["rule", "jobs", "wall s, all jobs", "CPU s, all jobs", "peak MB of a job", "device"]
    numbers = [(cost.jobs, cost.wall_seconds, cost.processor_seconds, cost.peak_mb) for cost in costs]
    rows = [
        [cost.rule, *(f"{number:.0f}" for number in row), ", ".join(devices.get(cost.rule, ()))]
        for cost, row in zip(costs, numbers, strict=True)
    ]
    return markdown_table(titles, rows) + "\n"


def _numbers(row: dict[str, str]) -> tuple[float, ...]:
    """Seconds, processor seconds and MB of a job; what was too short to be measured counts as 0."""
    memory = row["max_pss"] if row["max_pss"] != "NA" else row["max_rss"]
    values = (row["s"], row["cpu_time"], memory)
    return tuple(0.0 if value in ("NA", "-") else float(value) for value in values)
