import numpy as np
import pandas as pd

from spatial_erasing.evaluate.lesion_sizes import size_groups


def test_thirds_are_those_of_pandas():
    voxels = np.random.default_rng(1).gamma(1, 300, size=50).astype(int) + 1
    groups = size_groups(voxels, percentiles=(30, 70))
    expected = pd.qcut(voxels, [0, 0.3, 0.7, 1], labels=["small", "middle", "large"])
    for size, is_in in groups.items():
        np.testing.assert_array_equal(is_in, expected == size)


def test_each_lesion_is_in_one_group_and_a_vanished_one_in_none():
    voxels = np.array([0, 5, 5, 5, 9, 0, 100])
    groups = size_groups(voxels, percentiles=(33.3, 66.7))
    np.testing.assert_array_equal(sum(is_in.astype(int) for is_in in groups.values()), voxels > 0)
    assert voxels[groups["small"]].max() < voxels[groups["large"]].min()


def test_a_unit_of_size_changes_no_group():
    voxels = np.random.default_rng(2).integers(1, 1000, size=30)
    first, second = (size_groups(k * voxels, percentiles=(33.3, 66.7)) for k in (1, 7))
    for size in first:
        np.testing.assert_array_equal(first[size], second[size])


def test_no_lesion_at_all_is_no_group():
    groups = size_groups(np.zeros(4, dtype=int), percentiles=(33.3, 66.7))
    assert not any(is_in.any() for is_in in groups.values())
