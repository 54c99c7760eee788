"""The models of config.yaml, for tests."""

from pathlib import Path

import yaml

from spatial_erasing.models import ModelSpec, list_methods

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())
METHODS = list_methods(CONFIG)
NETWORKS = [name for name, method in METHODS.items() if not method.is_baseline]
BASELINES = CONFIG["study"]["baselines"]
RESIDUAL = CONFIG["scores"]["residual"]


def methods(names):
    """These methods by name, in this order."""
    return {name: METHODS[name] for name in names}


def spec(name):
    """What a training is told about a model."""
    entry = CONFIG["models"][name]
    return ModelSpec(name, entry["dims"], entry["erase"], entry["fill"])
