import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from spatial_erasing.images.volumes import write_volume
from spatial_erasing.ingest.files import sha256_of
from spatial_erasing.preprocess.resample import resample_to_grid
from spatial_erasing_phantoms import planted_subject

SHAPE = (60, 64, 56)
AFFINE = nib.affines.from_matvec(np.diag([-2.0, 2.0, 2.0]), [60.0, -64.0, -56.0])  # stored from right to left
# the person's head is turned against the template by this much
TO_TEMPLATE = nib.affines.from_matvec(nib.eulerangles.euler2mat(z=0.1), [2.3, -3.4, 1.4])


def ball(centre_mm, radius_mm, affine=AFFINE):
    """Voxels of a grid within a ball of the world."""
    places_mm = nib.affines.apply_affine(affine, np.indices(SHAPE).reshape(3, -1).T)
    return (np.linalg.norm(places_mm - centre_mm, axis=1) <= radius_mm).reshape(SHAPE)


@pytest.fixture
def person(tmp_path, monkeypatch):
    """A ball of white matter in grey matter in CSF, its template, and a function that plants into it."""
    rng = np.random.default_rng(0)
    scan = np.zeros(SHAPE)
    centre_mm = np.linalg.inv(TO_TEMPLATE)[:3, 3]
    for radius_mm, signal in ((50, 100), (47, 300), (36, 500)):
        scan[ball(centre_mm, radius_mm)] = signal
    scan[scan > 0] += rng.normal(0, 15, int((scan > 0).sum()))
    write_volume(tmp_path / "scan.nii.gz", scan.astype(np.int16), AFFINE)
    on_template = np.diag([2.0, 2.0, 2.0, 1.0])
    on_template[:3, 3] = [-60, -64, -56]
    write_volume(tmp_path / "template.nii.gz", ball((0, 0, 0), 50, on_template).astype(np.uint8), on_template)
    for name, place_mm, radius_mm in (
        ("outside", (-52, 0, 0), 14),
        ("small", (-20, 0, 0), 4),
        ("left", (-25, 10, 5), 15),
        ("surface", (-38, 0, 0), 14),
    ):
        write_volume(tmp_path / f"{name}.nii.gz", ball(place_mm, radius_mm, on_template), on_template)
    monkeypatch.setattr(planted_subject, "affine_to_template", lambda brain, template: TO_TEMPLATE)

    def plant(*shapes, strip="none", **changes):
        path = tmp_path / "scan.nii.gz"
        row = {"subject": "one", "scanner": "a", "sequence": "t1", "path": str(path), "skull_strip": strip}
        row["sha256"] = sha256_of(path)
        return planted_subject.plant_subject(
            row | changes,
            [tmp_path / f"{shape}.nii.gz" for shape in shapes],
            folder=tmp_path / "out",
            template=tmp_path / "template.nii.gz",
            seed=1,
            minimum_lesion_ml=2.0,
        )

    return plant, tmp_path


def stored(path):
    return np.asarray(nib.load(path).dataobj)


def test_shapes_that_are_too_small_or_outside_the_brain_are_passed_over(person):
    plant, _ = person
    row = plant("outside", "small", "left")
    assert row["shape"] == "left"
    assert row["lesion_ml"] == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.1)


def test_a_graded_shape_counts_from_half_of_its_range_on_as_any_lesion_does(person):
    plant, folder = person
    shape = nib.load(folder / "left.nii.gz")
    graded = np.round(255 * ndimage.gaussian_filter(shape.get_fdata(), 1.0))
    write_volume(folder / "graded.nii.gz", graded.astype(np.uint8), shape.affine)
    assert (graded > 0).sum() > 2 * shape.get_fdata().sum()
    assert plant("graded")["lesion_ml"] == pytest.approx(plant("left")["lesion_ml"], rel=0.1)


def test_a_scan_that_was_exchanged_since_it_was_listed_receives_no_lesion(person):
    plant, folder = person
    with pytest.raises(ValueError, match=r"scan\.nii\.gz has the SHA-256 .*Expected 0000"):
        plant("left", sha256="0000")
    assert not (folder / "out").exists()


