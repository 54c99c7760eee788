import numpy as np
import pytest
from paper_study import RESIDUAL
from scipy.ndimage import binary_erosion, gaussian_filter, generate_binary_structure
from scipy.ndimage import median_filter as scipy_median_filter

from spatial_erasing.cohorts import Split
from spatial_erasing.score.maps import Scoring, score_maps
from spatial_erasing.score.postprocess import erode_in_plane, median_filter, post_process


def anomaly_score(scan, reconstruction, brain, **post_processing):
    """One subject's score map, with the paper's score."""
    nothing = np.zeros_like(brain)
    alone = Split([("a", "b")], scan[None], brain[None], nothing[None], nothing[None].any(axis=(1, 2)))
    (score,) = score_maps(alone, reconstruction[None], Scoring(RESIDUAL, post_processing))
    return score


CROSS_IN_PLANE = generate_binary_structure(2, 1)[:, :, None]


def ellipsoid(*shape, radius=0.8):
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    return sum(axis**2 for axis in axes) <= radius**2


@pytest.fixture(params=["ellipsoid", "touches the border", "speckled", "full", "empty"])
def brain(request):
    rng = np.random.default_rng(3)
    return {
        "ellipsoid": ellipsoid(20, 24, 18),
        "touches the border": ellipsoid(20, 24, 18, radius=1.2),
        "speckled": gaussian_filter(rng.normal(size=(20, 24, 18)), 1.5) > 0,
        "full": np.ones((20, 24, 18), bool),
        "empty": np.zeros((20, 24, 18), bool),
    }[request.param]


@pytest.mark.parametrize("iterations", [1, 2, 3, 7])
def test_erosion_is_binary_erosion_of_scipy_with_a_cross_in_plane(brain, iterations):
    expected = binary_erosion(brain, structure=CROSS_IN_PLANE, iterations=iterations)
    np.testing.assert_array_equal(erode_in_plane(brain, iterations), expected)


def test_erosion_shrinks_and_adds_up(brain):
    once, twice = erode_in_plane(brain, 1), erode_in_plane(brain, 2)
    assert not (once & ~brain).any() and not (twice & ~once).any()
    np.testing.assert_array_equal(erode_in_plane(once, 1), twice)


def test_erosion_of_zero_iterations_copies_the_mask(brain):
    same = erode_in_plane(brain, 0)
    np.testing.assert_array_equal(same, brain)
    assert not np.shares_memory(same, brain)


def test_erosion_treats_each_axial_slice_and_each_subject_alone():
    brain = np.zeros((2, 9, 9, 5), bool)
    brain[0, 2:7, 2:7, 2] = True  # one slice thick: a 3-D cross would leave nothing
    eroded = erode_in_plane(brain, 1)
    assert eroded[0, 3:6, 3:6, 2].all() and eroded.sum() == 9


def test_erosion_refuses_a_negative_number():
    with pytest.raises(ValueError, match="-1 erosions"):
        erode_in_plane(np.ones((4, 4, 4), bool), -1)


def residual(kind, shape=(17, 21, 19)):
    """Volumes on which shortcuts of a median could fail."""
    rng = np.random.default_rng(11)
    noise = rng.normal(size=shape).astype(np.float32)
    return {
        "residual in a brain": np.abs(noise) * ellipsoid(*shape),
        "brain at the border": np.abs(noise) * ellipsoid(*shape, radius=1.3),
        "dense": np.abs(noise),
        "signed": noise * (rng.random(shape) < 0.6),
        "ties": np.abs(noise).round(0) * ellipsoid(*shape),
        "sparse": np.abs(noise) * (rng.random(shape) < 0.5),
        "zero": np.zeros(shape, np.float32),
        "fortran order": np.asfortranarray(np.abs(noise)),
    }[kind]


@pytest.mark.parametrize("size_voxels", [1, 3, 5, 7])
@pytest.mark.parametrize(
    "kind",
    [
        "residual in a brain",
        "brain at the border",
        "dense",
        "signed",
        "ties",
        "sparse",
        "zero",
        "fortran order",
    ],
)
def test_median_equals_scipy_exactly(kind, size_voxels):
    volume = residual(kind)
    filtered = median_filter(volume, size_voxels)
    np.testing.assert_array_equal(filtered, scipy_median_filter(volume, size=size_voxels))
    assert filtered.dtype == np.float32


def test_median_equals_scipy_on_a_grid_smaller_than_its_cube():
    volume = np.random.default_rng(0).random((2, 3, 6), dtype=np.float32)
    np.testing.assert_array_equal(median_filter(volume, 7), scipy_median_filter(volume, size=7))


