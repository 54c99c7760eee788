import os
import shutil
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from raw_files import AFFINE, VALUES, save, set_fields, store, unpacked

from spatial_erasing.images.volumes import Volume, read_volume, write_volume

KINDS = [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64]


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "SCAN.NII.GZ", "Zoë 1 é.nii.gz"])
@pytest.mark.parametrize("image", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("kind", KINDS)
def test_every_stored_type_is_read_as_float32(tmp_path, name, image, kind):
    path = save(tmp_path / name.lower(), VALUES.astype(kind), image).rename(tmp_path / name)
    volume, expected = read_volume(path), nib.load(path)
    assert volume.intensities.dtype == np.float32 and np.array_equal(volume.intensities, VALUES)
    assert np.array_equal(volume.intensities, expected.get_fdata())
    assert np.array_equal(volume.affine, expected.affine) and np.allclose(volume.affine, AFFINE)
    assert (volume.path, volume.warnings) == (path, ())


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("name", ["scan.mgz", "scan.mgh", "Scan.MGZ"])
def test_freesurfer_s_format_is_read(tmp_path, name, kind):
    path = save(tmp_path / name.lower(), VALUES.astype(kind), nib.MGHImage).rename(tmp_path / name)
    volume, expected = read_volume(path), nib.load(path)
    assert volume.intensities.dtype == np.float32 and np.array_equal(volume.intensities, VALUES)
    assert np.array_equal(volume.affine, expected.affine) and np.allclose(volume.affine, AFFINE, atol=1e-5)


def test_freesurfer_s_tags_after_the_voxels_are_no_damage(tmp_path):
    path = save(tmp_path / "scan.mgz", VALUES.astype(np.float32), nib.MGHImage)
    store(path, unpacked(path) + b"mri_convert raw.mgz scan.mgz\0" * 500)
    assert np.array_equal(read_volume(path).intensities, VALUES)


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_the_other_byte_order_is_read(tmp_path, kind):
    image = nib.Nifti1Image(VALUES.astype(np.dtype(kind).newbyteorder(">")), AFFINE)
    swapped = nib.Nifti1Image(image.dataobj, AFFINE, image.header.as_byteswapped(">"))
    nib.save(swapped, tmp_path / "scan.nii")
    assert (tmp_path / "scan.nii").read_bytes()[:4] == b"\0\0\x01\x5c"
    volume = read_volume(tmp_path / "scan.nii")
    assert np.array_equal(volume.intensities, VALUES) and np.allclose(volume.affine, AFFINE)


def test_an_extension_between_header_and_voxels_is_passed_over(tmp_path):
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"the patient moved" * 9))
    nib.save(image, tmp_path / "scan.nii.gz")
    assert nib.load(tmp_path / "scan.nii.gz").dataobj.offset > 352
    assert np.array_equal(read_volume(tmp_path / "scan.nii.gz").intensities, VALUES)


@pytest.mark.parametrize("offset_bytes", [353, 354, 368])
@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_voxels_may_begin_at_any_byte(tmp_path, offset_bytes, kind):
    path = save(tmp_path / "scan.nii", VALUES.astype(kind))
    content = unpacked(path)
    store(path, content[:352] + bytes(offset_bytes - 352) + content[352:])
    volume = read_volume(set_fields(path, vox_offset=offset_bytes))
    assert np.array_equal(volume.intensities, VALUES) and volume.intensities.flags.aligned


def test_reading_equals_simpleitk(tmp_path):
    volume = read_volume(save(tmp_path / "scan.nii.gz"))
    other = sitk.ReadImage(tmp_path / "scan.nii.gz")
    assert np.array_equal(volume.intensities, sitk.GetArrayFromImage(other).T)
    for index in ((0, 0, 0), (3, 1, 5)):
        left, posterior, superior = other.TransformIndexToPhysicalPoint(index)
        assert np.allclose((volume.affine @ [*index, 1])[:3], (-left, -posterior, superior), atol=1e-4)


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("slope, intercept", [(0.5, -3), (0.37, -40), (1, 7), (1e-4, 1e4), (-2, 0)])
def test_slope_and_intercept_are_applied(tmp_path, kind, slope, intercept):
    path = save(tmp_path / "scan.nii", (VALUES * 1.1).astype(kind))
    set_fields(path, scl_slope=slope, scl_inter=intercept)
    stored = np.frombuffer(unpacked(path)[352:], kind).reshape(VALUES.shape, order="F")
    intensities = read_volume(path).intensities
    # the header holds 0.37 as float32
    assert np.allclose(intensities, stored * np.float64(np.float32(slope)) + intercept)
    assert np.array_equal(intensities, nib.load(path).get_fdata().astype(np.float32))


