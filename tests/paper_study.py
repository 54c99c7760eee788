"""The study of the paper as config.yaml has it, for tests."""

from pathlib import Path

import yaml

from spatial_erasing.models import ModelSpec, list_methods

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())
METHODS = list_methods(CONFIG)
NETWORKS = CONFIG["study"]["table_1_models"]
BASELINES = CONFIG["study"]["baselines"]
RESIDUAL = CONFIG["scores"]["residual"]


def methods(names):
    """These methods by name, in this order."""
    return {name: METHODS[name] for name in names}


def spec(name):
    """What a training is told about a model."""
    entry = CONFIG["models"][name]
    return ModelSpec(name, entry["dims"], entry["erase"], entry["fill"])
