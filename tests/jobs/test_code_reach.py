import pytest

from spatial_erasing.jobs.code_reach import Library

SCRIPT = "from spatial_erasing.a import {used}\n{used}\n"


@pytest.fixture
def digests(tmp_path):
    """The digests of what a script reaches in a library of these files, each time in a new folder."""

    def of(script, **modules):
        root = tmp_path / f"copy {len(list(tmp_path.iterdir()))}"
        for folder in ("deep", "jobs"):
            (root / "spatial_erasing" / folder).mkdir(parents=True)
        for name, text in {"__init__": "", "deep.__init__": "", **modules}.items():
            (root / "spatial_erasing" / (name.replace(".", "/", 1) + ".py")).write_text(text)
        (root / "script.py").write_text(script)
        return Library(root, without={"spatial_erasing.jobs.logs"}).digests(root / "script.py")

    return of


def moves(digests, script, before, after):
    return digests(script, **before) != digests(script, **after)


REACHED = {
    "function of a function": ("f", "def g(): return {}\ndef f(): return g()\n"),
    "method": ("A", "class A:\n    def f(self): return {}\n"),
    "class that an instance is of": ("f", "class A:\n    def g(self): return {}\ndef f(): return A()\n"),
    "base class": ("A", "class B:\n    x = {}\nclass A(B): pass\n"),
    "constant in a default": ("f", "X = {}\ndef f(x=X): return x\n"),
    "function in a dictionary": ("f", "def g(): return {}\nALL = dict(g=g)\ndef f(n): return ALL[n]()\n"),
    "decorator": ("f", "def d(f): return {}\n@d\ndef f(): pass\n"),
    "second value of a name": ("X", "X = 1\nX = {}\n"),
    "value that is added": ("X", "X = 1\nX += {}\n"),
    "one of several targets": ("X", "X, Y = 1, {}\n"),
    "annotated": ("X", "X: int = {}\n"),
    "statement with an effect": ("f", "ALL = []\nALL.append({})\ndef f(): pass\n"),
    "condition at the top": ("f", "if {}:\n    X = 1\ndef f(): pass\n"),
    "item that is set": ("f", "ALL = dict()\nALL['a'] = {}\ndef f(): pass\n"),
    "function that registers": (
        "f",
        "ALL = []\ndef add(g):\n    ALL.append(g)\n    return g\n"
        "@add\ndef other(): return {}\ndef f(): return ALL\n",
    ),
    "value that a function of ours is called for": ("f", "def g(x): pass\n_ = g({})\ndef f(): pass\n"),
    "all names of a module": ("f", "X = {}\ndef f(n): return globals()[n]\n"),
}


@pytest.mark.parametrize("used, text", REACHED.values(), ids=REACHED)
def test_what_a_name_needs_counts(digests, used, text):
    script = SCRIPT.format(used=used)
    assert moves(digests, script, {"a": text.format(1)}, {"a": text.format(2)})


@pytest.mark.parametrize(
    "text",
    [
        "def g(): return {}\ndef f(): pass\n",
        "X = {}\ndef f(): pass\n",
        "class A:\n    x = {}\ndef f(): pass\n",
    ],
)
def test_what_no_name_needs_does_not_count(digests, text):
    assert not moves(digests, SCRIPT.format(used="f"), {"a": text.format(1)}, {"a": text.format(2)})


THROUGH = {
    "name": "from spatial_erasing.b import X as Y\ndef f(): return Y\n",
    "module": "from spatial_erasing import b\ndef f(): return b.X\n",
    "module of another name": "import spatial_erasing.b as c\ndef f(): return c.X\n",
    "dotted name": "import spatial_erasing.b\ndef f(): return spatial_erasing.b.X\n",
    "method of what is imported": "from spatial_erasing import b\ndef f(): return b.X.real\n",
    "relative name": "from .b import X\ndef f(): return X\n",
    "relative module": "from . import b\ndef f(): return b.X\n",
    "import in a function": "def f():\n    from spatial_erasing.b import X\n    return X\n",
    "import in a block": (
        "try:\n    from spatial_erasing.b import X\nexcept ImportError:\n    X = 0\ndef f(): return X\n"
    ),
    "name that is imported once more": "from spatial_erasing.c import X\ndef f(): return X\n",
    "all of a module": "from spatial_erasing.b import *\ndef f(): return X\n",
    "module as a value": "from spatial_erasing import b\ndef f(n): return getattr(b, n)\n",
    "package as a value": "import spatial_erasing\ndef f(n): return getattr(spatial_erasing, n)\n",
    "module by a text": "import importlib\ndef f(n): return importlib.import_module(n)\n",
    "code as a text": "def f(n): return eval(n)\n",
}


@pytest.mark.parametrize("text", THROUGH.values(), ids=THROUGH)
def test_imports_of_every_form_are_followed(digests, text):
    others = {"a": text, "c": "from spatial_erasing.b import X\n"}
    script = SCRIPT.format(used="f")
    assert moves(digests, script, {**others, "b": "X = 1\n"}, {**others, "b": "X = 2\n"})
    is_precise = "getattr" not in text and "*" not in text and "(n)" not in text
    assert is_precise != moves(
        digests, script, {**others, "b": "X = 1\nY = 1"}, {**others, "b": "X = 1\nY = 2"}
    )


def test_a_function_of_the_same_name_from_elsewhere_counts(digests):
    both = {"b": "def g(): return 1\n", "c": "def g(): return 2\n"}
    text = (
        "from spatial_erasing.{} import g\nfrom spatial_erasing import b, c\ndef f(): return g(), b.g, c.g\n"
    )
    script = SCRIPT.format(used="f")
    assert moves(digests, script, {"a": text.format("b"), **both}, {"a": text.format("c"), **both})
    outside = "from {} import sqrt\ndef f(x): return sqrt(x)\n"
    assert moves(digests, script, {"a": outside.format("math")}, {"a": outside.format("cmath")})


def test_what_an_import_does_counts_also_in_packages_and_in_modules_of_modules(digests):
    others = {"a": "import spatial_erasing.deep.c\ndef f(): pass\n", "deep.c": ""}
    script = SCRIPT.format(used="f")
    assert moves(digests, script, others, {**others, "deep.c": "import os\nos.umask(0)\n"})
    assert moves(digests, script, others, {**others, "deep.__init__": "import os\nos.umask(0)\n"})
    assert moves(digests, script, others, {**others, "__init__": "import os\nos.umask(0)\n"})


def test_modules_that_are_left_out_are_not_followed_but_their_use_counts(digests):
    with_logs = {"a": "from spatial_erasing.jobs.logs import log\ndef f(x): log(x)\n"}
    script = SCRIPT.format(used="f")
    assert not moves(
        digests,
        script,
        {**with_logs, "jobs.logs": "def log(x): pass\n"},
        {**with_logs, "jobs.logs": "import os\nos.umask(0)\ndef log(x): return 2\n"},
    )
    without = {"a": "from spatial_erasing.jobs.logs import log\ndef f(x): pass\n", "jobs.logs": ""}
    assert moves(digests, script, {**with_logs, "jobs.logs": ""}, without)
