import ast
import subprocess
import sys
from pathlib import Path

import pytest

from spatial_erasing.jobs.code_logic import Statement
from spatial_erasing.jobs.provenance import code_fingerprint

ROOT = Path(__file__).parents[2]


def logic(source):
    (node,) = ast.parse(source).body
    return Statement(node, loggers={"logger", "logging", "warnings"}, own={"Interrupted", "refuse", "draw"})


def function(*lines):
    return "def f(x, path):\n    " + "\n    ".join(lines) + "\n"


MESSAGES = {
    "text of an exception": ('raise ValueError("no scan")', 'raise ValueError(f"{path} is no scan")'),
    "helper that words it": ("raise ValueError(x)", 'raise ValueError(about(x, "more"))'),
    "exception that is returned": ('return ValueError("here")', 'return ValueError("there")'),
    "text of an own exception": ('raise Interrupted("here")', 'raise Interrupted(f"at {x}")'),
    "text for a function that makes one": ('raise refuse(path, "empty")', 'raise refuse(path, "0 bytes")'),
    "line of a log": ('logger.info("half done")', 'logger.warning("%d done", len(x))'),
    "line of a log, new": ("x += 1", 'x += 1\n    logger.info("one more")'),
    "warning": ('warnings.warn("old")', 'warnings.warn("new", stacklevel=2)'),
    "message of an assertion": ('assert x, "here"', 'assert x, "there"'),
    "docstring": ('"""Old."""\n    return x', '"""New."""\n    return x'),
    "text by itself": ('x = 1\n    "old"', 'x = 1\n    "new"'),
    "comment": ("return x  # old", "return x  # new"),
    "formatting": ("return (x +\n        1)", "return x + 1"),
}


@pytest.mark.parametrize("before, after", MESSAGES.values(), ids=MESSAGES)
def test_messages_comments_and_formatting_do_not_count(before, after):
    assert logic(function(before)).text == logic(function(after)).text


LOGIC = {
    "type of an exception": ('raise ValueError("a")', 'raise MemoryError("a")'),
    "exception raised or not": ('raise ValueError("a")', 'ValueError("a")'),
    "what leads to an exception": (
        'if x > 1:\n        raise ValueError("a")',
        'if x > 2:\n        raise ValueError("a")',
    ),
    "how a process ends": ("raise SystemExit(1)", "raise SystemExit(2)"),
    "value of an own exception": ("raise Interrupted(x)", "raise Interrupted(path)"),
    "text that is returned": ('return "here"', 'return "there"'),
    "text that is printed": ('print("here")', 'print("there")'),
    "text of a variable": ('x = "here"', 'x = "there"'),
    "text in an f-string": ('return f"a{x}"', 'return f"b{x}"'),
    "format in an f-string": ('return f"{x:.1f}"', 'return f"{x:.2f}"'),
    "call within a line of a log": ('logger.info("%s", draw(1))', 'logger.info("%s", draw(2))'),
    "iterator that a line of a log advances": ('logger.info("%s", next(x))', 'logger.info("%s", x)'),
    "method that only looks like a log": ('x.info("here")', 'x.info("there")'),
    "setting of logs": ("logging.captureWarnings(True)", "logging.captureWarnings(False)"),
    "one or True": ("return 1", "return True"),
    "one or 1.0": ("return 1", "return 1.0"),
    "text or bytes": ('return "a"', 'return b"a"'),
    "name or its text": ("return x", 'return "x"'),
    "endless number or its name": ("return 1e999", "return inf"),
    "place of an argument": ("return f(1, None)", "return f(None, 1)"),
    "end of a slice": ("return x[1:]", "return x[:1]"),
    "spread of a dictionary": ("return {**x}", "return {None: x}"),
}


@pytest.mark.parametrize("before, after", LOGIC.values(), ids=LOGIC)
def test_whatever_else_differs_counts(before, after):
    assert logic(function(before)).text != logic(function(after)).text


@pytest.mark.parametrize(
    "before, after",
    [
        ("def f(x=1): pass", "def f(x=2): pass"),
        ("def f(*, x=1): pass", "def f(x=1): pass"),
        ("@a\ndef f(): pass", "@b\ndef f(): pass"),
        ("class A:\n    x = 1", "class A:\n    x = 2"),
        ("class A:\n    def f(self): return 1", "class A:\n    def f(self): return 2"),
        ("class A(B): pass", "class A(C): pass"),
        ("x = {'a': f}", "x = {'a': g}"),
    ],
)
def test_defaults_decorators_bases_methods_and_registries_count(before, after):
    assert logic(before).text != logic(after).text


def test_an_exception_that_hides_a_built_in_one_keeps_its_arguments():
    texts = [
        Statement(ast.parse(f"x = ValueError({number})").body[0], loggers=(), own={"ValueError"}).text
        for number in (1, 2)
    ]
    assert texts[0] != texts[1]


def test_names_are_found_with_their_parts_and_not_in_messages():
    statement = logic(function("raise ValueError(about(x))", "return numpy.random.rand(a.b[0].c)"))
    assert statement.uses == {("ValueError",), ("numpy", "random", "rand"), ("a", "b")}


PYTHONS = [Path(sys.executable), *Path("/usr").glob("bin/python3.1[1-9]")]
PYTHONS += Path.home().glob(".pyenv/versions/3.1[1-9]*/bin/python")


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parts[-3] + "/" + path.name)
def test_every_python_finds_the_same_fingerprints(python):
    """Every Python that is installed here: syntax trees differ between 3.11, 3.12 and 3.13."""
    code = (
        "from pathlib import Path\n"
        "from spatial_erasing.jobs.provenance import code_fingerprint\n"
        "for script in sorted(Path('workflow/scripts').glob('*.py')):\n"
        "    print(code_fingerprint(script.absolute()))\n"
    )
    theirs = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    scripts = sorted(ROOT.glob("workflow/scripts/*.py"))
    assert theirs.split() == [code_fingerprint(script) for script in scripts]
