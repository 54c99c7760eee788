import re

import numpy as np
import pytest

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.strip import brain_of_stripped_scan
from spatial_erasing.preprocess.zero import (
    face_value,
    head_above_zero,
    negative_share,
    ringing_level,
    stripped_above_zero,
)

RNG = np.random.default_rng(0)
SHAPE = (30, 30, 30)
BRAIN = np.linalg.norm(np.indices(SHAPE) - 14.5, axis=0) < 11
MEASURED = np.where(BRAIN, RNG.uniform(60, 900, SHAPE), 0)
# a scale and an offset do not change the order: darkest and brightest percent, and what lies between
SCALED = {
    "z-scored inside the brain": (
        np.where(BRAIN, (MEASURED - 500) / 240, 0),
        r"52 % of the voxels with signal lie below the background",
    ),
    "the same as whole numbers": (
        np.where(BRAIN, ((MEASURED - 500) / 2.4).round(), 0),
        "below the background",
    ),
    "z-scored as a whole": ((MEASURED - 90) / 210, r"its background of -0\.4286 was subtracted"),
    "everything below 0": (MEASURED - 1000, "its background of -1000 was subtracted"),
    "a marker around it": (np.where(BRAIN, MEASURED, -1000), "its background of -1000 was set to 0"),
    "z-scored, then from 0 to 1": (
        (np.where(BRAIN, (MEASURED - 500) / 240, 0) + 2) / 4,
        r"its background of 0\.5 was subtracted, and .* below the background",
    ),
    "brighter around than inside": (np.where(BRAIN, MEASURED - 1000, 0), "100 % .* below the background"),
}


def volume(values):
    return Volume(np.asarray(values, dtype=np.float32), np.eye(4), "scan.nii")


@pytest.mark.parametrize("case", SCALED)
def test_a_stripped_scan_whose_zero_was_moved_is_the_scan_that_was_measured(case):
    values, said = SCALED[case]
    lifted = stripped_above_zero(volume(values))
    signal = lifted.intensities > 0
    # a voxel at the rim whose value is nearly that of the background is background
    assert not signal[~BRAIN].any() and signal[BRAIN].mean() > 0.995
    assert np.array_equal(brain_of_stripped_scan(lifted.intensities), signal)
    assert np.array_equal(brain_of_stripped_scan(values.astype(np.float32)), signal)
    scaled, measured = lifted.intensities[signal], MEASURED[signal]
    assert np.corrcoef(scaled, measured)[0, 1] > 0.9999, "a shift and a scale, nothing else"
    (warning,) = lifted.warnings
    assert warning.startswith("scan.nii: ") and re.search(said, warning), warning


def test_a_scan_as_it_was_measured_is_returned_as_it_is():
    ringing = MEASURED.copy()
    ringing[4::11, 4::11, 4::11] = -40  # 0.5 % of the brain's volume
    faint = np.where(BRAIN, MEASURED, RNG.uniform(-5, 5, SHAPE))
    for values in (MEASURED, np.where(BRAIN, MEASURED, 1), ringing, faint, np.full(SHAPE, -3.0)):
        scan = volume(values)
        assert stripped_above_zero(scan) is scan


def test_the_share_of_negative_voxels_leaves_out_what_rings():
    values = np.concatenate([np.full(990, 100.0), np.full(9, -50.0), np.full(500, -0.5), np.zeros(77)])
    assert ringing_level(values) == 1.0 and ringing_level(-np.ones(3)) == 0
    assert negative_share(values) == pytest.approx(9 / 999)
    assert negative_share(np.zeros(4)) == 0


def test_the_faces_say_what_the_background_is():
    assert face_value(MEASURED) == 0 and face_value(MEASURED - 7.5) == -7.5
    assert face_value(RNG.normal(size=SHAPE)) is None


@pytest.mark.parametrize(("scale", "offset"), [(1 / 210, -250 / 210), (1, -140), (1, -2000)])
def test_a_head_of_which_zero_cuts_the_brain_is_shifted_to_its_air(scale, offset):
    head = np.where(
        np.linalg.norm(np.indices(SHAPE) - 14.5, axis=0) < 14, MEASURED + 30, RNG.normal(4, 1, SHAPE)
    )
    scan, other = volume(scale * head + offset), volume(head)
    grid = Grid(SHAPE, np.eye(4))
    assert head_above_zero(other, grid, BRAIN) is other and other.warnings == ()
    found = head_above_zero(scan, grid, BRAIN)
    lifted = found.intensities
    air = np.percentile(head, 0.1)
    assert lifted.min() == 0 and np.allclose(lifted / scale, (head - air).clip(0), atol=0.01)
    assert "of its brain's voxels are negative" in found.warnings[0]


def test_noise_in_the_air_around_a_head_may_be_negative():
    scan = volume(np.where(BRAIN, MEASURED, RNG.normal(0, 5, SHAPE)))
    assert (scan.intensities < 0).mean() > 0.2
    assert head_above_zero(scan, Grid(SHAPE, np.eye(4)), BRAIN) is scan