@pytest.mark.parametrize("slope", [0, np.nan])
def test_a_slope_that_is_none_leaves_the_numbers(tmp_path, slope):
    path = set_fields(save(tmp_path / "scan.nii"), scl_slope=slope, scl_inter=5)
    assert np.array_equal(read_volume(path).intensities, VALUES)


@pytest.mark.parametrize("shape", [(4, 5, 6, 1), (4, 5, 6, 1, 1)])
def test_a_series_of_one_volume_is_a_scan(tmp_path, shape):
    volume = read_volume(save(tmp_path / "scan.nii.gz", VALUES.reshape(shape)))
    assert np.array_equal(volume.intensities, VALUES)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted(tmp_path, value):
    values = VALUES.astype(np.float32)
    values[0, 0, :3] = value
    with pytest.raises(ValueError, match=r"scan\.nii holds 3 voxels that are NaN or infinite"):
        read_volume(save(tmp_path / "scan.nii", values))


def test_numbers_beyond_float32_are_counted_like_infinite_ones(tmp_path):
    values = VALUES.astype(np.float64)
    values[1, 2, 3] = 1e39
    with pytest.raises(ValueError, match="holds 1 voxels that are NaN or infinite"):
        read_volume(save(tmp_path / "scan.nii.gz", values))


@pytest.mark.parametrize("kind, factor", [(np.float32, 1.2), (np.int16, 3.3), (np.float64, 3.4)])
def test_memory_is_that_of_the_file_and_of_float32_alone(tmp_path, kind, factor):
    """In units of the stored voxels: themselves, and 4 bytes each unless they are float32 already."""
    values = np.random.default_rng(2).integers(0, 999, (128, 128, 128)).astype(kind)
    path = save(tmp_path / "scan.nii.gz", values, affine=np.diag([1.5, 1.5, 1.5, 1]))
    if kind is np.int16:
        set_fields(path, scl_slope=0.37, scl_inter=2)
    read_volume(path)
    tracemalloc.start()
    read_volume(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    unit = np.float32 if kind is np.float64 else kind
    assert peak_bytes < factor * values.size * np.dtype(unit).itemsize + 2.5 * 2**20


@settings(deadline=None, max_examples=40)  # a busy machine is no failure
@given(
    values=arrays_of.arrays(
        st.sampled_from([np.uint8, np.int16, np.float32]),
        st.tuples(*[st.integers(4, 6)] * 3),
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


def test_a_volume_need_not_come_from_a_file():
    assert Volume(VALUES, AFFINE).path is None


def test_warnings_come_last_so_that_three_places_are_enough():
    volume = Volume(VALUES, AFFINE, Path("scan.nii"))
    assert volume.warnings == () and volume == Volume(VALUES, AFFINE, Path("scan.nii"), ())


@pytest.mark.skipif(not os.environ.get("SPATIAL_ERASING_DATA"), reason="SPATIAL_ERASING_DATA is not set")
def test_real_scans_are_read_as_nibabel_reads_them():
    root = Path(os.environ["SPATIAL_ERASING_DATA"])
    paths = [
        *root.glob("whole_head/*.nii.gz"),
        *root.glob("brain_only/*.nii.gz"),
        *root.glob("lesion/*.nii.gz"),
    ]
    warned = []
    for path in sorted(paths):
        volume, expected = read_volume(path), nib.load(path)
        assert np.array_equal(volume.intensities, np.asarray(expected.dataobj, dtype=np.float32))
        assert np.array_equal(volume.affine, expected.affine)
        warned += [path.name] if volume.warnings else []
    assert len(paths) > 30 and warned == ["ds002748_sub-56_control_T1w.nii.gz"]
