"""Kinds of networks, erasings, fills, baselines and scores: a kind is the module of its name in a package.

A kind is added by adding its module. Properties needed before a job starts are literals in the module, read
without importing it: torch takes a second to import, and the environment of Snakemake itself may lack it.
The code of a kind is part of the fingerprint only of jobs that use this kind.
"""

import ast
import functools
import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_REQUIRED = object()


@dataclass(frozen=True)
class Registry:
    """The kinds in one package; an unknown kind is a ValueError."""

    noun: str  # singular name of a kind, for messages
    package: str  # dotted name of the package

    @property
    def files(self) -> dict[str, Path]:
        """Kind to its module."""
        # as for `provenance.ROOT`: from workflow/Snakefile the library's path is workflow/..
        folders = [Path(os.path.normpath(folder)) for folder in import_module(self.package).__path__]
        found = {file.stem: file for folder in folders for file in folder.glob("[!_]*.py")}
        return dict(sorted(found.items()))

    def kinds(self) -> list[str]:
        """The names of the kinds, sorted."""
        return list(self.files)

    def file(self, kind: str) -> Path:
        """The file of a kind's module."""
        files = self.files
        if kind not in files:
            raise ValueError(
                f"{self.noun} '{kind}' is not known; expected one of {', '.join(files)}. Correct it in "
                f"config.yaml, or add the module {self.package.replace('.', '/')}/{kind}.py."
            )
        return files[kind]

    def load(self, kind: str) -> ModuleType:
        """The imported module of a kind."""
        return _imported(self, kind)

    def literal(self, kind: str, name: str, default: object = _REQUIRED) -> Any:
        """A literal of a kind's module, read without importing it; a ValueError if it has none."""
        path = self.file(kind)
        try:
            return _literal(path, name)
        except KeyError:
            if default is _REQUIRED:
                raise ValueError(
                    f"{path} must define {name}. See the other modules in the same folder."
                ) from None
            return default


def _literal(path: Path, name: str) -> Any:
    """A literal of a module; KeyError if it does not define the name."""
    body = ast.parse(path.read_bytes()).body
    for node in body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if [getattr(target, "id", None) for target in targets] == [name]:
            return _value(node.value, path, body)
    raise KeyError(name)


def _value(node: ast.expr, path: Path, body: list[ast.stmt]) -> Any:
    """The value of a literal, of a name of this or an imported module, or of several of these joined by |."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _value(node.left, path, body) | _value(node.right, path, body)
    if not isinstance(node, ast.Name):
        return ast.literal_eval(node)
    for statement in body:
        if isinstance(statement, ast.ImportFrom) and node.id in {alias.name for alias in statement.names}:
            spec = find_spec(str(statement.module))
            path = Path(str(spec and spec.origin))
    return _literal(path, node.id)


@functools.cache
def _imported(registry: Registry, kind: str) -> ModuleType:
    """The module of a kind, cached because a training loads it at every step."""
    registry.file(kind)
    return import_module(f"{registry.package}.{kind}")


NETWORKS = Registry("network", "spatial_erasing.train.networks")
ERASINGS = Registry("erasing", "spatial_erasing.train.erasing")
FILLS = Registry("fill", "spatial_erasing.train.fills")
BASELINES = Registry("baseline", "spatial_erasing.score.baselines")
SCORES = Registry("score", "spatial_erasing.score.scores")


def parts_of(entry: Mapping) -> Iterator[Mapping]:
    """An entry of `scores`, and the score that it is `of`."""
    yield entry
    inner = entry.get("of")
    # an unknown kind may have anything there, since only known kinds have a schema
    if isinstance(inner, Mapping) and isinstance(inner.get("kind"), str):
        yield from parts_of(inner)


def needs_healthy(entry: Mapping) -> bool:
    """Whether an entry of `scores`, or the score that it is `of`, compares with healthy scans.

    A ValueError if the module of a score that reads the network does not say so.
    """
    return any(
        SCORES.literal(part["kind"], "READS") == "network" and SCORES.literal(part["kind"], "NEEDS_HEALTHY")
        for part in parts_of(entry)
    )
