"""The logic of a statement as text: the same for every Python, without comments, docstrings and messages."""

import ast
import builtins
from collections.abc import Collection
from itertools import groupby

LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log", "warn"})
# Calls that a line of a log may lose: they give a text or a number and leave everything as it is.
_HARMLESS = {"abs", "format", "len", "list", "max", "min", "repr", "round", "sorted", "str", "sum"}
# Fields that say nothing (`ctx` follows from the place) or are not in every Python.
_UNSAID = {"ctx", "type_comment", "type_ignores"}


class Statement:
    """What one statement does and which names it uses.

    Messages do not count: the arguments of an exception and whole lines of a log. The type of an exception
    and what leads to it do, and so does every other text.

    Args:
        node: the statement; its messages are removed from it.
        loggers: names of this module's loggers; calls of their methods are lines of a log.
        own: names that the module defines or imports; an exception of such a name is no built-in one.
    """

    def __init__(self, node: ast.stmt, *, loggers: Collection[str], own: Collection[str]) -> None:
        self.uses: set[tuple[str, ...]] = set()  # the dotted names in it, each as its parts
        block = ast.Module([node], type_ignores=[])
        # its syntax tree, the same whatever the Python
        self.text = self._written(_WithoutMessages(loggers, own).visit(block))

    def _written(self, value: object) -> str:
        """A node with all below it, a list or a value of a field as text."""
        if isinstance(value, list):
            return f"[{','.join(map(self._written, value))}]"
        if isinstance(value, ast.Constant):
            return f"={value.value!r}"  # unlike a name or a field that is None
        if not isinstance(value, ast.AST):
            return repr(value)
        if name := dotted_name(value):
            self.uses.add(name)
            return ".".join(name)
        fields = ((name, getattr(value, name, None)) for name in value._fields if name not in _UNSAID)
        # one Python writes an empty list where another leaves the field out
        said = [f"{name}={self._written(content)}" for name, content in fields if content not in (None, [])]
        return f"{type(value).__name__}({','.join(said)})"


class _WithoutMessages(ast.NodeTransformer):
    """Takes messages, texts by themselves and lines of a log out of a statement."""

    def __init__(self, loggers: Collection[str], own: Collection[str]) -> None:
        self._loggers, self._own = loggers, own

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.AST] | None:
        """Of a line of a log only what may change something stays; a text by itself goes."""
        if isinstance(node.value, ast.Constant):
            return None
        self.generic_visit(node)
        if not isinstance(node.value, ast.Call) or not self._is_line_of_a_log(node.value):
            return node
        arguments = (*node.value.args, *(keyword.value for keyword in node.value.keywords))
        return [part for value in arguments for part in ast.walk(value) if _may_change_something(part)]

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        return ast.Call(node.func, [], []) if self._is_built_in_exception(node.func) else node

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        """The texts of what is raised go."""
        self.generic_visit(node)
        if isinstance(node.exc, ast.Call):
            node.exc.args = [argument for argument in node.exc.args if not _is_text(argument)]
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        """Neighbouring texts as one and none empty, as not every Python has them."""
        self.generic_visit(node)
        values: list[ast.expr] = []
        for is_text, parts in groupby(node.values, _is_text):
            if not is_text:
                values += parts
            elif text := "".join(ast.literal_eval(part) for part in parts):
                values.append(ast.Constant(text))
        node.values = values
        return node

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


def _may_change_something(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return not (isinstance(node.func, ast.Name) and node.func.id in _HARMLESS)
    return isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
