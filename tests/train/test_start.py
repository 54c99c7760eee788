import numpy as np

from spatial_erasing.train.start import training_items


def test_slices_are_the_axial_slices_that_hold_brain_and_no_other():
    rng = np.random.default_rng(0)
    volumes = rng.random((3, 4, 5, 6)).astype(np.float16)
    brain = np.zeros(volumes.shape, dtype=bool)
    brain[0, 1, 1, 2:4] = True
    brain[2, 3, 4, 5] = True

    slices = training_items(volumes, brain, spatial_dims=2)

    expected = [volumes[0, :, :, 2], volumes[0, :, :, 3], volumes[2, :, :, 5]]
    np.testing.assert_array_equal(slices.numpy()[:, 0], expected)


def test_volumes_are_whole():
    volumes = np.random.default_rng(0).random((3, 4, 5, 6)).astype(np.float16)
    items = training_items(volumes, volumes > 2, spatial_dims=3)
    np.testing.assert_array_equal(items.numpy()[:, 0], volumes)
