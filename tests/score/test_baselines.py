import numpy as np
from scipy.stats import rankdata

from spatial_erasing.cohorts import Split
from spatial_erasing.score.baselines import brain_median, equalised, mean_healthy, z_score


def split_of(seed, count):
    rng = np.random.default_rng(seed)
    scans = rng.random((count, 4, 5, 6)).astype(np.float16)
    brain = rng.random(scans.shape) < 0.4
    scans[~brain] = 0
    return Split([("c", str(k)) for k in range(count)], scans, brain, brain, brain.any(axis=(1, 2)))


def test_the_mean_volume_is_that_of_the_training_scans_for_every_scan():
    healthy, scans = split_of(0, 7), split_of(1, 3)
    outputs = mean_healthy.reconstruct(healthy, scans)
    for output in outputs:
        np.testing.assert_allclose(output, healthy.scans.astype(float).mean(axis=0), atol=1e-3)


def test_the_median_is_of_the_scans_own_brain():
    scans = split_of(1, 3)
    outputs = brain_median.reconstruct(split_of(0, 2), scans)
    for scan, brain, output in zip(scans.scans, scans.brain, outputs, strict=True):
        assert np.unique(output).size == 1
        inside = np.sort(scan[brain].astype(float))
        assert inside[(len(inside) - 1) // 2] - 1e-3 <= output[0, 0, 0] <= inside[len(inside) // 2] + 1e-3


def test_the_distance_of_z_score_grows_with_the_z_score_of_each_voxel():
    healthy, scans = split_of(0, 30), split_of(1, 3)
    values = healthy.scans.astype(float)
    spread = values.std(axis=0)
    floor = spread[healthy.brain.any(axis=0)].mean()
    z = np.abs(scans.scans.astype(float) - values.mean(axis=0)) / (spread + floor)
    outputs = z_score.reconstruct(healthy, scans)
    residual = np.abs(scans.scans.astype(float) - outputs)
    np.testing.assert_allclose(residual, z / (1 + z), atol=2e-3)
    # what is darker than in healthy brains lies below its output, what is brighter above it
    is_dark, is_clear = scans.scans < values.mean(axis=0), z > 0.05
    np.testing.assert_array_equal((outputs > scans.scans)[is_clear], is_dark[is_clear])
    same = z_score.reconstruct(healthy, part_at_the_mean(healthy))
    np.testing.assert_allclose(same[0], values.mean(axis=0), atol=2e-2)


def part_at_the_mean(healthy):
    mean = healthy.scans.mean(axis=0, dtype=float).astype(np.float16)[None]
    return Split([("c", "mean")], mean, healthy.brain[:1], healthy.brain[:1], healthy.lesion_slices[:1])


def test_equalised_is_the_rank_in_the_brain_and_no_change_of_contrast_moves_it():
    scans = split_of(1, 3)
    outputs = equalised.reconstruct(split_of(0, 2), scans)
    for scan, brain, output in zip(scans.scans, scans.brain, outputs, strict=True):
        ranks = (rankdata(scan[brain].astype(float)) - 0.5) / brain.sum()
        residual = np.abs(scan[brain].astype(float) - output[brain])
        np.testing.assert_allclose(residual, np.abs(2 * ranks - 1), atol=2e-3)
        np.testing.assert_array_equal(output[~brain], scan[~brain])
    darker = Split(scans.subjects, scans.scans / 2, scans.brain, scans.lesion, scans.lesion_slices)
    again = equalised.reconstruct(split_of(0, 2), darker)
    np.testing.assert_allclose(again - darker.scans, outputs - scans.scans, atol=2e-3)
