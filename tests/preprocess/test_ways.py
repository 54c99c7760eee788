import numpy as np
import pytest

from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap
from spatial_erasing.preprocess.standardise.landmarks import Landmarks, write_landmarks
from spatial_erasing.preprocess.standardise.ways import WAYS, Standard, read_standard

PERCENTILES = (10, 25, 50, 75, 90)
TARGETS = {
    "range": None,
    "median": 0.5,
    "landmarks": Landmarks(PERCENTILES, (0.2, 0.35, 0.53, 0.74, 0.87), "t1", 9),
    "two_quantiles": (0.5, 0.7),
    "white_matter": 0.8,
}


def brain(seed=1, exponent=1.0, voxels=60_000):
    """Grey and white matter and some fluid, the 1st and 99th percentile at 0 and 1."""
    rng = np.random.default_rng(seed)
    tissues = [(0.12, 0.05, 0.2), (0.45, 0.08, 0.45), (0.8, 0.06, 0.35)]
    values = np.concatenate([rng.normal(m, s, int(voxels * share)) for m, s, share in tissues])
    low, high = np.percentile(values, [1, 99])
    return (np.clip((values - low) / (high - low), 0, 1) ** exponent).astype(np.float32)


def standardised(way, values, sequence="t1"):
    standard = Standard({"t1": way}, {"t1": TARGETS[way]})
    return standard.map_of(values, sequence=sequence)(values)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.5])
def test_every_way_is_monotone_keeps_the_background_and_stays_in_the_unit_range(way, exponent):
    values = np.sort(brain(exponent=exponent))
    mapped = standardised(way, values)
    assert (np.diff(mapped) >= 0).all()
    assert mapped.min() >= 0 and mapped.max() <= 1 and mapped.dtype == np.float32
    assert Standard({"t1": way}, {"t1": TARGETS[way]}).map_of(values, sequence="t1")(
        np.zeros(3)
    ).tolist() == [
        0,
        0,
        0,
    ]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_idempotent(way):
    once = standardised(way, brain(exponent=1.7))
    tolerance = 0.01 if way == "white_matter" else 1e-3  # a bin of its histogram
    assert np.abs(standardised(way, once) - once).max() < tolerance


@pytest.mark.parametrize(
    ("way", "largest"), [("range", 1), ("median", 0.001), ("two_quantiles", 0.05), ("landmarks", 0.08)]
)
def test_two_contrasts_of_one_brain_come_closer(way, largest):
    """A power is what a scanner does here; its inverse is what the ways have to find."""
    one, other = (standardised(way, brain(exponent=exponent)) for exponent in (0.8, 2.2))
    before = np.abs(brain(exponent=0.8) - brain(exponent=2.2)).max()
    distance = np.abs(one - other).max()
    assert distance <= largest
    assert (distance == before) if way == "range" else (distance < before / 3)


def test_the_registry_takes_another_way(monkeypatch):
    monkeypatch.setitem(WAYS, "square", lambda values, target: IntensityMap(exponent=target))
    values = brain()
    assert np.allclose(
        Standard({"t1": "square"}, {"t1": 2.0}).map_of(values, sequence="t1")(values), values**2
    )


def test_each_sequence_has_its_own_way_and_target():
    standard = Standard({"t1": "median", "t1ce": "two_quantiles"}, {"t1": 0.4, "t1ce": (0.5, 0.72)})
    values = brain()
    t1, t1ce = (standard.map_of(values, sequence=name)(values) for name in ("t1", "t1ce"))
    assert np.median(t1) == pytest.approx(0.4, abs=1e-4)
    assert np.percentile(t1ce, [50, 75]) == pytest.approx([0.5, 0.72], abs=1e-4)


def test_landmarks_are_read_for_the_sequences_that_need_them(tmp_path):
    write_landmarks(tmp_path / "scales.json", {"t1": TARGETS["landmarks"], "t1ce": TARGETS["landmarks"]})
    standard = read_standard({"t1": "landmarks", "t1ce": "median"}, {"t1ce": 0.5}, [tmp_path / "scales.json"])
    assert standard.targets == {"t1": TARGETS["landmarks"], "t1ce": 0.5}