def test_median_commutes_with_a_monotone_rescaling():
    volume = residual("residual in a brain")
    np.testing.assert_array_equal(median_filter(np.sqrt(volume), 3), np.sqrt(median_filter(volume, 3)))


def test_median_commutes_with_mirroring_and_turning():
    volume = residual("brain at the border")
    expected = median_filter(volume, 5)[::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(median_filter(volume[::-1].transpose(2, 0, 1), 5), expected)


def test_median_of_five_deletes_a_lesion_of_33_voxels():
    x, y, z = np.indices((17, 17, 17)) - 8
    ball = (x**2 + y**2 + z**2 <= 4).astype(np.float32)
    assert ball.sum() == 33
    assert not median_filter(ball, 5).any() and median_filter(ball, 3).sum() == 19


@pytest.mark.parametrize("size_voxels", [0, -3, 2, 4])
def test_median_refuses_a_cube_without_a_middle_voxel(size_voxels):
    with pytest.raises(ValueError, match="choose an odd size"):
        median_filter(residual("dense"), size_voxels)


@pytest.fixture
def scored():
    rng = np.random.default_rng(5)
    brain = ellipsoid(20, 24, 18)
    scan = (rng.random(brain.shape) * brain).astype(np.float16)
    reconstruction = (scan + rng.normal(scale=0.2, size=brain.shape)).astype(np.float16)
    return scan, reconstruction, brain


@pytest.mark.parametrize("erosion_iterations, median_size_voxels", [(0, 1), (2, 1), (1, 3), (2, 5)])
def test_anomaly_score_is_the_recipe_of_scipy(scored, erosion_iterations, median_size_voxels):
    scan, reconstruction, brain = scored
    mask = brain
    if erosion_iterations:
        mask = binary_erosion(brain, CROSS_IN_PLANE, iterations=erosion_iterations)
    residual_in_mask = np.where(mask, np.abs(scan.astype("f4") - reconstruction.astype("f4")), np.float32(0))
    expected = scipy_median_filter(residual_in_mask, size=median_size_voxels).astype(np.float16)

    score = anomaly_score(
        scan,
        reconstruction,
        brain,
        erosion_iterations=erosion_iterations,
        median_size_voxels=median_size_voxels,
    )

    assert score.dtype == np.float16
    np.testing.assert_array_equal(score, expected)


def test_anomaly_score_is_symmetric_and_leaves_its_input_alone(scored):
    scan, reconstruction, brain = scored
    before = scan.copy(), reconstruction.copy(), brain.copy()
    values = {"erosion_iterations": 1, "median_size_voxels": 3}
    score = anomaly_score(scan, reconstruction, brain, **values)
    np.testing.assert_array_equal(score, anomaly_score(reconstruction, scan, brain, **values))
    for array, copy in zip(scored, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert not anomaly_score(scan, scan, brain, **values).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6])
def test_anomaly_score_refuses_a_diverged_reconstruction(scored, value):
    scan, reconstruction, brain = scored
    reconstruction = reconstruction.astype(np.float32)
    reconstruction[3, 4, 5] = value
    with pytest.raises(ValueError, match="diverged"):
        anomaly_score(scan, reconstruction, brain, erosion_iterations=1, median_size_voxels=3)


def test_anomaly_score_refuses_other_grids(scored):
    scan, reconstruction, brain = scored
    with pytest.raises(ValueError, match="one grid"):
        anomaly_score(scan, reconstruction, brain[1:], erosion_iterations=1, median_size_voxels=3)
    with pytest.raises(ValueError, match="one grid"):
        anomaly_score(scan, reconstruction[1:], brain, erosion_iterations=1, median_size_voxels=3)
    with pytest.raises(ValueError, match="three axes"):
        post_process(scan[None], brain[None], erosion_iterations=1, median_size_voxels=1)


def test_a_negative_score_is_refused(scored):
    scan, _, brain = scored
    with pytest.raises(ValueError, match=r"scores range from -.* expected 0 to 65504"):
        post_process(scan - 0.5, brain, erosion_iterations=1, median_size_voxels=1)


def test_an_erosion_that_leaves_nothing_of_a_brain_is_refused_with_its_value():
    brain = ellipsoid(12, 14, 10)
    scan, reconstruction = np.random.default_rng(0).random((2, *brain.shape))
    with pytest.raises(ValueError, match=r"score\.erosion_iterations is 100, which removes the whole brain"):
        anomaly_score(scan, reconstruction, brain, erosion_iterations=100, median_size_voxels=3)
    nothing = np.zeros_like(brain)  # such a mask is not the erosion's fault
    assert not anomaly_score(scan, reconstruction, nothing, erosion_iterations=1, median_size_voxels=3).any()
