import numpy as np
import pytest
from scipy.stats import spearmanr

from spatial_erasing.images.grids import Grid
from spatial_erasing.preprocess.oddities import (
    depth_correlation,
    neighbour_correlation,
    warn_of_brain,
    warn_of_contrast,
    warn_of_faces,
    warn_of_flat_ends,
    warn_of_parts,
)
from spatial_erasing.preprocess.strip import large_components

SHAPE = (44, 44, 44)  # of 4 mm
RADIUS = np.linalg.norm(np.indices(SHAPE) - 21.5, axis=0)
BRAIN = RADIUS < 18
T1 = np.where(BRAIN, 1 - RADIUS / 30, 0)
NOISE = np.where(BRAIN, np.random.default_rng(0).random(SHAPE), 0)
SIZES_MM = np.full(3, 4.0)
GRID = Grid(SHAPE, np.diag([4.0, 4.0, 4.0, 1.0]))


def contrast(scan, sequence="t1", **kept):
    return list(warn_of_contrast(scan, BRAIN, **({"voxel_sizes_mm": SIZES_MM, "sequence": sequence} | kept)))


def test_a_t1_has_nothing_to_be_said():
    assert warn_of_brain({"t1": T1, "t1ce": T1}, BRAIN, grid=GRID, scan=GRID) == ()


def test_an_inverted_scan_and_noise_are_named_with_their_numbers():
    (warning,) = contrast(np.where(BRAIN, 1 - T1, 0))
    assert "darker inside than at its rim" in warning and "depth -1.00, a T1 has" in warning
    assert contrast(np.where(BRAIN, 1 - T1, 0), "t1ce") == [], "contrast agent may brighten the rim"
    (warning,) = contrast(NOISE, "t1ce")
    assert warning.startswith("t1ce: neighbouring voxels 4 mm apart correlate with 0.0")


def test_little_says_little():
    assert contrast(NOISE, voxel_sizes_mm=np.full(3, 0.5)) == []  # 49 ml, of which 8 mm steps see 380 voxels


def test_depth_is_in_millimetres_along_each_axis():
    """Thick slices: by voxels, what lies one slice below the top would be at the rim."""
    brain = np.ones((24, 24, 6), dtype=bool)
    scan = np.minimum(*np.meshgrid(np.arange(24), np.arange(24), indexing="ij"))[..., None] * np.ones(6)
    values = depth_correlation(scan, brain, np.array([1.0, 1.0, 30.0]))
    depth = np.minimum.reduce([np.minimum(i + 1, 24 - i) for i in np.indices((24, 24))])
    assert values == pytest.approx(spearmanr(np.repeat(depth.ravel(), 6), scan.ravel()).statistic)


def test_neighbours_correlate_as_numpy_says():
    line = np.array([1.0, 2.0, 4.0, 3.0, 9.0]).reshape(5, 1, 1)
    expected = np.corrcoef([1.0, 2.0, 4.0, 3.0], [2.0, 4.0, 3.0, 9.0])[0, 1]
    assert neighbour_correlation(line, np.ones_like(line, dtype=bool)) == pytest.approx(expected)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR"])
def test_the_face_that_cuts_the_brain_is_named_in_words_of_anatomy(codes):
    import nibabel as nib  # noqa: PLC0415

    whole = nib.Nifti1Image(BRAIN.astype(np.uint8), GRID.affine)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(GRID.affine), nib.orientations.axcodes2ornt(codes)
    )
    stored = whole.slicer[:, :, :30].as_reoriented(turn)
    scan = Grid(stored.shape, stored.affine)
    (warning,) = warn_of_faces(BRAIN[:, :, :30], Grid((44, 44, 30), GRID.affine), scan)
    area_cm2 = BRAIN[:, :, 29].sum() * 0.16
    assert warning.startswith(f"The brain touches the superior face of the scan over {area_cm2:.0f} cm²")
    assert list(warn_of_faces(BRAIN, GRID, GRID)) == []
    stem = np.zeros(SHAPE, dtype=bool)
    stem[18:25, 18:25, 0] = True  # 7.8 cm², as a brain stem at the edge of an atlas
    assert list(warn_of_faces(BRAIN | stem, GRID, GRID)) == []


def test_a_brain_that_ends_in_a_plane_inside_the_scan_is_named_with_the_side():
    cut = BRAIN.copy()
    cut[:, :14] = False
    (warning,) = warn_of_flat_ends(cut, GRID)
    assert warning.startswith(
        f"The brain ends in a plane of {cut[:, 14].sum() * 0.16:.0f} cm² on its posterior"
    )
    assert warn_of_brain({"t1": T1}, cut, grid=GRID, scan=GRID) == (warning,)
    assert list(warn_of_flat_ends(BRAIN, GRID)) == []


def test_parts_are_kept_where_they_are_large_and_named_where_they_are_not_small():
    empty_slice = BRAIN.copy()
    empty_slice[:, :, 12] = False
    kept, shares = large_components(empty_slice)
    assert np.array_equal(kept, empty_slice) and len(shares) == 2 and sum(shares) == pytest.approx(1)
    (warning,) = warn_of_parts(shares, kept_share=0.05)
    assert warning.startswith(f"{100 * shares[1]:.1f} % of the brain mask are not connected")
    assert "all of it is kept" in warning
    eye = BRAIN.copy()
    eye[0:8, 0:8, 0:8] = True  # 2 %
    kept, shares = large_components(eye)
    assert np.array_equal(kept, BRAIN)
    assert f"{100 * shares[1]:.1f} % were dropped" in warn_of_parts(shares, kept_share=0.05)[0]
    assert (
        warn_of_parts(np.array([0.995, 0.005]))
        == warn_of_parts(np.ones(1))
        == warn_of_parts(np.zeros(0))
        == ()
    )
