import numpy as np
import pytest

from spatial_erasing_phantoms.lesions import apply_lesion, lesion_labels, lesion_signal
from spatial_erasing_phantoms.tumours import LABELS, draw_tumour

SIGNAL = {"csf": 0.2, "grey": 0.6, "white": 1.0}


@pytest.fixture(scope="module", params=["HGG", "LGG"])
def tumours(request, coarse_brain):
    """Grade, lesions and label images of ten tumours."""
    lesions = [
        draw_tumour(np.random.default_rng(seed), coarse_brain, grade=request.param) for seed in range(10)
    ]
    images = [lesion_labels(lesion, apply_lesion(lesion, coarse_brain), LABELS) for lesion in lesions]
    return request.param, lesions, images


def test_labels_are_those_of_brats(tumours):
    grade, _, images = tumours
    for image in images:
        assert set(np.unique(image)) <= {0, 1, 2, 4}
        assert {1, 2} <= set(np.unique(image))
        assert (4 in image) == (grade == "HGG")


def test_volumes_lie_in_the_stated_range(tumours, coarse_brain):
    _, _, images = tumours
    volumes_ml = np.array([(image > 0).sum() * coarse_brain.grid.voxel_ml for image in images])
    assert (volumes_ml > 10 * 0.8).all()
    assert (volumes_ml < 250 * 1.2).all()
    assert 40 < np.median(volumes_ml) < 160


def test_the_solid_part_is_a_quarter_to_half_of_the_whole(tumours):
    _, _, images = tumours
    shares = [np.isin(image, (1, 4)).sum() / (image > 0).sum() for image in images]
    assert min(shares) > 0.15
    assert max(shares) < 0.65


def test_every_part_is_darker_than_white_matter_on_t1(tumours):
    _, lesions, _ = tumours
    for lesion in lesions:
        assert max(lesion_signal(lesion, "t1", SIGNAL).values()) < 0.9
        assert min(lesion_signal(lesion, "t1", SIGNAL).values()) > SIGNAL["csf"] + 0.1


def test_only_the_rim_changes_with_contrast_agent_and_exceeds_white_matter(tumours):
    grade, lesions, _ = tumours
    for lesion in lesions:
        plain, enhanced = (lesion_signal(lesion, sequence, SIGNAL) for sequence in ("t1", "t1ce"))
        changed = {part for part in plain if plain[part] != enhanced[part]}
        assert changed == ({"enhancing"} if grade == "HGG" else set())
        if grade == "HGG":
            assert 1.0 + 0.3 * 0.4 <= enhanced["enhancing"] <= 1.0 + 1.6 * 0.4 + 1e-9


def test_tumours_lie_in_the_brain(tumours, coarse_brain):
    for image in tumours[2]:
        assert (coarse_brain.brain.numpy()[image > 0] >= 0.5).all()
