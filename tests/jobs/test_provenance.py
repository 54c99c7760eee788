import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spatial_erasing.jobs import provenance
from spatial_erasing.jobs.code_reach import Library
from spatial_erasing.jobs.provenance import (
    PARTS_OF_PAGES,
    code_fingerprint,
    rule_fingerprint,
)

REPOSITORY = Path(provenance.__file__).parents[2]
SCRIPT = "workflow/scripts/prepare_brains.py"
FILES = {
    "workflow/scripts/make.py": '"""Make it."""\nfrom spatial_erasing.near import near\nprint(near(3))\n',
    "spatial_erasing/__init__.py": "",
    "spatial_erasing/near.py": (
        '"""Near."""\n\nimport spatial_erasing.far.below\nfrom spatial_erasing import beside\n\n\n'
        'def near(x):\n    """Doubles."""\n'
        "    return 2 * x + spatial_erasing.far.below.SHIFT + beside.VALUE"
        " + spatial_erasing.far.below.late()\n"
    ),
    "spatial_erasing/beside.py": "import math\nVALUE = 1\nUNUSED = 1\n",
    "spatial_erasing/far/__init__.py": "",
    "spatial_erasing/far/below.py": (
        "SHIFT = 5\n\n\ndef late():\n    from spatial_erasing.far import lazy\n    return lazy.VALUE\n"
    ),
    "spatial_erasing/far/lazy.py": "from spatial_erasing.near import near\nVALUE = near\n",
    "spatial_erasing/unused.py": "VALUE = 1\n",
}


@pytest.fixture
def fingerprint(tmp_path, monkeypatch):
    """The fingerprint of a small library, some of its files replaced, each time in a new folder."""

    def of(**replaced):
        root = tmp_path / f"copy {len(list(tmp_path.iterdir()))}"
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(replaced.get(Path(name).stem, text))
        monkeypatch.setattr(provenance, "ROOT", root)
        return code_fingerprint(root / "workflow/scripts/make.py")

    return of


def test_a_template_that_a_script_fills_in_counts_byte_for_byte(tmp_path):
    script, page = REPOSITORY / SCRIPT, tmp_path / "page.html"
    page.write_text("<p>")
    with_page = code_fingerprint(script, page)
    assert with_page not in (code_fingerprint(script), "")
    page.write_text("<p><!-- -->")
    assert code_fingerprint(script, page) != with_page


@pytest.mark.parametrize("part", PARTS_OF_PAGES)
def test_the_style_sheet_counts_where_a_page_does(tmp_path, monkeypatch, part):
    shutil.copytree(REPOSITORY / "spatial_erasing", tmp_path / "spatial_erasing")
    (tmp_path / "workflow/scripts").mkdir(parents=True)
    shutil.copy(REPOSITORY / SCRIPT, tmp_path / SCRIPT)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)

    def fingerprints():
        rule_fingerprint.cache_clear()
        return [rule_fingerprint("prepare_brains", *texts) for texts in ((), ("table.html",))]

    without, with_page = fingerprints()
    path = tmp_path / "spatial_erasing/report/pages" / part
    path.write_text(path.read_text() + "\n")
    assert fingerprints()[0] == without and fingerprints()[1] != with_page
    rule_fingerprint.cache_clear()


def near_with(body, docstring='"""Near."""'):
    return f"{docstring}\nimport spatial_erasing.far.below\nfrom spatial_erasing import beside\n{body}"


def test_the_same_code_elsewhere_has_the_same_fingerprint(fingerprint):
    assert fingerprint() == fingerprint()
    assert len(fingerprint()) == 12


@pytest.mark.parametrize(
    "near",
    [
        FILES["spatial_erasing/near.py"] + "\n# a remark\n",
        FILES["spatial_erasing/near.py"].replace(
            "Doubles.", "Doubles and shifts.\n\n    Args:\n        x: some.\n    "
        ),
        FILES["spatial_erasing/near.py"].replace('"""Near."""\n', ""),
        FILES["spatial_erasing/near.py"].replace('    """Doubles."""\n', ""),
        near_with(
            "def near(x):\n  return (\n    2*x   # twice\n    + spatial_erasing.far.below.SHIFT\n"
            "    + beside.VALUE + spatial_erasing.far.below.late())\n"
        ),
    ],
    ids=["comment", "docstring", "module docstring gone", "docstring gone", "formatting"],
)
def test_comments_docstrings_and_formatting_do_not_count(fingerprint, near):
    assert fingerprint(near=near) == fingerprint()


