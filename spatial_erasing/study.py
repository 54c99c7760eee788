"""Checks that refuse an impossible study: its config files as written, their values, and its paths."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from spatial_erasing.config_values import CHECKS, number_findings, size_findings
from spatial_erasing.entries import entry_findings, with_kinds
from spatial_erasing.ingest.source import download_of, kept_list
from spatial_erasing.ingest.table import did_you_mean
from spatial_erasing.jobs.faults import refuse
from spatial_erasing.models import trained_entries
from spatial_erasing.paths import expand_path, path_in_run, require_part_of_disk
from spatial_erasing.registry import ERASINGS

if TYPE_CHECKING:
    from jsonschema import ValidationError


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check_config_files(paths: Iterable[str | Path]) -> None:
    """Refuse config files with duplicate keys or keys that are not text, or that are not UTF-8 or not YAML.

    Snakemake reads the same files, but YAML silently takes the second of two equal keys, and reads a key such
    as `1` or `null` as a number or as nothing.
    """
    files = [path for path in map(Path, paths) if path.is_file()]  # Snakemake reports missing files
    refuse(
        "the config has errors",
        (f"{path}{finding}" for path in files for finding in _file_findings(path)),
        advice="Correct the file and run the same command again. Every key is explained in config.yaml.",
    )


def _file_findings(path: Path) -> Iterator[str]:
    """The errors in one file, each beginning with its line."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        yield (
            f", line {line}: the byte {content[error.start]:#04x} is not UTF-8. Save the file as UTF-8, for "
            f"example: iconv -f latin1 -t utf-8 {path.name} > utf8.yaml"
        )
        return
    sections: list[list[str]] = []  # the keys of each section of a JSON file
    try:
        # like Snakemake, which reads a file as JSON if possible
        json.loads(text, object_pairs_hook=lambda pairs: sections.append([key for key, _ in pairs]))
    except ValueError:
        yield from _yaml_findings(text)
    for keys in sections:
        for place, key in enumerate(keys):
            if key in keys[:place]:
                yield f": the key {key} is duplicated in its section; keep one"


def _yaml_findings(text: str) -> Iterator[str]:
    """Syntax errors, duplicate keys, and keys that are not text."""
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        yield f"{place}: this is not YAML: {problem}. Look for tabs, and at quotes, colons and spaces there"
        return
    seen: set[int] = set()  # aliases refer to nodes visited before
    waiting = [(root, "")]
    while waiting:
        node, place = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield from _key_findings(node, place)
            waiting += [(value, f"{place}{key.value}.") for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(value, place) for value in node.value]


def _key_findings(node: yaml.MappingNode, place: str) -> Iterator[str]:
    """Keys of one section that are duplicated or not text."""
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            yield f", line {line}: found a list or a section, expected the name of a key"
            continue
        name = f"{place}{key.value}"
        if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
            kind = key.tag.rpartition(":")[2]
            yield (
                f", line {line}: the key {name} is read as {kind}; expected a name. Correct it, or write "
                f'"{key.value}" in quotes'
            )
        if name in lines:
            yield (
                f", line {line}: the key {name} is already in line {lines[name]}, whose value YAML would "
                "drop. Merge both"
            )
        lines.setdefault(name, line)


