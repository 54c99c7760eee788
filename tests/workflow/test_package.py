"""The library as a Python package, and the two places where Snakemake finds the workflow."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import spatial_erasing
from spatial_erasing.cli import main

ROOT = Path(__file__).parents[2]
PACKAGES = ("spatial_erasing", "spatial_erasing_phantoms")
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What `pip install .` installs, built from a copy, as the build writes beside its sources."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for name in (*PACKAGES, "tests", "benchmarks", "workflow"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(source)]
    subprocess.run(command, check=True)
    return next(built.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_library_and_nothing_else(wheel):
    library = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    expected = {str(path.relative_to(ROOT)) for path in library if "__pycache__" not in path.parts}
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == expected
    assert {"spatial_erasing/py.typed", "spatial_erasing/report/pages/page.css"} < found


def test_an_installed_package_has_the_command_and_its_version(wheel, tmp_path):
    subprocess.run([*PIP, "install", "--no-deps", "--target", str(tmp_path), str(wheel)], check=True)
    command = [tmp_path / "bin/spatial-erasing", "--version"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"spatial-erasing {spatial_erasing.__version__}\n"
    (installed,) = importlib.metadata.distributions(name="spatial-erasing", path=[str(tmp_path)])
    assert installed.version == spatial_erasing.__version__


def test_the_command_says_how_a_study_is_run(capsys):
    main([])
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("usage: spatial-erasing") and "make demo" in said


def test_the_version_to_cite_is_that_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == spatial_erasing.__version__


def test_pre_commit_runs_the_versions_that_the_tests_run():
    pins = dict(
        re.findall(r"^([\w-]+)==([\w.]+)$", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    )
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    found = {repo["repo"].rpartition("/")[2].removesuffix("-pre-commit"): repo["rev"] for repo in hooks}
    assert found == {name: f"v{pins[name]}" for name in ("ruff", "snakefmt")}


def test_nothing_runs_again_through_the_place_where_the_catalogue_looks(study):
    """A finished study is finished for workflow/Snakefile too: the same rules, paths and fingerprints."""
    assert study.planned("--snakefile", "workflow/Snakefile") == {}
    assert set(study.planned("--snakefile", "workflow/Snakefile", "--forcerun", "write_report")) == {
        "write_report",
        "study",
    }


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_a_job_uses_the_library_beside_its_snakefile_whatever_is_installed(begin_study, tmp_path, snakefile):
    study = begin_study()
    (tmp_path / "spatial_erasing").mkdir()
    (tmp_path / "spatial_erasing/__init__.py").write_text("raise ImportError('another library')")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--directory", str(study.folder)]
    command += ["--snakefile", str(study.workflow / snakefile)]
    command += [
        "--configfile",
        str(study.workflow / "tiny.yaml"),
        "--",
        "results/report/figures/figure_2.png",
    ]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command, cwd=study.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (study.results / "report/figures/figure_2.png").exists()


def test_neither_the_library_nor_rules_nor_benchmarks_change_the_path_of_python():
    for folder in (*PACKAGES, "workflow", "benchmarks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".smk") or path.name == "Snakefile":
                assert "sys.path" not in path.read_text(), path