def test_a_person_whom_no_shape_fits_is_named(person):
    plant, folder = person
    with pytest.raises(ValueError, match=r"scan\.nii\.gz: none of its 2 lesion shapes leaves 2 ml"):
        plant("outside", "small")
    assert not (folder / "out").exists()


def test_a_failed_registration_is_refused(person, monkeypatch):
    plant, _ = person
    monkeypatch.setattr(
        planted_subject,
        "affine_to_template",
        lambda brain, template: nib.affines.from_matvec(np.eye(3), [25.0, 0, 0]),
    )
    with pytest.raises(ValueError, match=r"overlaps this one with a Dice of 0\.\d\d, expected 0\.85"):
        plant("left")


def test_the_lesion_lies_where_simpleitk_carries_it(person):
    plant, folder = person
    plant("left")
    # ITK's world is LPS: its transform maps the scan's points to the template's
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    matrix = flip @ TO_TEMPLATE @ flip
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    carried = sitk.Resample(
        sitk.ReadImage(str(folder / "left.nii.gz")),
        sitk.ReadImage(str(folder / "scan.nii.gz")),
        transform,
        sitk.sitkNearestNeighbor,
    )
    expected = sitk.GetArrayFromImage(carried).T > 0
    lesion = stored(folder / "out/one_lesion.nii.gz") > 0
    dice = 2 * (lesion & expected).sum() / (lesion.sum() + expected.sum())
    assert dice > 0.95  # the soft edge rounds the corners off
    # a nearest neighbour lies within half a voxel of 2 mm
    in_scan_mm = nib.affines.apply_affine(AFFINE, np.argwhere(lesion).mean(axis=0))
    expected_mm = nib.affines.apply_affine(np.linalg.inv(TO_TEMPLATE), (-25, 10, 5))
    np.testing.assert_allclose(in_scan_mm, expected_mm, atol=1.0)  # half a voxel


def test_the_mask_is_half_of_the_blend_and_beyond_its_edge_nothing_changes(person):
    plant, folder = person
    row = plant("left")
    before, after = stored(folder / "scan.nii.gz"), stored(folder / "out/one_T1w.nii.gz")
    lesion = stored(folder / "out/one_lesion.nii.gz") > 0
    assert after.dtype == before.dtype == np.int16
    np.testing.assert_array_equal(nib.load(folder / "out/one_T1w.nii.gz").affine, AFFINE)
    far = ndimage.distance_transform_edt(~lesion, sampling=2.0) > 4
    np.testing.assert_array_equal(after[far], before[far])
    white = before > 450
    signal = row["csf"] + (row["cavity"] + row["rim"]) / 2 * (row["grey"] - row["csf"])
    blend = (before - after.astype(float)) / (before - signal)
    depth_mm = ndimage.distance_transform_edt(lesion, sampling=2.0)
    border = white & lesion & (depth_mm <= 2)
    assert 0.4 < np.median(blend[border]) < 0.9  # at the border, half or a little more is lesion
    inside = white & (depth_mm > 4)
    assert row["csf"] < after[inside].mean() < row["grey"]


def test_a_given_mask_bounds_the_lesion(person):
    plant, folder = person
    brain = ndimage.binary_erosion(stored(folder / "scan.nii.gz") > 50)
    write_volume(folder / "mask.nii.gz", brain, AFFINE)
    plant("surface")
    assert stored(folder / "out/one_lesion.nii.gz")[~brain].any()
    plant("surface", strip="given", brain_mask=str(folder / "mask.nii.gz"))
    assert not stored(folder / "out/one_lesion.nii.gz")[~brain].any()


def test_the_same_person_is_planted_the_same_twice(person):
    plant, folder = person
    first = plant("left"), stored(folder / "out/one_T1w.nii.gz")
    second = plant("left"), stored(folder / "out/one_T1w.nii.gz")
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1], second[1])


def test_the_skull_is_stripped_as_the_row_says(person, monkeypatch):
    plant, _ = person
    asked = []

    def mask(volume, grid, *, brain_mask, skull_strip):
        asked.append(skull_strip)
        return resample_to_grid(volume, grid, interpolation="nearest") > 50

    monkeypatch.setattr(planted_subject, "mask_brain", mask)
    row = plant("left", strip="robex")
    assert asked == ["robex"] and row["shape"] == "left"
