"""Which statements of this library a script reaches: by name, through functions, classes and constants."""

import ast
import functools
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from spatial_erasing.jobs.code_logic import Statement, dotted_name

PACKAGES = ("spatial_erasing", "spatial_erasing_phantoms")  # of which a fingerprint follows the code
# With these, any code can be meant; with those, any name of their module.
DYNAMIC = {"__import__", "eval", "exec", "import_module"}
NAMESPACES = {"globals", "locals"}

Dotted = tuple[str, ...]  # the parts of a dotted name
Place = tuple[Path, int]  # a file and a statement at its top


@dataclass
class Module:
    """A file of Python."""

    key: str  # its dotted name; of a script the name of its file
    statements: list[ast.stmt] = field(default_factory=list)  # at its top, without imports
    # the names that each of them binds, if it is a plain definition
    names: list[list[str]] = field(default_factory=list)
    # the places among them that bind a name
    definitions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    # the places that count as soon as the module is imported: all but plain definitions
    effects: list[int] = field(default_factory=list)
    # what names are imported from, anywhere in the file: a module, or a name in it
    imports: dict[str, set[Dotted]] = field(default_factory=lambda: defaultdict(set))
    imported: set[str] = field(default_factory=set)  # all modules that it imports, with their packages
    loggers: set[str] = field(default_factory=set)  # names whose methods write lines of a log

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
        for name, meant, read in _imports(node, package):
            module.imports[name].add(meant)
            if read[0] in PACKAGES:  # Python reads the packages around a module first
                module.imported |= {".".join(read[:size]) for size in range(1, len(read) + 1)}
    module.loggers |= {name for name in ("logging", "warnings") if (name,) in module.imports.get(name, ())}
    for node in tree.body:
        is_text_by_itself = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not isinstance(node, ast.Import | ast.ImportFrom) and not is_text_by_itself:
            _add_statement(node, module)
    return module


def _add_statement(node: ast.stmt, module: Module) -> None:
    names, value = _bound_names(node), getattr(node, "value", None)
    for name in names:
        module.definitions[name].append(len(module.statements))
    if not names or _does_more(node, module):
        module.effects.append(len(module.statements))
    if isinstance(value, ast.Call) and dotted_name(value.func) == ("logging", "getLogger"):
        module.loggers.update(names)
    module.statements.append(node)
    module.names.append(names)


def _statements_below(node: ast.AST) -> Iterator[ast.stmt]:
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for statement in getattr(node, block, ()):
            yield statement
            yield from _statements_below(statement)


