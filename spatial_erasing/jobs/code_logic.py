"""The logic of a statement as text: the same for every Python, without comments, docstrings and messages."""

import ast
import builtins
from collections.abc import Collection, Iterable, Iterator

LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log", "warn"})
# Calls that a line of a log may lose: they give a text or a number and leave everything as it is.
_HARMLESS = frozenset(
    (name,)
    for name in ("abs", "format", "len", "list", "max", "min", "repr", "round", "sorted", "str", "sum")
)
# Fields that say nothing (`ctx` follows from the place) or are not in every Python.
_UNSAID = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


class Statement:
    """What one statement does and which names it uses.

    Messages do not count: the arguments of an exception and whole lines of a log. The type of an exception
    and what leads to it do, and so does every other text.

    Args:
        node: the statement.
        loggers: names of this module's loggers; calls of their methods are lines of a log.
        own: names that the module defines or imports; an exception of such a name is no built-in one.

    Attributes:
        text: its syntax tree, the same whatever the Python.
        uses: the dotted names in it, each as its parts.
    """

    def __init__(self, node: ast.stmt, *, loggers: Collection[str], own: Collection[str]) -> None:
        self._loggers, self._own = loggers, own
        self._parts: list[str] = []
        self.uses: set[tuple[str, ...]] = set()
        self._write(node)
        self.text = "".join(self._parts)

    def _write(self, value: object) -> None:
        """Add a node with all below it, a list or a value of a field to the text."""
        if isinstance(value, list):
            self._parts.append("[")
            for item in value:
                self._write(item)
                self._parts.append(",")
            self._parts.append("]")
        elif not isinstance(value, ast.AST):
            self._parts.append(repr(value))
        elif isinstance(value, ast.Constant):
            self._parts.append("=" + repr(value.value))  # unlike a name or a field that is None
        elif (name := dotted_name(value)) is not None:
            self.uses.add(name)
            self._parts.append(".".join(name))
        else:
            self._parts.append(type(value).__name__ + "(")
            for field, content in self._fields(value):
                self._parts.append(field + "=")
                self._write(content)
            self._parts.append(")")

    def _fields(self, node: ast.AST) -> Iterator[tuple[str, object]]:
        """The fields of a node that say something, without messages."""
        without = self._messages(node)
        for field in node._fields:
            value = getattr(node, field, None)
            if field in without:
                value = without[field]
            elif isinstance(value, list):
                value = list(self._kept(value))
            # an empty list: what one Python writes and another leaves out
            if value is not None and value != [] and field not in _UNSAID:
                yield field, value

    def _kept(self, values: list) -> Iterator[object]:
        """The items of a list; of a block, its statements without texts by themselves and lines of a log."""
        for value in values:
            if not isinstance(value, ast.Expr):
                yield value
            elif isinstance(value.value, ast.Call) and self._is_line_of_a_log(value.value):
                yield from filter(_may_change_something, _calls(value.value))
            elif not isinstance(value.value, ast.Constant):
                yield value

    def _messages(self, node: ast.AST) -> dict[str, object]:
        """Other values for the fields of a node that hold a message."""
        if isinstance(node, ast.Call) and self._is_built_in_exception(node.func):
            return {"args": [], "keywords": []}
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            call = node.exc
            said = [argument for argument in call.args if not _is_text(argument)]
            return {"exc": ast.Call(func=call.func, args=said, keywords=call.keywords)}
        if isinstance(node, ast.Assert):
            return {"msg": None}
        if isinstance(node, ast.JoinedStr):
            return {"values": list(_joined(node.values))}
        return {}

    def _is_line_of_a_log(self, call: ast.Call) -> bool:
        name = dotted_name(call.func)
        return name is not None and len(name) == 2 and name[0] in self._loggers and name[1] in LEVELS

    def _is_built_in_exception(self, function: ast.expr) -> bool:
        if not isinstance(function, ast.Name) or function.id in self._own:
            return False
        found = getattr(builtins, function.id, None)
        # SystemExit says with a number how a process ends
        return isinstance(found, type) and issubclass(found, BaseException) and found is not SystemExit


def dotted_name(node: ast.AST) -> tuple[str, ...] | None:
    """The parts of a name such as `a.b.c`; None for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


def _calls(line: ast.Call) -> Iterator[ast.expr]:
    """The calls and assignments within the arguments of a call."""
    for argument in (*line.args, *(keyword.value for keyword in line.keywords)):
        for node in ast.walk(argument):
            if isinstance(node, ast.Call | ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
                yield node


def _may_change_something(node: ast.expr) -> bool:
    return not (isinstance(node, ast.Call) and dotted_name(node.func) in _HARMLESS)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _joined(values: Iterable[ast.expr]) -> Iterator[ast.expr]:
    """The parts of an f-string, neighbouring texts as one and none empty, as not every Python has them."""
    text = ""
    for value in values:
        if isinstance(value, ast.Constant):
            text += str(value.value)
            continue
        if text:
            yield ast.Constant(text)
        text = ""
        yield value
    if text:
        yield ast.Constant(text)
