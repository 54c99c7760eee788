"""Kinds of networks, erasings, fills, baselines and scores: a kind is the module of its name in a package.

To add a kind is to add its module. What has to be known of it before a job starts stands there as a literal
and is read without importing the module: torch takes a second to import, and the environment of Snakemake
itself may lack it. The code of a kind counts in the fingerprint of the jobs that use this kind and of no
others.
"""

import ast
import functools
import os.path
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

_REQUIRED = object()


@dataclass(frozen=True)
class Registry:
    """The kinds of one thing.

    Args:
        noun: what they are kinds of, for messages.
        package: whose modules they are, dotted.
    """

    noun: str
    package: str

    @property
    def files(self) -> dict[str, Path]:
        """Kind to its module."""
        # as for `provenance.ROOT`: through workflow/Snakefile the library lies in workflow/..
        folders = [Path(os.path.normpath(folder)) for folder in import_module(self.package).__path__]
        found = {file.stem: file for folder in folders for file in folder.glob("[!_]*.py")}
        return dict(sorted(found.items()))

    def kinds(self) -> list[str]:
        """The words that name a kind, sorted."""
        return list(self.files)

    def file(self, kind: str) -> Path:
        """The module of a kind.

        Raises:
            ValueError: there is none.
        """
        files = self.files
        if kind not in files:
            raise ValueError(
                f"{self.noun} '{kind}' is not known; expected one of {', '.join(files)}. Correct it in "
                f"config.yaml, or add the module {self.package.replace('.', '/')}/{kind}.py."
            )
        return files[kind]

    def load(self, kind: str) -> ModuleType:
        """The module of a kind, imported.

        Raises:
            ValueError: there is none.
        """
        return _imported(self, kind)

    def literal(self, kind: str, name: str, default: object = _REQUIRED) -> Any:
        """The literal that a kind's module gives a name, without importing the module.

        Raises:
            ValueError: there is no such kind, or it lacks a name without a default.
        """
        path = self.file(kind)
        for node in ast.parse(path.read_bytes()).body:
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if [getattr(target, "id", None) for target in targets] == [name]:
                return ast.literal_eval(node.value)
        if default is _REQUIRED:
            raise ValueError(f"{path} must define {name}. See the other modules beside it.")
        return default


@functools.cache
def _imported(registry: Registry, kind: str) -> ModuleType:
    """The module of a kind; a training asks for it at every step."""
    registry.file(kind)
    return import_module(f"{registry.package}.{kind}")


NETWORKS = Registry("network", "spatial_erasing.train.networks")
ERASINGS = Registry("erasing", "spatial_erasing.train.erasing")
FILLS = Registry("fill", "spatial_erasing.train.fills")
BASELINES = Registry("baseline", "spatial_erasing.score.baselines")
SCORES = Registry("score", "spatial_erasing.score.scores")
