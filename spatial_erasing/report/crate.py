"""The provenance of a results folder: an RO-Crate with checksums, and a page to read with its cost.

Its profile is Process Run Crate (Leo et al. 2024, "Recording provenance of workflow runs with RO-Crate", PLoS
ONE 19(9): e0309210).
"""

import csv
import io
import json
import platform
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from spatial_erasing.ingest.files import sha256_of
from spatial_erasing.jobs.provenance import (
    ROOT,
    code_fingerprint,
    code_version,
    describe_maker,
    maker_of_arrays,
    makers_of_brains,
)
from spatial_erasing.report.templates import fill_template
from spatial_erasing.train.checkpoint import device_of_weights, maker_of_weights

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"


class Job(NamedTuple):
    """One finished job of the run."""

    rule: str  # its name
    inputs: tuple[str, ...]  # paths below the run's directory, or of files elsewhere
    outputs: tuple[str, ...]  # paths below the run's directory that are there
    log: str  # path of its log, which names it


def finished_jobs(summary: str, *, without: str) -> list[Job]:
    """The jobs behind all files that are there."""
    jobs: dict[tuple[str, str], Job] = {}
    for row in csv.DictReader(io.StringIO(summary), delimiter="\t"):
        if row["rule"] == without or not Path(row["output_file"]).is_file():
            continue
        log = row["log-file(s)"]
        if log == "-":  # copied from another run, so that Snakemake has no record of its job
            log = f"results/logs/{Path(row['output_file']).parent.relative_to('results')}"
        key = (row["rule"], log)
        earlier = jobs[key].outputs if key in jobs else ()
        inputs = tuple(filter(None, row["input-file(s)"].split(",")))
        jobs[key] = Job(row["rule"], inputs, (*earlier, row["output_file"]), log)
    return list(jobs.values())


def checksums_of(jobs: Sequence[Job]) -> dict[str, str]:
    """SHA-256 of every file that a job has made or read, sorted by path."""
    paths = {path for job in jobs for path in (*job.inputs, *job.outputs)}
    return {path: sha256_of(Path(path)) for path in sorted(paths) if Path(path).is_file()}


def checksum_lines(checksums: Mapping[str, str], folder: str) -> str:
    """What `sha256sum --check` reads inside the folder, for the files that lie there."""
    # raw data are not handed over with the results
    inside = {path: digest for path, digest in checksums.items() if Path(path).is_relative_to(folder)}
    return "".join(f"{digest}  {Path(path).relative_to(folder)}\n" for path, digest in inside.items())


def describe_run(
    jobs: Sequence[Job],
    checksums: Mapping[str, str],
    scans: Sequence[Mapping[str, str]],
    *,
    config: Path,
    title: str,
    folder: str,
) -> dict[str, object]:
    """The crate's metadata: inputs, code, packages, config and seeds, and how each result came about."""
    found = defaultdict(list)
    for row in scans:
        if row["status"] == "found":
            found[row["cohort"]].append(row)
    crate = ROCrate(version="1.2")
    crate.name = title
    crate.description = "Results of a run of spatial-erasing: from raw scans to tables and figures."
    crate.license = "Files derived from scans stay under the terms of their data sets."
    profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    crate.root_dataset["conformsTo"] = _add(crate, PROFILE, profile)
    files = {path: _add_file(crate, path, digest, folder) for path, digest in checksums.items()}
    workflow = _add_workflow(crate, _add_file(crate, str(config), sha256_of(config), folder))
    for cohort, listed in found.items():
        if listing := files.get(f"{folder}/ingest/{cohort}.csv"):
            listing["mentions"] = [_add_scan(crate, row) for row in listed]
    crate.root_dataset["mentions"] = [_add_job(crate, job, files, workflow) for job in jobs]
    return crate.metadata.generate()


def _add(crate: ROCrate, name: str, properties: Mapping[str, object]) -> ContextEntity:
    return crate.dereference(name) or crate.add(ContextEntity(crate, name, dict(properties)))


