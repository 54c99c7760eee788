"""The provenance of a run as a page to read: code, inputs, config, packages, and what it has cost."""

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from spatial_erasing.report.table_writers import markdown_table
from spatial_erasing.report.templates import fill_template


@dataclass(frozen=True)
class RuleCost:
    """The cost of all jobs of a rule that ran last."""

    rule: str  # its name
    jobs: int  # how many
    wall_seconds: float  # of all jobs, as if one after the other
    processor_seconds: float  # of all cores and jobs
    peak_mb: float  # of the job that took most memory; shared pages count once


def provenance_page(crate: Mapping, costs: Sequence[RuleCost], *, config: Mapping) -> str:
    """One HTML page."""
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    scans = [entity for name, entity in entities.items() if name.startswith("#scan-")]
    jobs = [entity for entity in entities.values() if entity["@type"] == "CreateAction"]
    return fill_template(
        "provenance.html",
        workflow=entities["#workflow"],
        cohorts=Counter(scan["name"].split(" ")[0] for scan in scans),
        packages=_packages(entities["#workflow"], entities),
        makers=_makers(entities),
        rules=[entity for name, entity in entities.items() if name.startswith("#rule-")],
        jobs=len(jobs),
        devices=Counter(
            entities[device["@id"]]["value"]
            for job in jobs
            for device in _as_list(job.get("additionalProperty"))
        ),
        files=sum(len(_as_list(job["result"])) for job in jobs),
        last=max(job["endTime"] for job in jobs),
        config=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
        costs=costs,
        devices_of_rules=devices_of_rules(crate),
    )


@dataclass(frozen=True)
class Maker:
    """A Python with its packages that has made weights or arrays."""

    platform: str  # its version of Python
    packages: tuple[str, ...]  # with their versions
    rules: tuple[str, ...]  # whose jobs it was


def devices_of_rules(crate: Mapping) -> dict[str, list[str]]:
    """The devices that the results of each rule name."""
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    devices: dict[str, set[str]] = defaultdict(set)
    for name, rule in entities.items():
        if name.startswith("#rule-"):
            named = _as_list(rule.get("additionalProperty"))
            devices[rule["name"]] |= {entities[device["@id"]]["value"] for device in named}
    return {rule: sorted(names) for rule, names in devices.items() if names}


def _makers(entities: Mapping[str, Mapping]) -> list[Maker]:
    """What has made weights and arrays, by the rules that it was at work for."""
    rules: dict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
    for name, rule in entities.items():
        if name.startswith("#rule-") and "softwareRequirements" in rule:
            rules[rule["runtimePlatform"], tuple(_packages(rule, entities))].add(rule["name"])
    return [Maker(*environment, tuple(sorted(names))) for environment, names in rules.items()]


def _packages(software: Mapping, entities: Mapping[str, Mapping]) -> list[str]:
    required = (entities[package["@id"]] for package in _as_list(software.get("softwareRequirements")))
    return [f"{package['name']} {package['softwareVersion']}" for package in required]


def _as_list(value: object) -> list:
    """JSON-LD writes a list of one as its item."""
    return value if isinstance(value, list) else [] if value is None else [value]


def read_costs(folder: str | Path) -> list[RuleCost]:
    """The cost of every rule, the longest first."""
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
    """The costs as a table in Markdown."""
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
