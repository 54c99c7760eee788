import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Study:
    """A copy of the workflow that a test may change, and the folder in which it runs."""

    workflow: Path
    folder: Path

    @property
    def results(self):
        return self.folder / "results"

    def run(self, *arguments, check=True):
        """Run Snakemake on this study and return what it printed."""
        status, printed = self._call(arguments)
        if check and status:
            raise RuntimeError(printed)
        return printed

    def run_after(self, command, *arguments):
        """Run it in a shell that has run a command, such as a mount, before; returns status and words."""
        shell = ["unshare", "--mount"] if "mount" in command else []
        return self._call(arguments, within=[*shell, "sh", "-c", f'{command} && exec "$@"', "sh"])

    def _call(self, arguments, within=()):
        command = [*within, sys.executable, "-m", "snakemake", "--cores", "2"]
        command += ["--directory", str(self.folder)]
        command += ["--configfile", str(self.workflow / "tiny.yaml"), *arguments]
        environment = os.environ | {"PYTHONPATH": ""}
        done = subprocess.run(
            command, cwd=self.workflow, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def planned(self, *arguments):
        """Rules that a run would execute now, with how often."""
        lines = self.run("--dry-run", *arguments).splitlines()
        if "Job stats:" not in lines:
            return {}
        table = lines[lines.index("Job stats:") + 3 :]
        rows = [line.split() for line in table[: next(k for k, line in enumerate(table) if not line.strip())]]
        return {rule: int(count) for rule, count in rows if rule != "total"}

    def copy(self, folder, *, results=True):
        """The same study elsewhere, with results or at its beginning, for a test that changes something."""
        shutil.copytree(self.workflow, folder / "workflow copy")
        if results:
            shutil.copytree(self.folder, folder / "run")
        else:
            (folder / "run").mkdir()
        return Study(folder / "workflow copy", folder / "run")


@pytest.fixture(scope="session")
def begin_study(tmp_path_factory):
    """A function that copies the workflow with the tiny study's config, to be run in an empty folder."""

    def begin():
        workflow = tmp_path_factory.mktemp("workflow of a study")
        for name in ("Snakefile", "tables_and_figures.smk", "config.yaml", "pyproject.toml"):
            shutil.copy(ROOT / name, workflow / name)
        for name in ("workflow", "spatial_erasing", "spatial_erasing_phantoms", "envs", "profiles", "config"):
            shutil.copytree(ROOT / name, workflow / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "tests/workflow/tiny.yaml", workflow / "tiny.yaml")
        return Study(workflow, tmp_path_factory.mktemp("run"))

    return begin


@pytest.fixture(scope="session")
def study(begin_study):
    """The tiny study, finished: raw synthetic heads to report, by the rules that everyone runs."""
    study = begin_study()
    study.run()
    return study


@pytest.fixture
def changed(study, tmp_path):
    """A finished study of which a test may change what it likes."""
    return study.copy(tmp_path)
