import tracemalloc

import numpy as np
import pytest
from networks_to_score import network_of, part_of, split_of

from spatial_erasing.cohorts import Split
from spatial_erasing.needs import HEALTHY_BYTES, SPLIT_BYTES
from spatial_erasing.run import reconstruct_scans
from spatial_erasing.score.reconstruct import reconstruct, unstored_maps

HEALTHY, SCANS = split_of(5, 1, cohort="healthy"), split_of(3, 2)
NETWORK = network_of(3)


def relative(of=None, smoothing=0, floor=0.5, centred=True):
    score = {"kind": "relative", "of": of or {"kind": "absolute"}, "floor": floor, "centred": centred}
    return score | {"smoothing_voxels": smoothing}


def maps(score, scans, healthy=HEALTHY, network=NETWORK):
    return np.stack(list(unstored_maps(network, scans, healthy, score=score)))


def residuals(split):
    outputs = reconstruct(NETWORK, split.scans, batch_size=1)
    return np.abs(split.scans.astype(float) - outputs) * split.brain


@pytest.mark.parametrize("floor, centred", [(0.5, True), (3, True), (1, False)])
def test_without_smoothing_it_is_the_z_score_at_every_voxel_of_the_brain(floor, centred):
    healthy, inside = residuals(HEALTHY), SCANS.brain[0]
    mean, spread = centred * healthy.mean(axis=0), healthy.std(axis=0)
    z = np.clip((residuals(SCANS) - mean) / (spread + floor * spread[inside].mean()), 0, None)
    found = maps(relative(floor=floor, centred=centred), SCANS)
    np.testing.assert_allclose(found[:, inside], (z / (1 + z))[:, inside], atol=2e-4)
    assert found.min() >= 0 and found.max() < 1


def test_with_much_smoothing_all_voxels_have_the_mean_and_spread_of_the_whole_brain():
    inside = HEALTHY.brain[0]
    pooled = residuals(HEALTHY)[:, inside]
    z = np.clip((residuals(SCANS) - pooled.mean()) / (1.5 * pooled.std()), 0, None)
    np.testing.assert_allclose(
        maps(relative(smoothing=50), SCANS)[:, inside], (z / (1 + z))[:, inside], atol=5e-3
    )


@pytest.mark.parametrize("smoothing", [0, 1])
def test_a_healthy_subject_is_compared_with_the_others_alone(smoothing):
    others = part_of(HEALTHY, [0, 1, 3, 4])
    expected = maps(relative(smoothing=smoothing), part_of(HEALTHY, [2]), others)
    found = maps(relative(smoothing=smoothing), HEALTHY)[2]
    np.testing.assert_allclose(found, expected[0], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2])
def test_healthy_scans_too_few_for_a_spread_are_refused_unless_neighbours_are_pooled(count):
    few = part_of(HEALTHY, range(count))
    for smoothing in (0, 0.1):
        with pytest.raises(
            ValueError, match=rf"with {count} healthy validation scans, expected at least 3: "
        ):
            maps(relative(smoothing=smoothing), few, healthy=few)
    assert np.isfinite(maps(relative(smoothing=1), few, healthy=few)).all()
    assert np.isfinite(maps(relative(), HEALTHY, healthy=part_of(HEALTHY, range(3)))).all()


def test_healthy_scans_take_no_more_memory_than_a_job_asks_for(monkeypatch):
    count, grid = 20, (32, 32, 32)
    volumes = np.random.default_rng(3).random((count, *grid)).astype(np.float16)
    brain = np.ones(volumes.shape, dtype=bool)
    names = [("healthy", str(place)) for place in range(count)]
    healthy = Split(names, volumes, brain, brain, brain.any(axis=(1, 2)))
    monkeypatch.setattr("spatial_erasing.score.scores.relative.unstored_maps", lambda *_, **__: iter(volumes))
    tracemalloc.start()
    next(unstored_maps(NETWORK, healthy, healthy, score=relative()))
    peak_mb = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    # beside the scans themselves; a copy of the sums would be as large as they are
    sums_mb = count * 32**3 * (HEALTHY_BYTES - SPLIT_BYTES) / 2**20
    assert sums_mb < peak_mb < 1.6 * sums_mb


def test_the_other_score_may_have_settings():
    dark, inside = {"kind": "signed", "finds": "dark"}, SCANS.brain[0]
    scans, healthy = maps(dark, SCANS)[:, inside], maps(dark, HEALTHY)[:, inside]
    spread = healthy.std(axis=0)
    z = np.clip((scans - healthy.mean(axis=0)) / (spread + 0.5 * spread.mean()), 0, None)
    np.testing.assert_allclose(maps(relative(dark), SCANS)[:, inside], z / (1 + z), atol=1e-5)


def test_it_is_stored_as_a_map_and_may_be_of_a_score_that_reads_the_network():
    of = {"kind": "latent_restoration", "of": {"kind": "absolute"}, "steps": 2, "rate": 0.1, "prior": 1.0}
    stored = reconstruct_scans(NETWORK, SCANS, HEALTHY, score=relative(of) | {"title": "any"})
    np.testing.assert_allclose(stored, maps(relative(of), SCANS), atol=1e-3)
    assert not np.allclose(stored, maps(relative(), SCANS), atol=1e-2)
