import gzip
import shutil

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from spatial_erasing.volumes import Volume, read_volume, write_volume

AFFINE = np.array([[0, 0, 1.5, -20], [-1, 0, 0, 30], [0, 2, 0, 1.25], [0, 0, 0, 1]], dtype=float)
VALUES = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def save(path, values=VALUES, image=nib.Nifti1Image):
    nib.save(image(values, AFFINE), path)
    return path


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "Zoë 1 é.nii.gz"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_every_stored_type_is_read_as_float32(tmp_path, name, kind):
    volume = read_volume(save(tmp_path / name, VALUES.astype(kind)))
    assert volume.intensities.dtype == np.float32 and np.array_equal(volume.intensities, VALUES)
    assert np.allclose(volume.affine, AFFINE) and volume.path == tmp_path / name


def test_freesurfer_s_mgz_is_read(tmp_path):
    volume = read_volume(save(tmp_path / "scan.mgz", VALUES.astype(np.float32), nib.MGHImage))
    assert np.array_equal(volume.intensities, VALUES) and np.allclose(volume.affine, AFFINE, atol=1e-5)


def test_reading_equals_simpleitk(tmp_path):
    volume = read_volume(save(tmp_path / "scan.nii.gz"))
    other = sitk.ReadImage(tmp_path / "scan.nii.gz")
    assert np.array_equal(volume.intensities, sitk.GetArrayFromImage(other).T)
    for index in ((0, 0, 0), (3, 1, 5)):
        left, posterior, superior = other.TransformIndexToPhysicalPoint(index)
        assert np.allclose((volume.affine @ [*index, 1])[:3], (-left, -posterior, superior), atol=1e-4)


def test_slope_and_intercept_are_applied(tmp_path):
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.header.set_slope_inter(0.5, -3)
    nib.save(image, tmp_path / "scan.nii")
    content = bytearray((tmp_path / "scan.nii").read_bytes())
    content[112:120] = np.array([0.5, -3], "<f4").tobytes()  # scl_slope, scl_inter of the NIfTI-1 header
    (tmp_path / "scan.nii").write_bytes(content)
    stored = np.frombuffer(bytes(content[352:]), "<i2").reshape(VALUES.shape, order="F")
    assert np.allclose(read_volume(tmp_path / "scan.nii").intensities, stored * 0.5 - 3)


@pytest.mark.parametrize("shape", [(4, 5, 6, 1), (4, 5, 6, 1, 1)])
def test_a_series_of_one_volume_is_a_scan(tmp_path, shape):
    volume = read_volume(save(tmp_path / "scan.nii.gz", VALUES.reshape(shape)))
    assert np.array_equal(volume.intensities, VALUES)


@pytest.mark.parametrize("shape", [(20, 6), (4, 5, 3, 2), (1, 20, 6), (120,)])
def test_what_is_no_scan_is_refused_with_its_shape(tmp_path, shape):
    save(tmp_path / "scan.nii", VALUES.reshape(shape))
    with pytest.raises(ValueError, match=r"scan\.nii has shape \(.*three axes of at least 2 voxels. Choose"):
        read_volume(tmp_path / "scan.nii")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted(tmp_path, value):
    values = VALUES.astype(np.float32)
    values[0, 0, :3] = value
    with pytest.raises(ValueError, match=r"scan\.nii holds 3 voxels that are NaN or infinite"):
        read_volume(save(tmp_path / "scan.nii", values))


def test_a_missing_file_says_where_to_correct_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"lost\.nii does not exist\. Correct its row"):
        read_volume(tmp_path / "lost.nii")


