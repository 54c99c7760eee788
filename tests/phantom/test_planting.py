import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from sklearn.mixture import GaussianMixture

from spatial_erasing_phantoms.planting import (
    StrokeLook,
    Tissues,
    blending_weight,
    carry_mask,
    darken,
    draw_look,
    lesion_box,
    stroke_signal,
    tissue_signal,
)

TISSUES = Tissues(csf=100.0, grey=300.0, white=500.0)


def ball(shape, centre, radius):
    axes = np.ogrid[tuple(slice(0, size) for size in shape)]
    return sum((axis - place) ** 2 for axis, place in zip(axes, centre, strict=True)) <= radius**2


def test_tissues_are_those_of_a_gaussian_mixture():
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [rng.normal(100, 20, 4000), rng.normal(300, 30, 20000), rng.normal(500, 25, 16000)]
    )
    mixture = GaussianMixture(3, means_init=[[90], [310], [490]]).fit(values[:, None])
    expected = np.sort(mixture.means_.ravel())
    found = tissue_signal(values)
    np.testing.assert_allclose([found.csf, found.grey, found.white], expected, atol=10)


def test_tissues_follow_the_unit_of_the_scan():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(100, 20, 4000), rng.normal(300, 30, 9000), rng.normal(500, 25, 9000)])
    first, second = tissue_signal(values), tissue_signal(7 * values + 50)
    for name in ("csf", "grey", "white"):
        assert getattr(second, name) == pytest.approx(7 * getattr(first, name) + 50, rel=1e-3)


def test_a_mask_is_carried_as_simpleitk_carries_it():
    mask = ball((30, 40, 50), (12, 25, 20), 7)
    mask_affine = nib.affines.from_matvec(np.diag([-1.5, 1.0, 2.0]), [20.0, -15.0, -30.0])
    affine = nib.affines.from_matvec(np.diag([1.0, -1.2, 1.1]), [-25.0, 30.0, -28.0])
    turn = nib.eulerangles.euler2mat(z=0.2, y=0.1, x=-0.1)
    to_mask_mm = nib.affines.from_matvec(turn, [1.0, 2.0, -3.0])

    carried = carry_mask(
        mask, mask_affine=mask_affine, grid=(50, 45, 60), affine=affine, to_mask_mm=to_mask_mm
    )

    image = sitk.GetImageFromArray(mask.astype(np.uint8).T)
    transform = sitk.AffineTransform(3)
    whole = np.linalg.inv(mask_affine) @ to_mask_mm @ affine
    transform.SetMatrix(whole[:3, :3].ravel().tolist())
    transform.SetTranslation(whole[:3, 3].tolist())
    reference = sitk.Resample(image, (50, 45, 60), transform, sitk.sitkNearestNeighbor)
    expected = sitk.GetArrayFromImage(reference).T > 0
    assert carried.sum() > 500
    assert (carried != expected).mean() < 1e-4  # halves are rounded differently


def test_the_edge_is_soft_and_half_of_it_lies_at_the_mask():
    lesion, brain = ball((41, 41, 41), (20, 20, 20), 9), np.ones((41, 41, 41), dtype=bool)
    weight = blending_weight(lesion, brain, voxel_sizes_mm=(1, 1, 1))
    expected = ndimage.gaussian_filter(lesion.astype(float), 1.0, truncate=3.0)
    np.testing.assert_allclose(weight, expected, atol=1e-5)
    assert ((weight > 0.05) & (weight < 0.95)).sum() > 1000
    assert abs((weight >= 0.5).sum() / lesion.sum() - 1) < 0.08


def test_the_lesion_reaches_the_brain_s_surface_and_not_beyond():
    brain = np.zeros((30, 30, 30), dtype=bool)
    brain[:15] = True
    lesion = brain & ball(brain.shape, (14, 15, 15), 6)
    weight = blending_weight(lesion, brain, voxel_sizes_mm=(1, 1, 1))
    assert not weight[~brain].any()
    assert weight[14, 15, 15] > 0.95


def test_the_box_holds_all_that_changes():
    lesion = ball((60, 60, 60), (30, 20, 25), 5)
    box = lesion_box(lesion, voxel_sizes_mm=(1, 1, 2))
    weight = blending_weight(lesion, np.ones_like(lesion), voxel_sizes_mm=(1, 1, 2))
    outside = np.ones(lesion.shape, dtype=bool)
    outside[box] = False
    assert not weight[outside].any()
    inside = blending_weight(lesion[box], np.ones_like(lesion[box]), voxel_sizes_mm=(1, 1, 2))
    np.testing.assert_allclose(inside, weight[box], atol=1e-6)


def test_a_stroke_lies_between_csf_and_grey_matter_darker_in_its_depth():
    lesion = ball((51, 51, 51), (25, 25, 25), 18)
    look = StrokeLook(cavity=0.2, rim=0.7, texture_seed=3)
    signal = stroke_signal(look, lesion, tissues=TISSUES, voxel_sizes_mm=(1, 1, 1))
    depth = ndimage.distance_transform_edt(lesion)
    assert TISSUES.csf < signal[lesion].mean() < TISSUES.grey
    assert signal[depth > 10].mean() < signal[(depth > 0) & (depth < 2)].mean()
    assert signal[depth > 12].mean() == pytest.approx(100 + 0.2 * 200, abs=15)
    again = stroke_signal(look, lesion, tissues=TISSUES, voxel_sizes_mm=(1, 1, 1))
    np.testing.assert_array_equal(signal, again)


def test_looks_are_drawn_in_their_ranges():
    looks = [draw_look(np.random.default_rng(seed)) for seed in range(200)]
    assert (
        0.05 <= min(look.cavity for look in looks) < 0.08
        and 0.32 < max(look.cavity for look in looks) <= 0.35
    )
    assert min(look.rim for look in looks) >= 0.50 and max(look.rim for look in looks) <= 0.90


@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.float32])
def test_darkening_only_darkens_and_leaves_the_rest_to_the_last_bit(kind):
    rng = np.random.default_rng(0)
    scan = rng.integers(0, 250, (20, 20, 20)).astype(kind)
    weight = blending_weight(ball(scan.shape, (10, 10, 10), 5), scan >= 0, voxel_sizes_mm=(1, 1, 1))
    signal = np.full(scan.shape, 60.0)
    planted = darken(scan, signal, weight)
    assert planted.dtype == kind
    np.testing.assert_array_equal(planted[weight == 0], scan[weight == 0])
    assert (planted <= scan).all()
    whole = (weight > 0.999) & (scan > 60)
    np.testing.assert_allclose(planted[whole], 60, atol=1)
    np.testing.assert_array_equal(planted[scan <= 60], scan[scan <= 60])
