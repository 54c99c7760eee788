import numpy as np
import pytest
from intensity_normalization.adapters.images import NumpyImageAdapter
from intensity_normalization.domain.models import Modality
from intensity_normalization.normalizers.individual.whitestripe import WhiteStripeNormalizer

from spatial_erasing.preprocess.standardise.white_matter import to_white_matter, white_matter_peak


def brain(white=0.75, share=0.4, voxels=30_000):
    rng = np.random.default_rng(4)
    grey = rng.normal(0.4, 0.07, int(voxels * (1 - share)))
    return np.clip(np.concatenate([grey, rng.normal(white, 0.05, int(voxels * share))]), 0, 1)


@pytest.mark.parametrize("white", [0.6, 0.7, 0.8])
def test_the_peak_is_where_white_stripe_has_it(white):
    values = brain(white)
    library = WhiteStripeNormalizer(modality=Modality.T1)
    library.fit(NumpyImageAdapter(values), NumpyImageAdapter(np.ones_like(values)))
    assert white_matter_peak(values) == pytest.approx(library.mean, abs=0.02)
    assert white_matter_peak(values) == pytest.approx(white, abs=0.02)


def test_a_dark_lesion_does_not_move_the_peak():
    values = brain()
    ill = np.concatenate([values, np.random.default_rng(1).normal(0.2, 0.05, len(values) // 6).clip(0, 1)])
    assert white_matter_peak(ill) == pytest.approx(white_matter_peak(values), abs=0.01)


@pytest.mark.parametrize("target", [0.6, 0.9])
def test_the_peak_goes_to_its_target_and_nothing_above_1(target):
    found = to_white_matter(brain(), target)
    assert white_matter_peak(found(brain())) == pytest.approx(target, abs=0.01)
    assert found(np.ones(1))[0] == pytest.approx(min(1, target / white_matter_peak(brain())))


def test_without_a_peak_the_highest_point_counts():
    assert white_matter_peak(np.linspace(0.2, 0.9, 5000) ** 0.5) > 0.3