@pytest.mark.parametrize(
    "replaced",
    [
        {"make": FILES["workflow/scripts/make.py"].replace("3", "4")},
        {"near": FILES["spatial_erasing/near.py"].replace("2 * x", "3 * x")},
        {"near": FILES["spatial_erasing/near.py"].replace("2 * x +", "2 * x -")},
        {"beside": "import math\nVALUE = 2\nUNUSED = 1\n"},
        {"below": FILES["spatial_erasing/far/below.py"].replace("5", "6")},
        {"lazy": "from spatial_erasing.near import near\nVALUE = near, 1\n"},
    ],
    ids=["script", "number", "operator", "imported as name", "imported by an import", "imported late"],
)
def test_logic_that_the_script_reaches_counts(fingerprint, replaced):
    assert fingerprint(**replaced) != fingerprint()


@pytest.mark.parametrize(
    "replaced",
    [
        {"unused": "VALUE = 2\n"},
        {"beside": "import math\nVALUE = 1\nUNUSED = 2\n"},
        {"beside": "VALUE = 1\nUNUSED = 1\n"},
        {"beside": "UNUSED = 1\n\n\ndef more():\n    return 3\n\n\nVALUE = 1\n"},
    ],
    ids=["module", "constant", "import without use", "new function, another order"],
)
def test_code_that_the_script_does_not_reach_does_not_count(fingerprint, replaced):
    assert fingerprint(**replaced) == fingerprint()


def test_imports_in_a_circle_end(fingerprint):
    fingerprint()
    reached = Library(provenance.ROOT).imported_files(provenance.ROOT / "workflow/scripts/make.py")
    assert {path.stem for path in reached} == {"near", "beside", "below", "lazy", "__init__"}


@pytest.mark.parametrize("statement", ['return "{}"', 'print("{}")\n    return x', 'x = "{}"\n    return x'])
def test_a_text_that_is_no_docstring_counts(fingerprint, statement):
    one, other = (near_with(f"def near(x):\n    {statement.format(word)}\n") for word in ("here", "there"))
    assert fingerprint(near=one) != fingerprint(near=other)


def copied(root, change=None):
    """A copy of this library and one script, one file changed."""
    for folder in ("spatial_erasing", "spatial_erasing_phantoms", "workflow/scripts"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    if change:
        path, before, after = change
        text = (root / path).read_text()
        assert before in text
        (root / path).write_text(text.replace(before, after, 1))
    return root


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        (None, False),
        (("spatial_erasing/preprocess/zero.py", "RINGING_SHARE = 0.01", "RINGING_SHARE = 0.02"), True),
        (("spatial_erasing/images/volumes.py", "dtype=np.float32", "dtype=np.float64"), True),
        (("spatial_erasing/images/volumes.py", '"""Volumes, and the', '"""Some volumes and their'), False),
        (("spatial_erasing/preprocess/geometry.py", "# one rounding", "# a single rounding"), False),
        (("spatial_erasing/train/networks/vae.py", "def ", "UNUSED = 1\n\n\ndef "), False),
    ],
)
def test_this_library_s_preprocessing_reruns_for_its_own_logic_alone(tmp_path, monkeypatch, change, counts):
    root = copied(tmp_path / "copy", change)
    expected = code_fingerprint(REPOSITORY / SCRIPT)
    monkeypatch.setattr(provenance, "ROOT", root)
    assert (code_fingerprint(root / SCRIPT) != expected) == counts


def test_preprocessing_reaches_what_python_itself_imports():
    """Against the interpreter: run the script's imports and ask which modules of ours were loaded."""
    lines = [
        line for line in (REPOSITORY / SCRIPT).read_text().splitlines() if line.startswith(("from", "import"))
    ]
    code = "\n".join(
        [*lines, "import sys", "print(*[m for m in sys.modules if m.startswith('spatial_erasing.')])"]
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=True, text=True
    ).stdout
    loaded = {REPOSITORY / (name.replace(".", "/") + ".py") for name in printed.split()}
    reached = Library(REPOSITORY).imported_files(REPOSITORY / SCRIPT)
    assert {path for path in loaded if path.exists()} <= reached


def test_what_is_declared_to_move_no_number_is_there():
    names = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        for path in REPOSITORY.glob("spatial_erasing/**/*.py")
    }
    assert names >= provenance.INFRASTRUCTURE
