import numpy as np
import pytest
from skimage.metrics import structural_similarity

from spatial_erasing.score.maps import make_score

RNG = np.random.default_rng(4)
SCAN, OUTPUT = RNG.random((2, 24, 24, 24)).astype(np.float16)
BRAIN = np.ones(SCAN.shape, dtype=bool)


def score(*windows):
    return make_score({"kind": "structural", "title": "any", "windows_voxels": list(windows)})


@pytest.mark.parametrize("window", [3, 7, 11])
def test_a_window_is_that_of_scikit_image(window):
    pair = SCAN.astype(float), 0.7 * SCAN.astype(float) + 0.3 * OUTPUT
    options = {"data_range": 1.0, "use_sample_covariance": False, "full": True}
    _, expected = structural_similarity(*pair, win_size=window, **options)
    inside = (slice(6, -6),) * 3  # at the border scikit-image mirrors
    found = score(window).score_map(*pair, BRAIN)
    np.testing.assert_allclose(found[inside], (1 - expected[inside]) / 2, atol=1e-6)


def test_several_windows_are_their_mean_and_equal_volumes_score_0():
    each = [score(window).score_map(SCAN, OUTPUT, BRAIN) for window in (3, 5, 9)]
    found = score(3, 5, 9).score_map(SCAN, OUTPUT, BRAIN)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)
    assert found.min() >= 0 and found.max() <= 1
    assert score(3, 11).score_map(SCAN, SCAN, BRAIN).max() < 1e-12


def test_windows_without_a_middle_voxel_or_beyond_a_brain_are_refused():
    for windows in ([], [4], [3, 10**9]):
        with pytest.raises(ValueError, match=r"windows_voxels is .*; expected some of \(3, 5"):
            score(*windows)


def test_texture_that_turns_upside_down_scores_more_than_a_shift_of_the_same_l1():
    texture = 0.2 * (np.indices(SCAN.shape).sum(axis=0) % 2) + 0.4
    upside_down, brighter = 1 - texture, texture + 0.2
    assert abs(texture - upside_down).mean() == pytest.approx(abs(texture - brighter).mean())
    assert score(5).score_map(texture, upside_down, BRAIN).mean() > 0.5
    assert score(5).score_map(texture, brighter, BRAIN).mean() < 0.1
