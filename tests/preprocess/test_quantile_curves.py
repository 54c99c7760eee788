from itertools import combinations

import numpy as np
import pytest
from scipy.stats.mstats import mquantiles

from spatial_erasing.preprocess.quality import (
    PERCENTILES,
    curves_of_cohort,
    healthy_band,
    largest_distance,
    quantile_curves,
    read_band,
    write_band,
)


@pytest.fixture
def cohort():
    rng = np.random.default_rng(5)
    return rng.random((6, 8, 9, 7)).astype(np.float16), rng.random((6, 8, 9, 7)) < 0.6


def test_curves_are_the_quantiles_of_the_brain_alone(cohort):
    scans, brains = cohort
    curves = quantile_curves(np.where(brains, scans, np.float16(9)), brains)
    expected = [
        mquantiles(scan[brain].astype(float), np.divide(PERCENTILES, 100), alphap=1, betap=1)
        for scan, brain in zip(scans, brains, strict=True)
    ]
    np.testing.assert_allclose(curves, expected, atol=1e-6)
    assert (np.diff(curves) >= 0).all()


def test_training_brains_lie_in_their_band_and_shifted_ones_outside(cohort):
    scans, brains = cohort
    band = healthy_band(scans / 2, brains, sequence="t1")
    assert band.brains == 6
    for curve in quantile_curves(scans / 2, brains):
        assert abs(band.distance(curve)[0]) < 0.01  # 1 % of the brains may lie outside
        distance, percentile = band.distance(curve + 0.3 * (np.array(PERCENTILES) == 40))
        assert percentile == 40 and 0.2 < distance <= 0.31
        assert band.distance(curve - 0.3)[0] == pytest.approx(-0.3, abs=0.1)


def test_the_largest_distance_is_that_of_the_farthest_pair(cohort):
    curves = quantile_curves(*cohort)
    expected = max(np.abs(first - second).max() for first, second in combinations(curves, 2))
    assert largest_distance(iter(curves)) == pytest.approx(expected)


def test_the_order_of_the_brains_does_not_matter(cohort):
    scans, brains = cohort
    assert healthy_band(scans, brains, sequence="t1") == healthy_band(
        scans[::-1], brains[::-1], sequence="t1"
    )


def test_a_band_reads_back_as_it_was_written(cohort, tmp_path):
    band = healthy_band(*cohort, sequence="t1")
    write_band(tmp_path / "band.json", band)
    assert read_band(tmp_path / "band.json") == band


def test_the_curves_of_a_cohort_go_by_subject_and_sequence(cohort, tmp_path):
    scans, brains = cohort
    names = [f"s{place}" for place in range(len(scans))]
    np.savez(tmp_path / "volumes.npz", subject=names, brain=brains, t1=scans, t1ce=scans / 2)
    curves = curves_of_cohort(tmp_path / "volumes.npz", ("t1", "t1ce"))
    assert list(curves) == names
    np.testing.assert_allclose(curves["s3"]["t1ce"], quantile_curves(scans / 2, brains)[3])


def test_without_a_training_brain_there_is_no_band(cohort):
    scans, brains = cohort
    with pytest.raises(ValueError, match=r"no healthy training subject.*results/split/healthy\.csv"):
        healthy_band(scans[:0], brains[:0], sequence="t1")