def _imports(node: ast.stmt, package: str) -> Iterator[tuple[str, Dotted, Dotted]]:
    """Each name that an import binds, with what it stands for and what Python reads for it."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            parts = tuple(alias.name.split("."))
            yield alias.asname or parts[0], parts if alias.asname else parts[:1], parts
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")
        source = [
            *(above[: len(above) - node.level + 1] if node.level else ()),
            *(node.module.split(".") if node.module else ()),
        ]
        for alias in node.names:
            parts = (*source, alias.name)
            yield alias.asname or alias.name, parts, parts


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
        if name and not is_class:
            sources = module.imports.get(name[0], ())
            if name[0] in module.definitions or any(meant[0] in PACKAGES for meant in sources):
                return True
    return False


class Reached(NamedTuple):
    """A statement: what it does, and what it needs for that."""

    # by which statements are sorted: by module, by the names that they bind, as they stand
    order: tuple[str, list[str], int]
    digest: str  # of its logic and of where its names are imported from
    needs: frozenset[Place]  # the statements that its names stand for


class Library:
    """The modules of the package in a folder, read once and when they are asked for; some are not followed.

    A statement reaches what its names stand for. What cannot be told counts whole: a module that is passed on
    as a value, and everything where code is imported or made by a text.
    """

    def __init__(self, root: Path, *, without: Collection[str] = ()) -> None:
        self.root, self.without = root, frozenset(without)
        self.module = functools.cache(self._module)
        self.module_file = functools.cache(self._module_file)
        self.statement = functools.cache(self._statement)

    def digests(self, script: Path) -> list[str]:
        """One for each statement that a script reaches, in an order that does not follow from the files."""
        reached: set[Place] = set()
        waiting = set(self._all_of(script))
        for path in self.imported_files(script) | {script}:
            module = self.module(path)
            waiting |= {(path, place) for place in module.effects}
            for target in module.imports.get("*", ()):
                waiting |= self._meant_by(target)
        while waiting:
            place = waiting.pop()
            reached.add(place)
            waiting |= self.statement(*place).needs - reached
        return [statement.digest for statement in sorted(self.statement(*place) for place in reached)]

    def imported_files(self, script: Path) -> set[Path]:
        """The files of the library that a script imports, directly or not."""
        files: set[Path] = set()
        waiting = [script]
        while waiting:
            imported = map(self.module_file, self.module(waiting.pop()).imported)
            new = {file for file in imported if file} - files
            files |= new
            waiting += new
        return files

    def _module_file(self, name: str) -> Path | None:
        """The file of a module, of a package its __init__.py; None where there is none to follow."""
        path = self.root.joinpath(*name.split("."))
        files = [] if name in self.without else [path.with_suffix(".py"), path / "__init__.py"]
        return next((file for file in files if file.is_file()), None)

    def _module(self, path: Path) -> Module:
        inside = any(path.is_relative_to(self.root / package) for package in PACKAGES)
        key = ".".join(path.relative_to(self.root).with_suffix("").parts) if inside else path.stem
        return read_module(path, key=key.removesuffix(".__init__"))

    def _statement(self, path: Path, place: int) -> Reached:
        module = self.module(path)
        found = module.statement(place)
        needs: set[Place] = set()
        sources = set()
        for name in found.uses:
            needs |= self._meant_in(path, name)
            sources |= {f"{name[0]}={'.'.join(meant)}" for meant in module.imports.get(name[0], ())}
        logic = "\n".join([module.key, found.text, *sorted(sources)])
        order = (module.key, module.names[place], place)
        return Reached(order, sha256(logic.encode()).hexdigest(), frozenset(needs))

    def _meant_in(self, path: Path, name: tuple[str, ...]) -> set[Place]:
        """What a dotted name stands for in a file."""
        module = self.module(path)
        meant = {(path, place) for place in module.definitions.get(name[0], ())}
        if name[0] in NAMESPACES:
            meant |= self._all_of(path)
        if name[0] in DYNAMIC or name[-1] == "import_module":
            meant = meant.union(*map(self._all_below, filter(self._is_module, PACKAGES)))
        for target in module.imports.get(name[0], ()):
            if target[0] in PACKAGES:
                meant |= self._meant_by((*target, *name[1:]))
        return meant

    def _meant_by(self, parts: tuple[str, ...]) -> set[Place]:
        """What a name stands for that is written from the package on: a module, and perhaps a name in it."""
        size = len(parts)
        while size > 1 and not self._is_module(".".join(parts[:size])):
            size -= 1
        dotted = ".".join(parts[:size])
        if dotted in self.without:
            return set()
        path = self.module_file(dotted)
        if path and size < len(parts):
            module = self.module(path)
            if parts[size] in module.definitions or parts[size] in module.imports:
                return self._meant_in(path, parts[size:])
        return self._all_below(dotted)

    def _is_module(self, name: str) -> bool:
        path = self.root.joinpath(*name.split("."))
        return path.is_dir() or path.with_suffix(".py").is_file()

    def _all_of(self, path: Path) -> set[Place]:
        return {(path, place) for place in range(len(self.module(path).statements))}

    def _all_below(self, name: str) -> set[Place]:
        path = self.root.joinpath(*name.split("."))
        files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
        followed = [file for file in files if self.module(file).key not in self.without]
        return set().union(*map(self._all_of, followed))
