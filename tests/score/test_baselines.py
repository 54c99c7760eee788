import numpy as np

from spatial_erasing.cohorts import Split
from spatial_erasing.score.baselines import reconstruct_without_network


def split_of(seed, count):
    rng = np.random.default_rng(seed)
    scans = rng.random((count, 4, 5, 6)).astype(np.float16)
    brain = rng.random(scans.shape) < 0.4
    scans[~brain] = 0
    return Split([("c", str(k)) for k in range(count)], scans, brain, brain, brain.any(axis=(1, 2)))


def test_the_mean_volume_is_that_of_the_training_scans_for_every_scan():
    healthy, scans = split_of(0, 7), split_of(1, 3)
    outputs = reconstruct_without_network("mean_healthy", healthy, scans)
    for output in outputs:
        np.testing.assert_allclose(output, healthy.scans.astype(float).mean(axis=0), atol=1e-3)


def test_the_median_is_of_the_scans_own_brain():
    scans = split_of(1, 3)
    outputs = reconstruct_without_network("brain_median", split_of(0, 2), scans)
    for scan, brain, output in zip(scans.scans, scans.brain, outputs, strict=True):
        assert np.unique(output).size == 1
        inside = np.sort(scan[brain].astype(float))
        assert inside[(len(inside) - 1) // 2] - 1e-3 <= output[0, 0, 0] <= inside[len(inside) // 2] + 1e-3
