"""Brains whose histogram no way to standardise was made for: refused, flagged with the number, or right."""

import re

import numpy as np
import pytest

from spatial_erasing.preprocess.quality import PERCENTILES, FlagRule, HealthyBand, quality_rows
from spatial_erasing.preprocess.stack import StackSettings, stack_cohort
from spatial_erasing.preprocess.standardise.intensity_map import doubts_of_map
from spatial_erasing.preprocess.standardise.landmarks import Landmarks
from spatial_erasing.preprocess.standardise.ways import Standard
from spatial_erasing.preprocess.subject import prepare_subject
from tests.preprocess.analytic_head import TINY_SETTINGS, tiny_subject

RNG = np.random.default_rng(0)
SCALE = Landmarks((10.0, 25.0, 50.0, 75.0, 90.0), (0.2, 0.35, 0.5, 0.65, 0.8), "t1", 9)
TARGETS = {
    "median": 0.5,
    "two_quantiles": (0.5, 0.65),
    "landmarks": SCALE,
    "white_matter": 0.8,
    "range": None,
}


def tissue(*parts):
    """Intensities of a brain: (mean, standard deviation, share) of each tissue, from 0 to 1."""
    values = [RNG.normal(mean, spread, round(20_000 * share)) for mean, spread, share in parts]
    return np.clip(np.concatenate(values), 0, 1)


USUAL = tissue((0.4, 0.07, 0.55), (0.7, 0.05, 0.44), (1.0, 0.0, 0.01))
PEAK_BELOW = tissue((0.1, 0.02, 0.35), (0.6, 0.3, 0.65))
# case: (intensities, way, what is said or raised, "" for nothing)
HISTOGRAMS = {
    **{f"a usual brain by {way}": (USUAL, way, "") for way in TARGETS},
    "a peak below most of the brain": (
        PEAK_BELOW,
        "white_matter",
        r"sets [67]\d % of the brain to 1, limit 20 %",
    ),
    "half of the brain at 1": (np.where(USUAL > 0.5, 1, USUAL), "range", r"sets 4\d % of the brain to 1"),
    "a dark brain by its median": (USUAL**6, "median", r"has the power 0\.1\d+, expected 0\.25 to 4"),
    "a bright brain by its median": (USUAL**0.1, "median", r"has the power \d\.\d+, expected 0\.25 to 4"),
    "a brain between two values": (
        0.9 + 0.1 * USUAL,
        "two_quantiles",
        r"has the (upper )?power \d+(\.\d+)?, expected",
    ),
    "a constant brain by its median": (np.ones(1000), "median", "no power of it gives 0.5"),
    "a constant brain by quantiles": (np.full(1000, 0.4), "two_quantiles", "no smooth curve brings them"),
    "a two-valued brain by quantiles": (
        np.repeat([0.5, 0.505], 500),
        "two_quantiles",
        r"has the .*power|no smooth curve",
    ),
    "a T1ce with bright vessels by quantiles": (
        tissue((0.39, 0.06, 0.55), (0.47, 0.03, 0.42), (1.0, 0.0, 0.03)),
        "two_quantiles",
        "",
    ),
    "a brain of background": (np.repeat([0.0, 0.5], [600, 400]), "median", "median of .* is 0"),
    "a lesion of half of the brain": (
        tissue((0.03, 0.01, 0.55), (0.7, 0.05, 0.45)),
        "median",
        r"has the power 0\.\d+, exp",
    ),
}


@pytest.mark.parametrize("case", HISTOGRAMS)
def test_a_map_that_cannot_be_believed_is_said(case):
    values, way, expected = HISTOGRAMS[case]
    standard = Standard({"t1": way}, {"t1": TARGETS[way]})
    try:
        found = standard.map_of(values, sequence="t1")
    except ValueError as error:
        said = str(error)
    else:
        said = " ".join(doubts_of_map(values, found, sequence="t1"))
        assert np.isfinite(found(values)).all()
    assert re.search(expected, said) and bool(said) == bool(expected), said


def test_a_doubtful_map_stands_in_the_manifest_and_flags_its_brain(tmp_path):
    scan = tiny_subject(tmp_path / "one")
    row = prepare_subject([scan], folder=tmp_path / "done/one", settings=TINY_SETTINGS, code="")
    rows = {}
    for target in (0.5, 0.001):
        grids = StackSettings(
            Standard({"t1": "median"}, {"t1": target}), (24, 22, 20), (12, 11, 10), "nearest"
        )
        stack_cohort([rows.setdefault(target, dict(row))], sequences=("t1",), settings=grids, cores=1)
    assert rows[0.5]["doubtful_map"] == "" and "expected 0.25 to 4" in rows[0.001]["doubtful_map"]
    band = HealthyBand("t1", 9, *[(0.5,) * len(PERCENTILES)] * 3)
    (flagged,) = quality_rows(
        [rows[0.001]],
        rule=FlagRule(outside_ml=(0, np.inf), beyond_deviations=9, beyond_band=9),
        curves={},
        band=band,
    )
    assert flagged["flag"] == rows[0.001]["doubtful_map"]
    assert flagged["exclude_line"].endswith(",doubtful map of intensities")
