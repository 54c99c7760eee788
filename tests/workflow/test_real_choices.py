"""Short trainings on real brains: which settings each compares, and how its table pairs them."""

from importlib import import_module
from pathlib import Path

import pytest

from spatial_erasing.models import list_methods
from spatial_erasing.train.settings import AugmentationSettings, ErasingSettings

ROOT = Path(__file__).parents[2]
ROW = {"without": "", "data": "gliomas-t1", "number": "auprc"}


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return import_module("real_choices")


def rows(values):
    return [
        ROW | {"trial": trial, "model": model, "seed": seed, "value": str(value)}
        for (trial, model, seed), value in values.items()
    ]


def test_differences_are_paired_by_seed_with_the_network_that_shares_the_trial(benchmark):
    found = rows(
        {
            ("registered, moved", "3d-none", "1"): 30.0,
            ("registered, moved", "3d-none", "2"): 32.0,
            ("registered, moved", "3d-cube-noise", "1"): 31.0,
            ("registered, moved", "3d-cube-noise", "2"): 36.0,
            ("every sample erased", "3d-cube-noise", "1"): 25.0,
            ("every sample erased", "3d-cube-noise", "3"): 99.0,  # without partner
            ("half of the brains", "3d-none", "1"): 10.0,
            ("half of the brains", "3d-cube-noise", "1"): 12.0,
        }
    )
    left_out = {"without": "ds000011", "trial": "registered, moved", "model": "3d-none", "seed": "1"}
    found.append(ROW | left_out | {"value": "0"})
    titles = {name: name for name in list_methods(benchmark.read_study())}
    cells = {tuple(row[:2]): row[2:4] for row in benchmark.table_rows(benchmark.ERASING, found, titles)}
    assert cells["registered, moved", "3d-none"] == ["31.0 (30.0 to 32.0)", "–"]
    assert cells["registered, moved", "3d-cube-noise"] == ["33.5 (31.0 to 36.0)", "2.5 (1.0 to 4.0)"]
    assert cells["every sample erased", "3d-cube-noise"] == ["62.0 (25.0 to 99.0)", "-5.0"]
    assert cells["half of the brains", "3d-cube-noise"] == ["12.0", "2.0"]
    assert cells["2,400 steps", "3d-none"] == ["–", "–"]


def test_every_trial_has_settings_and_models_that_exist(benchmark):
    config = benchmark.read_study()
    for asked in benchmark.QUESTIONS.values():
        for trial, models in asked.values():
            values = benchmark.merged(config, trial.changes)
            ErasingSettings(**values["train"]["erasing"])
            AugmentationSettings(**values["train"]["augmentation"])
            assert set(values["networks"]) == set(config["networks"])
            assert set(models) <= set(list_methods(config))