def _add_workflow(crate: ROCrate, config: ContextEntity) -> ContextEntity:
    """This software as it is now: its version, config, and the packages and machine that write the crate."""
    properties = _software("spatial-erasing", code_version()) | {
        "softwareRequirements": _add_packages(crate, json.loads(describe_maker(None))["packages"]),
        "runtimePlatform": f"Python {platform.python_version()}, {platform.platform()}",
        "supportingData": config,
    }
    return _add(crate, "#workflow", properties)


def _add_packages(crate: ROCrate, versions: Mapping[str, str]) -> list[ContextEntity]:
    return [
        _add(crate, f"#package-{name}-{version}", _software(name, version))
        for name, version in versions.items()
    ]


def _software(name: str, version: str) -> dict[str, object]:
    return {"@type": "SoftwareApplication", "name": name, "softwareVersion": version}


def _add_scan(crate: ROCrate, row: Mapping[str, str]) -> ContextEntity:
    """A raw scan, named by what it is and by its checksum; no path of the machine."""
    names = (row["cohort"], row["subject"], row["sequence"])
    properties = {"@type": "MediaObject", "name": " ".join(names), "sha256": row["sha256"]}
    return _add(crate, f"#scan-{'-'.join(names)}", properties)


def _add_file(crate: ROCrate, path: str, digest: str, folder: str) -> ContextEntity:
    """A file of the crate by its place in it; one from elsewhere by its name."""
    properties = {"sha256": digest, "contentSize": str(Path(path).stat().st_size)}
    if Path(path).is_relative_to(folder):
        return crate.add_file(dest_path=str(Path(path).relative_to(folder)), properties=properties)
    name = Path(path).name
    return _add(crate, f"#file-{digest[:12]}-{name}", {"@type": "MediaObject", "name": name, **properties})


def _add_job(
    crate: ROCrate, job: Job, files: Mapping[str, ContextEntity], workflow: ContextEntity
) -> ContextEntity:
    """What a job made of what, by which code, and when it ended."""
    ended = max(Path(path).stat().st_mtime for path in job.outputs)
    action = {
        "@type": "CreateAction",
        "name": f"{job.rule}: {Path(job.log).stem}",
        "instrument": _instruments(crate, job, workflow),
        "object": [files[path] for path in job.inputs if path in files],
        "result": [files[path] for path in job.outputs],
        "endTime": datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds"),
    }
    devices = sorted({device_of_weights(path) for path in job.outputs if path.endswith("weights.pt")})
    if devices:
        action["additionalProperty"] = [_add_device(crate, name) for name in devices]
    return _add(crate, f"#job-{Path(job.log).with_suffix('').relative_to('results/logs')}", action)


def _instruments(crate: ROCrate, job: Job, workflow: ContextEntity) -> ContextEntity | list[ContextEntity]:
    """The rule of a job, once for each code, Python, packages and device that its results name.

    Where they name none, with the code of today: Snakemake runs a job again when its code has changed.
    """
    makers = dict.fromkeys(maker for path in job.outputs for maker in _makers_of(path))
    found = [_instrument(crate, job.rule, maker, workflow) for maker in makers or [None]]
    return found[0] if len(found) == 1 else found


def _instrument(crate: ROCrate, rule: str, maker: str | None, workflow: ContextEntity) -> ContextEntity:
    """A rule with what a result of it names as its maker."""
    name = f"#rule-{rule}" + (f"-{sha256(maker.encode()).hexdigest()[:8]}" if maker else "")
    if found := crate.dereference(name):
        return found
    made_by = json.loads(maker) if maker else {}
    code = made_by.get("code") or code_fingerprint(ROOT / "workflow/scripts" / f"{rule}.py")
    properties = _software(rule, code) | {"isPartOf": workflow}
    if made_by:
        properties["runtimePlatform"] = f"Python {made_by['python']}"
        properties["softwareRequirements"] = _add_packages(crate, made_by["packages"])
    if made_by.get("device"):
        properties["additionalProperty"] = [_add_device(crate, made_by["device"])]
    return _add(crate, name, properties)