def test_a_folder_and_a_file_of_another_kind_are_refused(tmp_path):
    (tmp_path / "folder.nii").mkdir()
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    for name in ("folder.nii", "table.csv"):
        with pytest.raises(ValueError, match=rf"{name} cannot be read as an image"):
            read_volume(tmp_path / name)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9])
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_file_that_ends_early_is_refused(tmp_path, name, share):
    noise = np.random.default_rng(0).normal(size=(9, 9, 9)).astype(np.float32)
    content = save(tmp_path / name, noise).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"(?s)cannot be read as an image.*Fetch or convert the file again"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize(
    "affine", [np.diag([0.0, 0, 0, 1]), np.diag([1.0, 1, 0, 1]), np.diag([np.nan, 1, 1, 1])]
)
def test_an_affine_that_maps_nowhere_is_refused(tmp_path, affine):
    image = nib.Nifti1Image(VALUES, None)
    image.header["sform_code"] = 1
    for line, numbers in zip(("srow_x", "srow_y", "srow_z"), affine, strict=False):
        image.header[line] = numbers
    nib.save(nib.Nifti1Image(VALUES, None, image.header), tmp_path / "scan.nii")
    with pytest.raises(ValueError, match=r"scan\.nii has no usable affine.*Restore its header"):
        read_volume(tmp_path / "scan.nii")


@settings(deadline=None, max_examples=40)  # a busy machine is no failure
@given(
    values=arrays_of.arrays(
        st.sampled_from([np.uint8, np.int16, np.float32]),
        st.tuples(*[st.integers(2, 5)] * 3),
        elements={"min_value": 0} | {"max_value": 200},
    ),
    shift_mm=st.tuples(*[st.floats(-100, 100, width=32)] * 3),
)
def test_what_is_written_is_read_again(tmp_path_factory, values, shift_mm):
    path = tmp_path_factory.mktemp("volume") / "new folder" / "scan.nii.gz"
    affine = AFFINE.copy()
    affine[:3, 3] = shift_mm
    write_volume(path, values, affine)
    assert nib.load(path).get_data_dtype() == values.dtype
    again = read_volume(path)
    assert np.array_equal(again.intensities, values) and np.allclose(again.affine, affine, atol=1e-4)
    shutil.rmtree(path.parent)


def test_masks_are_stored_as_bytes(tmp_path):
    write_volume(tmp_path / "mask.nii.gz", VALUES > 50, AFFINE)
    assert nib.load(tmp_path / "mask.nii.gz").get_data_dtype() == np.uint8
    assert np.array_equal(read_volume(tmp_path / "mask.nii.gz").intensities > 0, VALUES > 50)


def test_sixteen_bits_hold_the_range_from_0_to_1_and_keep_the_background(tmp_path):
    scan = np.random.default_rng(4).random((20, 20, 20), dtype=np.float32)
    scan[:5] = 0
    write_volume(tmp_path / "scan.nii.gz", scan, AFFINE, stored_as=np.uint16)
    assert nib.load(tmp_path / "scan.nii.gz").get_data_dtype() == np.uint16
    again = read_volume(tmp_path / "scan.nii.gz").intensities
    assert np.abs(again - scan).max() < 0.6 / 65535 and (again[:5] == 0).all()


def test_the_same_volume_gives_the_same_bytes_under_any_name_and_at_any_time(tmp_path, monkeypatch):
    write_volume(tmp_path / "a.nii.gz", VALUES, AFFINE)
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("os.getpid", lambda: 1)
    write_volume(tmp_path / "b.nii.gz", VALUES, AFFINE)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize("moment", ["nibabel.save", "pathlib.Path.replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, moment):
    write_volume(tmp_path / "scan.nii.gz", VALUES, AFFINE)
    before = (tmp_path / "scan.nii.gz").read_bytes()

    def disk_is_full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(moment, disk_is_full)
    with pytest.raises(OSError, match="no space"):
        write_volume(tmp_path / "scan.nii.gz", VALUES + 1, AFFINE)
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nii.gz"]
    assert (tmp_path / "scan.nii.gz").read_bytes() == before


def test_a_plain_file_with_a_name_of_a_packed_one_is_refused_or_read_right(tmp_path):
    """Browsers unpack .gz silently and keep the name."""
    packed = save(tmp_path / "packed.nii.gz")
    (tmp_path / "plain.nii.gz").write_bytes(gzip.decompress(packed.read_bytes()))
    with pytest.raises(ValueError, match=r"plain\.nii\.gz cannot be read as an image"):
        read_volume(tmp_path / "plain.nii.gz")


def test_a_volume_need_not_come_from_a_file():
    assert Volume(VALUES, AFFINE).path is None
