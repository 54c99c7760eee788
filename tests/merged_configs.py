"""Configs as Snakemake merges them, for tests."""

import copy
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def merged(base, overlay):
    """Snakemake merges an overlay like this: dictionaries by key, everything else replaced."""
    base = copy.deepcopy(base)
    for key, value in overlay.items():
        is_section = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = merged(base[key], value) if is_section else value
    return base


PAPER = yaml.safe_load((ROOT / "config.yaml").read_text())
TINY = merged(PAPER, yaml.safe_load((ROOT / "tests/workflow/tiny.yaml").read_text()))
