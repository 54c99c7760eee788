"""Which code a result depends on: a fingerprint of all logic that a script reaches, comments left out."""

import ast
import functools
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "spatial_erasing"


def code_fingerprint(script: Path, *templates: Path) -> str:
    """Hash of the syntax trees of a script and of every module of this library that it imports.

    Docstrings, comments and formatting do not count: Snakemake reruns a rule when the logic that it reaches
    changes, which it does not see by itself, and a better comment never retrains a model.

    Args:
        script: of a rule.
        templates: other files of this software that the script fills in or passes on; every byte counts.
    """
    digests = [sha256(_logic(path).encode()).hexdigest() for path in reached_files(script)]
    digests += [sha256(template.read_bytes()).hexdigest() for template in templates]
    return sha256("".join(digests).encode()).hexdigest()[:12]


def reached_files(script: Path) -> list[Path]:
    """The script and the library files that it imports, directly or not, sorted by name."""
    reached, waiting = {script}, [script]
    while waiting:
        for module in _imported_modules(waiting.pop()) - reached:
            reached.add(module)
            waiting.append(module)
    return sorted(reached)


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def _logic(path: Path) -> str:
    """A file's syntax tree as text, without docstrings."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:]
    return ast.dump(tree)


@functools.cache
def _imported_modules(path: Path) -> set[Path]:
    """Files of this library that a file imports."""
    names = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith(PACKAGE)}
    files = {ROOT / (name.replace(".", "/") + ".py") for name in names}
    return {file for file in files if file.exists()}
