"""Which statements of this library a script reaches: by name, through functions, classes and constants."""

import functools
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from spatial_erasing.jobs.code_modules import PACKAGES, Imported, Module, read_module

# With these, any code can be meant; with those, any name of their module.
DYNAMIC = {"__import__", "eval", "exec", "import_module"}
NAMESPACES = {"globals", "locals"}

Place = tuple[Path, int]  # a file and a statement at its top


@dataclass(frozen=True)
class Reached:
    """A statement: what it does, and what it needs for that.

    Args:
        order: by which statements are sorted: by module, by the names that they bind, as they stand.
        digest: of its logic and of where its names are imported from.
        needs: the statements that its names stand for.
    """

    order: tuple[str, list[str], int]
    digest: str
    needs: frozenset[Place]


class Library:
    """The modules of this library, read once and when they are asked for.

    A statement reaches what its names stand for. What cannot be told counts whole: a module that is passed on
    as a value, and everything where code is imported or made by a text.

    Args:
        root: the folder that holds the package.
        without: modules that are not followed.
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
                waiting |= self._meant_by(target.parts)
        while waiting:
            place = waiting.pop()
            reached.add(place)
            waiting |= self.statement(*place).needs - reached
        return [found.digest for found in sorted((self.statement(*place) for place in reached), key=_order)]

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
            sources |= {f"{name[0]}={target}" for target in module.imports.get(name[0], ())}
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
            meant = meant.union(*map(self._all_below, PACKAGES))
        own: Iterable[Imported] = (target for target in module.imports.get(name[0], ()) if target.is_own)
        for target in own:
            meant |= self._meant_by((*target.parts, *name[1:]))
        return meant

    def _meant_by(self, parts: tuple[str, ...]) -> set[Place]:
        """What a name stands for that is written from the package on: a module, and perhaps a name in it."""
        size = max(size for size in range(1, len(parts) + 1) if size == 1 or self._is_module(parts[:size]))
        dotted = ".".join(parts[:size])
        if dotted in self.without:
            return set()
        path = self.module_file(dotted)
        if path and size < len(parts):
            module = self.module(path)
            if parts[size] in module.definitions or parts[size] in module.imports:
                return self._meant_in(path, parts[size:])
        return self._all_below(dotted)

    def _is_module(self, parts: tuple[str, ...]) -> bool:
        path = self.root.joinpath(*parts)
        return path.is_dir() or path.with_suffix(".py").is_file()

    def _all_of(self, path: Path) -> set[Place]:
        return {(path, place) for place in range(len(self.module(path).statements))}

    def _all_below(self, name: str) -> set[Place]:
        """A whole module or package."""
        path = self.root.joinpath(*name.split("."))
        files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
        followed = [file for file in files if self.module(file).key not in self.without]
        return set().union(*map(self._all_of, followed))


def _order(found: Reached) -> tuple[str, list[str], int]:
    return found.order
