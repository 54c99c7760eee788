"""Config files as written: mistakes that YAML would silently accept are errors with file and line."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from spatial_erasing.jobs.faults import refuse

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check_config_files(paths: Iterable[str | Path]) -> None:
    """Refuse config files with duplicate keys or keys that are not text, or that are not UTF-8 or not YAML.

    Snakemake reads the same files, but YAML silently takes the second of two equal keys, and reads a key such
    as `1` or `null` as a number or as nothing.
    """
    files = [path for path in map(Path, paths) if path.is_file()]  # Snakemake reports missing files
    refuse(
        "the config has errors",
        (f"{path}{finding}" for path in files for finding in _findings(path)),
        advice="Correct the file and run the same command again. Every key is explained in config.yaml.",
    )


def _findings(path: Path) -> Iterator[str]:
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
