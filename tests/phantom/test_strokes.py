import numpy as np
import pytest
from scipy.ndimage import label

from spatial_erasing_phantoms.lesions import apply_lesion, lesion_labels, lesion_signal
from spatial_erasing_phantoms.strokes import draw_stroke

SIGNAL = {"csf": 0.2, "grey": 0.6, "white": 1.0}


@pytest.fixture(scope="module")
def strokes(coarse_brain):
    """Masks of 16 strokes of 4 ml or more, which the coarse grid shows well."""
    lesions = [draw_stroke(np.random.default_rng(seed), coarse_brain, minimum_ml=4.0) for seed in range(16)]
    return [
        (lesion, lesion_labels(lesion, apply_lesion(lesion, coarse_brain), dict.fromkeys(lesion.parts, 1)))
        for lesion in lesions
    ]


def test_both_parts_lie_between_csf_and_grey_matter(strokes):
    for lesion, _ in strokes:
        signal = lesion_signal(lesion, "t1", SIGNAL)
        assert 0.2 + 0.05 * 0.4 <= signal["stroke_cavity"] <= 0.2 + 0.35 * 0.4
        assert 0.2 + 0.50 * 0.4 <= signal["stroke_rim"] <= 0.2 + 0.90 * 0.4


def test_strokes_lie_in_the_brain_and_keep_the_limits(strokes, coarse_brain):
    volumes_ml = np.array([mask.sum() * coarse_brain.grid.voxel_ml for _, mask in strokes])
    assert (volumes_ml > 4.0 * 0.8).all()
    assert (volumes_ml < 150 * 1.2).all()
    assert volumes_ml.max() > 2 * volumes_ml.min()
    for _, mask in strokes:
        assert (coarse_brain.brain.numpy()[mask > 0] >= 0.5).all()


def test_most_strokes_stay_on_one_side_and_spare_the_ventricles(strokes, coarse_brain):
    right = coarse_brain.grid.points()[0].numpy()
    middle = np.median(right[coarse_brain.brain.numpy() >= 0.5])
    sides = np.array([(right[mask > 0] > middle).mean() for _, mask in strokes])
    assert (np.maximum(sides, 1 - sides) > 0.95).mean() >= 0.7
    csf = coarse_brain.tissues["csf"].numpy()
    assert np.mean([csf[mask > 0].mean() for _, mask in strokes]) < 0.15


def test_strokes_are_mostly_one_piece_with_a_border_rougher_than_a_ball(strokes):
    for _, mask in strokes:
        pieces, count = label(mask)
        largest = np.bincount(pieces.ravel())[1:].max()
        assert largest > 0.6 * mask.sum(), count
    faces = [
        sum(np.abs(np.diff(mask.astype(int), axis=axis)).sum() for axis in range(3)) for _, mask in strokes
    ]
    cubes = [6 * mask.sum() ** (2 / 3) for _, mask in strokes]  # a voxelised ball has about 1.2 times as many
    assert np.median(np.array(faces) / cubes) > 1.3
