"""The provenance of a run as a page to read: code, inputs, config, packages, and what it has cost."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from spatial_erasing.report.cost import RuleCost
from spatial_erasing.report.templates import fill_template


def provenance_page(crate: Mapping, costs: Sequence[RuleCost], *, config: Mapping) -> str:
    """One HTML page.

    Args:
        crate: of `describe_run`.
        costs: of every rule.
        config: the whole config of the run.
    """
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
    """A Python with its packages that has made weights or arrays.

    Args:
        platform: its version of Python.
        packages: with their versions.
        rules: whose jobs it was.
    """

    platform: str
    packages: tuple[str, ...]
    rules: tuple[str, ...]


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
    """The packages of a program, with their versions."""
    required = (entities[package["@id"]] for package in _as_list(software.get("softwareRequirements")))
    return [f"{package['name']} {package['softwareVersion']}" for package in required]


def _as_list(value: object) -> list:
    """JSON-LD writes a list of one as its item."""
    return value if isinstance(value, list) else [] if value is None else [value]
