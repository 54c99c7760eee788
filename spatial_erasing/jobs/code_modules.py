"""Modules as a fingerprint sees them: what they import, what they define, and what importing them does."""

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spatial_erasing.jobs.code_logic import Statement, dotted_name

PACKAGES = ("spatial_erasing", "spatial_erasing_phantoms")  # of which a fingerprint follows the code


@dataclass(frozen=True)
class Imported:
    """Where a name is imported from: a module, or a name in it where `name` is given."""

    module: str
    name: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is of this library."""
        return self.module.partition(".")[0] in PACKAGES

    @property
    def parts(self) -> tuple[str, ...]:
        """The dotted name from its package on."""
        return (*self.module.split("."), *([self.name] if self.name else []))


@dataclass
class Module:
    """A file of Python.

    Args:
        key: its dotted name; of a script the name of its file.
        statements: at its top, without imports.
        names: the names that each of them binds, if it is a plain definition.
        definitions: the places among them that bind a name.
        effects: the places that count as soon as the module is imported: all but plain definitions.
        imports: what names are imported from, anywhere in the file.
        imported: all modules that it imports, with their packages.
    """

    key: str
    statements: list[ast.stmt] = field(default_factory=list)
    names: list[list[str]] = field(default_factory=list)
    definitions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    effects: list[int] = field(default_factory=list)
    imports: dict[str, set[Imported]] = field(default_factory=lambda: defaultdict(set))
    imported: set[str] = field(default_factory=set)

    @functools.cached_property
    def loggers(self) -> set[str]:
        """Names whose methods write lines of a log."""
        made = {
            name
            for node, names in zip(self.statements, self.names, strict=True)
            if isinstance(value := getattr(node, "value", None), ast.Call)
            and dotted_name(value.func) == ("logging", "getLogger")
            for name in names
        }
        return made | {
            name for name in ("logging", "warnings") if Imported(name) in self.imports.get(name, ())
        }

    def statement(self, place: int) -> Statement:
        """What the statement at a place does."""
        own = self.definitions.keys() | self.imports.keys()
        return Statement(self.statements[place], loggers=self.loggers, own=own)


def read_module(path: Path, *, key: str) -> Module:
    """The module in a file."""
    module = Module(key)
    tree = ast.parse(path.read_bytes())
    package = key if path.name == "__init__.py" else key.rpartition(".")[0]
    for node in _statements_below(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            _add_import(node, module, package=package)
    for node in tree.body:
        is_text_by_itself = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom) or is_text_by_itself:
            continue
        names = _bound_names(node)
        for name in names:
            module.definitions[name].append(len(module.statements))
        if not names or _does_more(node, module):
            module.effects.append(len(module.statements))
        module.statements.append(node)
        module.names.append(names)
    return module


def _statements_below(node: ast.AST) -> Iterator[ast.stmt]:
    """All statements of a block and of the blocks in it."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for statement in getattr(node, block, ()):
            yield statement
            yield from _statements_below(statement)


def _add_import(node: ast.Import | ast.ImportFrom, module: Module, *, package: str) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            first = alias.name.partition(".")[0]
            module.imports[alias.asname or first].add(Imported(alias.name if alias.asname else first))
            _add_imported(alias.name, module)
        return
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1] if node.level else []
    source = ".".join([*above, *filter(None, [node.module])])
    for alias in node.names:
        module.imports[alias.asname or alias.name].add(Imported(source, alias.name))
        _add_imported(f"{source}.{alias.name}", module)


def _add_imported(name: str, module: Module) -> None:
    """A module with the packages around it, whose files Python reads first."""
    parts = name.split(".")
    if parts[0] in PACKAGES:
        module.imported |= {".".join(parts[:size]) for size in range(1, len(parts) + 1)}


def _bound_names(node: ast.stmt) -> list[str]:
    """The names that a plain definition binds; none for anything else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        targets = [part for target in node.targets for part in getattr(target, "elts", [target])]
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    else:
        return []
    return [part.id for part in targets] if all(isinstance(part, ast.Name) for part in targets) else []


def _does_more(node: ast.stmt, module: Module) -> bool:
    """Whether a definition may do more than bind its name: it calls a function of this library."""
    called = list(getattr(node, "decorator_list", ()))
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        called += [call.func for call in ast.walk(node.value) if isinstance(call, ast.Call)]
    for function in called:
        name = dotted_name(function.func if isinstance(function, ast.Call) else function)
        is_class = name is not None and name[-1].lstrip("_")[:1].isupper()
        if name and not is_class and _is_own(name[0], module):
            return True
    return False


def _is_own(name: str, module: Module) -> bool:
    return name in module.definitions or any(target.is_own for target in module.imports.get(name, ()))