def _makers_of(path: str) -> list[str]:
    """What made a file of weights or arrays, or the brains of a batch, if they say so."""
    if Path(path).match("preprocess/*/batch-*.csv"):
        return makers_of_brains(path)
    readers = {".pt": maker_of_weights, ".npz": maker_of_arrays}
    reader = readers.get(Path(path).suffix)
    return list(filter(None, [reader(path)])) if reader else []


def _add_device(crate: ROCrate, name: str) -> ContextEntity:
    return _add(crate, f"#device-{name}", {"@type": "PropertyValue", "name": "device", "value": name})


class RuleCost(NamedTuple):
    """The cost of all jobs of a rule that ran last."""

    rule: str  # its name
    jobs: int  # how many
    wall_seconds: float  # of all jobs, as if one after the other
    processor_seconds: float  # of all cores and jobs
    peak_mb: float  # of the job that took most memory; shared pages count once


def provenance_page(crate: Mapping, costs: Sequence[RuleCost], *, config: Mapping) -> str:
    """The provenance as one HTML page: code, inputs, config, packages, and what the run has cost."""
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    scans = [entity for name, entity in entities.items() if name.startswith("#scan-")]
    rules = [entity for name, entity in entities.items() if name.startswith("#rule-")]
    jobs = [entity for entity in entities.values() if entity["@type"] == "CreateAction"]
    makers = defaultdict(set)  # (Python, packages) to the rules whose weights and arrays they have made
    for rule in rules:
        if "softwareRequirements" in rule:
            makers[rule["runtimePlatform"], tuple(_packages(rule, entities))].add(rule["name"])
    return fill_template(
        "provenance.html",
        workflow=entities["#workflow"],
        cohorts=Counter(scan["name"].split(" ")[0] for scan in scans),
        packages=_packages(entities["#workflow"], entities),
        makers=makers,
        rules=rules,
        jobs=len(jobs),
        devices=Counter(device for job in jobs for device in _devices(job, entities)),
        files=sum(len(_as_list(job["result"])) for job in jobs),
        last=max(job["endTime"] for job in jobs),
        config=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
        costs=costs,
        devices_of_rules=devices_of_rules(crate),
    )


def devices_of_rules(crate: Mapping) -> dict[str, list[str]]:
    """The devices that the results of each rule name."""
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    devices: dict[str, set[str]] = defaultdict(set)
    for name, rule in entities.items():
        if name.startswith("#rule-"):
            devices[rule["name"]] |= set(_devices(rule, entities))
    return {rule: sorted(names) for rule, names in devices.items() if names}


def _devices(entity: Mapping, entities: Mapping[str, Mapping]) -> list[str]:
    return [entities[device["@id"]]["value"] for device in _as_list(entity.get("additionalProperty"))]


def _packages(software: Mapping, entities: Mapping[str, Mapping]) -> list[str]:
    required = (entities[package["@id"]] for package in _as_list(software.get("softwareRequirements")))
    return [f"{package['name']} {package['softwareVersion']}" for package in required]


def _as_list(value: object) -> list:
    """JSON-LD writes a list of one as its item."""
    return value if isinstance(value, list) else [] if value is None else [value]


def read_costs(folder: str | Path) -> list[RuleCost]:
    """The cost of every rule, the longest first."""
    measured: dict[str, list[list[float]]] = defaultdict(list)
    for path in sorted(Path(folder).rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        with path.open(newline="") as stream:
            measured[rule] += [_numbers(row) for row in csv.DictReader(stream, delimiter="\t")]
    costs = []
    for rule, jobs in measured.items():
        wall, processor, memory = zip(*jobs, strict=True)
        costs.append(RuleCost(rule, len(jobs), sum(wall), sum(processor), max(memory)))
    return sorted(costs, key=lambda cost: -cost.wall_seconds)


def _numbers(row: Mapping[str, str]) -> list[float]:
    """Seconds, processor seconds and MB of a job; a value too short to be measured counts as 0."""
    memory = row["max_pss"] if row["max_pss"] != "NA" else row["max_rss"]
    return [0.0 if value in ("NA", "-") else float(value) for value in (row["s"], row["cpu_time"], memory)]
