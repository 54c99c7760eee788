"""The provenance of a run as a page to read: code, inputs, config, packages, and what it has cost."""

from collections import Counter
from collections.abc import Mapping, Sequence

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
        packages=[entity for name, entity in entities.items() if name.startswith("#package-")],
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
    )


def _as_list(value: object) -> list:
    """JSON-LD writes a list of one as its item."""
    return value if isinstance(value, list) else [] if value is None else [value]
