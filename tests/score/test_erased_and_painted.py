import numpy as np
import pytest
from networks_to_score import GRID, MeanOfTheRest, network_of, part_of, split_of
from scipy import ndimage

from spatial_erasing.score.reconstruct import unstored_maps

SCANS, HEALTHY = split_of(3, 2), split_of(2, 1)
PARTS = {"kind": "erased_parts", "edge_voxels": 4, "fill": "zero"}
AGAIN = {"kind": "erase_and_restore", "share": 0.1, "rounds": 2, "fill": "zero"}


def maps(network, score, scans=SCANS):
    return np.stack(list(unstored_maps(network, scans, HEALTHY, score=score)))


def test_each_part_is_compared_with_the_mean_of_the_other_parts():
    scan = SCANS.scans[0].astype("f4")
    expected = np.zeros_like(scan)
    for corner in np.ndindex(2, 2, 2):
        part = np.zeros(GRID, dtype=bool)
        part[tuple(slice(4 * start, 4 * start + 4) for start in corner)] = True
        rest = scan[~part & (scan > 0)]
        expected[part] = np.abs(scan[part] - rest.mean())
    found = maps(MeanOfTheRest(3), PARTS, part_of(SCANS, [0]))[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("score", [PARTS, AGAIN, PARTS | {"fill": "noise"}, AGAIN | {"fill": "noise"}])
def test_a_map_does_not_depend_on_the_other_subjects(dims, score):
    network = network_of(dims)
    together, alone = maps(network, score), maps(network, score, part_of(SCANS, [1]))
    np.testing.assert_array_equal(together[1], alone[0])


def test_what_is_erased_has_no_influence_on_what_is_painted_there():
    network, corner = network_of(3), (slice(None), *(slice(0, 4),) * 3)
    other = split_of(3, 2)
    other.scans[corner] = (0.9 * other.brain[corner]).astype(np.float16)
    painted = [maps(network, PARTS, split)[corner] for split in (SCANS, other)]
    # the distance to the same painted part: the scans differ, what is painted does not
    first = [
        np.stack([split.scans[corner].astype("f4") + sign * found for sign in (1, -1)])
        for split, found in zip((SCANS, other), painted, strict=True)
    ]
    agreement = np.abs(first[0][:, None] - first[1][None]).min(axis=(0, 1))
    assert agreement.max() < 1e-4


def test_parts_without_brain_are_0():
    scans = split_of(1, 3)
    scans.brain[:, :, :, 4:] = False
    scans.scans[~scans.brain] = 0
    assert not maps(network_of(3), PARTS, scans)[..., 4:].any()


def test_the_erased_voxels_are_those_with_the_highest_mean_residual_around_them():
    scan, brain = SCANS.scans[0].astype(np.float64), SCANS.brain[0]

    def residual_without(erased):
        rest = scan[~erased & (scan > 0)]
        return np.abs(scan - rest.mean())

    residual = residual_without(np.zeros(GRID, dtype=bool))
    for _ in range(AGAIN["rounds"]):
        around = ndimage.uniform_filter(residual * brain, 3, mode="constant") * brain
        lowest = np.sort(around[brain])[-round(AGAIN["share"] * brain.sum())]
        residual = residual_without((around >= lowest - 1e-9) & brain)
    found = maps(MeanOfTheRest(3), AGAIN, part_of(SCANS, [0]))[0]
    np.testing.assert_allclose(found, residual, atol=1e-4)
    assert np.abs(residual - residual_without(np.zeros(GRID, dtype=bool))).max() > 1e-3


def test_the_most_suspicious_voxels_are_erased_and_the_lesion_stands_out_more():
    scans = split_of(1, 5)
    scans.scans[scans.brain] = 0.5
    scans.scans[scans.lesion] = 0.9
    network = MeanOfTheRest(3)
    before, after = (
        maps(network, AGAIN | {"rounds": rounds, "share": 8 / 216}, scans)[0] for rounds in (1, 3)
    )
    lesion = scans.lesion[0]
    plain = np.abs(0.9 - scans.scans[0][scans.brain[0]].astype("f4").mean())
    np.testing.assert_allclose(before[lesion], 0.4, atol=2e-3)
    np.testing.assert_allclose(after[lesion], 0.4, atol=2e-3)
    assert plain < 0.39