def check_schema(config: Mapping, schema: Mapping) -> None:
    """Refuse a config that violates the schema."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - a bare GPU machine may lack it

    errors = Draft202012Validator(with_kinds(schema, config)).iter_errors(dict(config))
    findings = [_explain(error) for error in sorted(errors, key=lambda e: list(map(str, e.path)))]
    findings += number_findings(config)
    refuse(
        "config.yaml (or an overlay given with --configfile) cannot be used",
        findings,
        advice="Correct it and run the same command again. Every key is explained in config.yaml.",
    )


def _explain(error: "ValidationError") -> str:
    """One line per finding of the schema: key, value found, allowed values."""
    place = ".".join(map(str, error.path)) or "the top level"
    if error.validator == "additionalProperties" and "properties" in error.schema:
        allowed = sorted(error.schema["properties"])
        unknown = sorted(map(str, set(error.instance) - set(allowed)))
        close = difflib.get_close_matches(unknown[0], allowed, n=1)
        hint = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(allowed)}"
        return f"{place}: the key {', '.join(unknown)} is not known; {hint}"
    if error.validator == "pattern" and "description" in error.schema:
        return f"{place}: {error.instance!r} is not {error.schema['description']}"
    return f"{place}: {error.message}"


def check_study(config: Mapping) -> None:
    """Refuse an impossible study before its first job."""
    findings = entry_findings(config) or [  # the other checks look up entries
        *_cohort_findings(config),
        *_grid_findings(config),
        *_threshold_findings(config),
        *_half_findings(config),
        *(finding for check in CHECKS for finding in check(config)),
    ]
    advice = "Correct config.yaml (or the overlay given with --configfile) and run the same command again."
    refuse("this study cannot be run", findings, advice=advice)


def _cohort_findings(config: Mapping) -> Iterator[str]:
    """Cohorts that are missing in ingest.cohorts or too small for their splits."""
    study, cohorts, sizes = config["study"], config["ingest"]["cohorts"], config["split"]["sizes"]
    for cohort in (*study["healthy_cohorts"], *study["lesion_cohorts"]):
        if cohort not in cohorts:
            yield f"study names the cohort {cohort}, ingest.cohorts has only {', '.join(cohorts)}"
    if both := set(study["healthy_cohorts"]) & set(study["lesion_cohorts"]):
        yield f"{', '.join(sorted(both))} cannot be both a healthy and a lesion cohort"
    yield from _download_findings(config["ingest"])
    for group, wanted in (("healthy", "training"), *((cohort, "test") for cohort in study["lesion_cohorts"])):
        if wanted not in sizes.get(group, {}):
            yield f"split.sizes.{group} must say how many subjects are for {wanted} and validation"
            continue
        yield from size_findings(config, group)


def _download_findings(ingest: Mapping) -> Iterator[str]:
    """Cohorts below a download without an entry in ingest.downloads."""
    for cohort, source in ingest["cohorts"].items():
        archive, known = download_of(source["path"]), list(ingest["downloads"])
        if archive and archive not in known:
            yield (
                f"ingest.cohorts.{cohort}.path is {source['path']}, but ingest.downloads has "
                f"{', '.join(known) or 'no entry'}{did_you_mean(archive, known)}; write its url there"
            )


def _grid_findings(config: Mapping) -> Iterator[str]:
    """A grid that a network cannot downsample, or erasing beyond the grid."""
    grid = config["preprocess"]["grid_voxels"]
    for name in sorted({entry["network"] for entry in trained_entries(config).values()}):
        levels = len(config["networks"][name]["feature_maps"])
        if any(size % 2**levels for size in grid):
            nearest = [max(1, -(-size // 2**levels)) * 2**levels for size in grid]
            yield (
                f"preprocess.grid_voxels {grid} cannot be halved {levels} times, once for each of "
                f"networks.{name}.feature_maps; the next valid grid is {nearest}"
            )
    if (slices := config["train"]["erasing"]["maximum_slices"]) > grid[2]:
        yield f"train.erasing.maximum_slices is {slices}, the grid has {grid[2]} axial slices"
    if config["preprocess"]["register"] == "affine" and config["preprocess"]["resample"] == "none":
        yield "preprocess.register: affine needs new voxels: set preprocess.resample to cubic or linear"


def _threshold_findings(config: Mapping) -> Iterator[str]:
    """Cohorts without validation subjects and without the threshold of another cohort."""
    sizes, borrowed = config["split"]["sizes"], config["threshold"]["from_cohort"]
    lesion_cohorts = config["study"]["lesion_cohorts"]
    for cohort in borrowed:
        if cohort not in lesion_cohorts:
            yield (
                f"threshold.from_cohort names {cohort}, which is not one of study.lesion_cohorts"
                f"{did_you_mean(cohort, lesion_cohorts)}; correct or remove it"
            )
    for cohort in lesion_cohorts:
        source = borrowed.get(cohort, cohort)
        if source not in lesion_cohorts:
            yield f"threshold.from_cohort.{cohort} is {source}, which is not one of study.lesion_cohorts"
        elif not sizes.get(source, {}).get("validation"):
            yield (
                f"{cohort} takes its threshold from the validation split of {source}, which is empty; name "
                f"another cohort in threshold.from_cohort.{cohort}"
            )


def _half_findings(config: Mapping) -> Iterator[str]:
    """Models that erase half of the grid need the brain's box in its centre."""
    halves = sorted(
        name
        for name, entry in trained_entries(config).items()
        if ERASINGS.literal(entry["erase"], "HALVES_GRID", False)
    )
    if halves and not config["preprocess"]["crop"]:
        yield (
            f"{', '.join(halves)} erase half of the grid, which is half of the brain only with "
            f"preprocess.crop: true; it is false. Set it to true, or take these models out of study"
        )


