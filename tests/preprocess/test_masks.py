import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.masks import label_lesion, unite_lesions

SHAPE = (40, 40, 40)
POINTS = np.moveaxis(np.indices(SHAPE), 0, -1)
BRAIN = np.linalg.norm(POINTS - 19.5, axis=-1) < 18
LESION = np.linalg.norm(POINTS - [14, 22, 18], axis=-1) < 6
BRAIN_ML = BRAIN.sum() / 1000
GRID = Grid(SHAPE, np.eye(4))


def volume(values):
    return Volume(np.asarray(values, dtype=np.float32), np.eye(4), "lesion.nii")


def interpolated():
    half = zoom(LESION.astype(float), 0.5, order=1)
    return zoom(half, 2, order=1)


def numbered():
    """Many small lesions, each with a number of its own; some touch."""
    values = np.zeros(SHAPE)
    corners = [(x, y, z) for x in (10, 16, 22) for y in (10, 16, 22) for z in (10, 16, 22)]
    for number, (x, y, z) in enumerate(corners, start=1):
        values[x : x + 4, y : y + 4, z : z + 4] = number
    values[14:16, 10:14, 10:14] = 1  # reaches its neighbour
    return values


LABELS = {
    "0 and 1": (LESION, LESION),
    "0 and 255": (255 * LESION, LESION),
    "tumour labels": (np.where(POINTS[..., 0] < 14, 1, 4) * LESION, LESION),
    "parts of a tumour, one around the other": (
        sum((np.linalg.norm(POINTS - [14, 22, 18], axis=-1) < r).astype(int) for r in (2, 4, 6)),
        LESION,
    ),
    "parts numbered 50, 100 and 150 inwards": (
        50 * sum((np.linalg.norm(POINTS - [18, 20, 19], axis=-1) < r).astype(int) for r in (4, 7, 11)),
        np.linalg.norm(POINTS - [18, 20, 19], axis=-1) < 11,
    ),
    "parts numbered 50 and 250 inwards": (
        50.0 * (np.linalg.norm(POINTS - [18, 20, 19], axis=-1) < 10) + 200 * LESION,
        (np.linalg.norm(POINTS - [18, 20, 19], axis=-1) < 10) | LESION,
    ),
    "seven lesions in a row": (np.clip(POINTS[..., 0] - 7, 1, 12) * LESION, LESION),
    "labels rounded by a slope": (2.0002 * LESION, LESION),
    "numbered lesions": (numbered(), numbered() > 0),
    "a probability": (0.9 * LESION + 0.3 * BRAIN * ~LESION, LESION),
    "nothing": (0 * LESION, 0 * LESION),
    "negative elsewhere": (np.where(LESION, 1, -1), LESION),
}
SMOOTH = gaussian_filter(LESION.astype(float), 1.5)
GRADED = {
    "uint8 after resampling": np.round(255 * interpolated()),
    "0 to 255 as float": 255 * interpolated(),
    "smoothed": np.round(255 * gaussian_filter(LESION.astype(float), 1.0)),
    **{f"{top} steps": np.round(top * SMOOTH / SMOOTH.max()) for top in (5, 10, 15, 20)},
    "3 steps": 85 * np.round(3 * gaussian_filter(LESION.astype(float), 1.0)),
    "4 steps": 25 * np.round(4 * gaussian_filter(LESION.astype(float), 1.5)),
    "0 to 100": 100 * gaussian_filter(LESION.astype(float), 1.0),
}


@pytest.mark.parametrize("case", LABELS)
def test_every_label_of_1_or_more_is_lesion(case):
    values, expected = LABELS[case]
    found = label_lesion(volume(values), brain_ml=BRAIN_ML)
    assert np.array_equal(found.intensities, expected) and found.warnings == ()


@pytest.mark.parametrize("case", GRADED)
def test_the_upper_half_of_a_graded_mask_is_lesion(case):
    values = GRADED[case]
    found = label_lesion(volume(values), brain_ml=BRAIN_ML)
    assert np.array_equal(found.intensities > 0, values.astype(np.float32) >= np.float32(values.max()) / 2)
    tolerance = (
        0.2 if case.endswith(" steps") else 0.15
    )  # rounding to few steps moves the half of the maximum
    assert found.intensities.sum() == pytest.approx(LESION.sum(), rel=tolerance)
    assert (values >= 1).sum() > 1.3 * LESION.sum(), "what was counted before"
    assert found.warnings[0].startswith("lesion.nii is graded from 0 to ")


SCAN = np.random.default_rng(0).integers(100, 900, SHAPE) * BRAIN
IMPLAUSIBLE = {
    "the brain mask": BRAIN,
    "an inverted mask": ~LESION,
    "the scan": SCAN,
    "a scan with one hot voxel": np.where(POINTS.sum(axis=-1) == 0, 1e6, SCAN),
}


@pytest.mark.parametrize("case", IMPLAUSIBLE)
def test_a_lesion_of_more_than_half_of_the_brain_is_refused_with_both_volumes(case):
    with pytest.raises(
        ValueError, match=r"lesion\.nii: the lesion holds \d+ ml, the brain 24 ml.*inverted mask"
    ) as error:
        unite_lesions([label_lesion(volume(IMPLAUSIBLE[case]), brain_ml=BRAIN_ML)], GRID, brain=BRAIN)
    assert "skull strip" not in str(error.value)


def test_half_of_the_brain_is_the_limit():
    half = BRAIN & (POINTS[..., 0] < 20)
    assert np.array_equal(unite_lesions([volume(half)], GRID, brain=BRAIN), half)
    with pytest.raises(ValueError, match="at most half"):
        unite_lesions([volume(half), volume(BRAIN & (POINTS[..., 0] < 21))], GRID, brain=BRAIN)