def check_paths(config: Mapping, *, root: Path) -> None:
    """Refuse a study whose data sets are missing.

    Cohorts that were listed before are not checked again, and none of an evaluated study, since a finished
    study does not need its raw data.
    """
    wanted = {} if (root / "results/evaluate/metrics.csv").exists() else _raw_data(config, root=root)
    if exclude := config["ingest"]["exclude"]:
        wanted["ingest.exclude"] = exclude
    _refuse_braces(config, root=root)
    for key, path in wanted.items():
        require_part_of_disk(expand_path(path, base=root), named=f"{key}: ")
    refuse(
        f"no such file or folder (relative to {root})",
        (f"{key}: {path}" for key, path in wanted.items() if not expand_path(path, base=root).exists()),
        advice="Write the paths of your data sets into config.yaml (docs/data.md says how to get each), or "
        "see the whole study on synthetic heads first: make demo",
    )


def _refuse_braces(config: Mapping, *, root: Path) -> None:
    """Refuse braces in paths of tables: Snakemake reads {…} in the name of an input as a wildcard."""
    tables = {
        f"ingest.cohorts.{name}.path": source["path"]
        for name, source in config["ingest"]["cohorts"].items()
        if source["reader"] == "table"
    }
    if planted := config["phantom"]["planted"]:
        tables["phantom.planted.source"] = planted["source"]
    paths = {key: expand_path(path, base=root) for key, path in tables.items()}
    found = [f"{key}: {path}" for key, path in paths.items() if set("{}") & set(path_in_run(path, root=root))]
    refuse(
        "the path of a table of scans must not contain { or }, which mark a wildcard in Snakemake",
        found,
        advice="Rename the folder, or move the table; paths in the table may contain them. Then run the same "
        "command again.",
    )


def _raw_data(config: Mapping, *, root: Path) -> dict[str, str]:
    """Config key to path of all raw data that the run has not read yet."""
    wanted = {}
    for cohort in (*config["study"]["healthy_cohorts"], *config["study"]["lesion_cohorts"]):
        path, listed = config["ingest"]["cohorts"][cohort]["path"], root / f"results/ingest/{cohort}.csv"
        # a listed cohort keeps its rows when its raw data are deleted
        if not (path.startswith("results/") or listed.exists() or kept_list(listed).exists()):
            wanted[f"ingest.cohorts.{cohort}.path"] = path
    planted = config["phantom"]["planted"]
    if planted and not (root / "results/phantom/planted.csv").exists():
        wanted |= {f"phantom.planted.{key}": planted[key] for key in ("source", "lesion_masks", "template")}
    label_maps, made = config["phantom"]["label_maps"], config["phantom"]["cohorts"]
    if label_maps and not all((root / f"results/phantom/{cohort}.csv").exists() for cohort in made):
        wanted["phantom.label_maps"] = label_maps
    return wanted
