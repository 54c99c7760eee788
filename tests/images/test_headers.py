"""The header decides whether a file is a scan, and where it lies; nibabel reads the same numbers."""

import re

import nibabel as nib
import numpy as np
import pytest
from raw_files import AFFINE, VALUES, save, set_fields, store, unpacked

from spatial_erasing.images.image_files import read_header, require_place
from spatial_erasing.images.volumes import read_volume
from spatial_erasing.ingest.files import describe_grid

READERS = [read_volume, describe_grid]
TURNED = AFFINE @ np.diag([1, 1, -1, 1])  # a qform holds it without mirroring
NO_PLACE = {"sform_code": 0, "qform_code": 0}


def with_qform(path, affine):
    """A scan that only a qform places."""
    image = nib.Nifti1Image(VALUES, None)
    image.set_qform(affine, code=1)
    image.set_sform(None, code=0)
    nib.save(image, path)
    return path


def coded(path, **fields):
    return set_fields(save(path), sform_code=1, qform_code=0, **fields)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float64])
@pytest.mark.parametrize("image", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_header_says_what_nibabel_says(tmp_path, image, kind, name):
    path = save(tmp_path / name, VALUES.astype(kind), image)
    header, expected = read_header(path), nib.load(path)
    assert header.shape == expected.shape and header.stored_as == expected.get_data_dtype()
    assert np.array_equal(header.affine, expected.affine)
    assert header.offset_bytes == expected.dataobj.offset
    assert header.needed_bytes == len(unpacked(path))
    assert (header.slope, header.intercept, header.warnings) == (1, 0, ())


def test_a_header_of_freesurfer_says_what_nibabel_says(tmp_path):
    path = save(tmp_path / "scan.mgz", VALUES.astype(np.int32), nib.MGHImage)
    header, expected = read_header(path), nib.load(path)
    assert header.shape == VALUES.shape and header.stored_as == np.dtype(">i4")
    assert np.array_equal(header.affine, expected.affine)
    assert header.offset_bytes == 284 and header.needed_bytes == 284 + 4 * VALUES.size


@pytest.mark.parametrize("handedness, expected", [(1, TURNED), (0, TURNED), (-1, AFFINE)])
def test_a_qform_alone_places_the_voxels(tmp_path, handedness, expected):
    path = set_fields(with_qform(tmp_path / "scan.nii", TURNED), pixdim=[handedness, 6, 5, 4.5, 0, 0, 0, 0])
    header = read_header(path)
    assert np.allclose(header.affine, expected, atol=1e-5) and header.warnings == ()
    assert np.array_equal(header.affine, nib.load(path).affine)


def disagreeing(folder, qform):
    """A scan with AFFINE as its sform and another qform."""
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.set_sform(AFFINE, code=1)
    image.set_qform(qform, code=1)
    nib.save(image, folder / "scan.nii")
    return folder / "scan.nii"


def shifted(x_mm):
    affine = AFFINE.copy()
    affine[0, 3] += x_mm
    return affine


@pytest.mark.parametrize("shift_mm, warned", [(0, False), (2.9, False), (3.1, True), (18.3, True)])
def test_a_qform_half_a_voxel_beside_the_sform_is_a_warning(tmp_path, shift_mm, warned):
    path = disagreeing(tmp_path, shifted(shift_mm))
    header = read_header(path)
    assert np.array_equal(header.affine, AFFINE)
    assert bool(header.warnings) == warned and read_volume(path).warnings == header.warnings
    if warned:
        (warning,) = header.warnings
        assert warning.startswith(f"{path}: ") and f" {shift_mm} mm apart" in warning
        assert warning.endswith("look at the quality page for a wrong orientation or a lesion that is off.")


@pytest.mark.parametrize("shift_mm, warned", [(0.9, False), (1.1, True)])
def test_less_than_a_millimetre_is_no_warning_however_small_the_voxels_are(tmp_path, shift_mm, warned):
    image = nib.Nifti1Image(np.zeros((20, 20, 20), np.int16), np.eye(4))
    image.set_qform(np.eye(4) + shift_mm * np.eye(4, k=3), code=1)
    nib.save(image, tmp_path / "scan.nii")
    assert bool(read_header(tmp_path / "scan.nii").warnings) == warned


def test_the_distance_is_that_of_the_farthest_voxel(tmp_path):
    """A third axis that is longer by 1 mm a voxel moves the sixth voxel by 5 mm."""
    (warning,) = read_header(disagreeing(tmp_path, AFFINE @ np.diag([1, 1, 5.5 / 4.5, 1]))).warnings
    assert " 5.0 mm apart" in warning


@pytest.mark.parametrize(
    "fields", [{"quatern_b": 5}, {"pixdim": [1, -6, 5, 4.5, 0, 0, 0, 0]}, {"qoffset_x": np.nan}]
)
def test_a_qform_that_is_no_rotation_beside_a_sform_says_nothing(tmp_path, fields):
    header = read_header(set_fields(disagreeing(tmp_path, shifted(50)), **fields))
    assert np.array_equal(header.affine, AFFINE) and header.warnings == ()


@pytest.mark.parametrize("code", [0, 2])
def test_millimetres_and_an_unknown_unit_are_read(tmp_path, code):
    assert read_header(coded(tmp_path / "scan.nii", xyzt_units=code | 8)).shape == VALUES.shape


BAD_HEADERS = {
    "2-D": (lambda p: save(p, VALUES.reshape(20, 6)), r"has shape \(20, 6\); a scan has three", "Write one"),
    "1-D": (lambda p: save(p, VALUES.ravel()), r"has shape \(120,\); a scan has three axes", "Write one"),
    "two volumes": (lambda p: save(p, VALUES.reshape(4, 5, 3, 2)), r"has shape \(4, 5, 3, 2\)", "Write one"),
    "one voxel": (lambda p: save(p, VALUES.reshape(1, 20, 6)), r"at least 2 voxels", "Write one volume"),
    "overflow": (lambda p: coded(p, dim=[3, -4, 5, 6, 1, 1, 1, 1]), r"has shape \(-4, 5, 6\)", "Write one"),
    "no axis": (lambda p: coded(p, dim=[0, 4, 5, 6, 1, 1, 1, 1]), r"has shape \(", "Write one volume"),
    "complex": (lambda p: save(p, VALUES.astype(np.complex64)), "stores complex64, not plain", "grey values"),
    "colours": (
        lambda p: save(p, np.zeros((4, 5, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")])),
        "not plain numbers",
        "Write it as grey values",
    ),
    "unknown type": (lambda p: coded(p, datatype=77), "cannot be read as an image .*77", "Fetch or convert"),
    "metres": (
        lambda p: coded(p, xyzt_units=1 | 8, pixdim=[1, 0.006, 0.005, 0.0045, 0, 0, 0, 0]),
        "voxel sizes of 0.006 x 0.005 x 0.0045 in the unit meter",
        "Convert sizes",
    ),
    "microns": (lambda p: coded(p, xyzt_units=3), "sizes of 6 x 5 x 4.5 in the unit micron", "Convert sizes"),
    "too large": (lambda p: coded(p, srow_x=[0, 0, 400, 0]), "spans 24 x 25 x 2.4e", "Restore the voxel"),
    "too small": (lambda p: coded(p, srow_x=[0, 0, 0.4, 0]), "spans 24 x 25 x 2.4 mm", "Restore the voxel"),
    "no affine": (
        lambda p: set_fields(save(p), **NO_PLACE),
        "nothing tells left from right",
        "Convert the original",
    ),
    "flat": (
        lambda p: coded(p, srow_x=[0, 0, 0, 0], srow_y=[-6, 0, 0, 0]),
        "no usable affine",
        "Restore its",
    ),
    "nearly flat": (
        lambda p: coded(p, srow_x=[0, 0, 0.01, 3], srow_y=[-6, 0, 4.5, 3]),
        "no usable affine: .*0.009",
        "Restore its header",
    ),
    "NaN": (lambda p: coded(p, srow_y=[np.nan, 0, 0, 0]), "no usable affine: .*nan", "Restore its header"),
    "no place": (lambda p: coded(p, srow_x=[0, 0, 4.5, np.inf]), r"no usable affine: .*inf", "Restore"),
    "negative size": (
        lambda p: set_fields(with_qform(p, TURNED), pixdim=[1, 6, -5, 4.5, 0, 0, 0, 0]),
        "voxel sizes of 6 x -5 x 4.5 mm",
        r"Convert the original scan again \(dcm2niix",
    ),
    "no size": (
        lambda p: set_fields(with_qform(p, TURNED), pixdim=[1, 6, 0, 4.5, 0, 0, 0, 0]),
        "voxel sizes of 6 x 0 x 4.5 mm",
        "Convert the original scan again",
    ),
    "no rotation": (
        lambda p: set_fields(with_qform(p, TURNED), quatern_b=5),
        r"no usable affine: quaternion \[5.0",
        "Restore its header",
    ),
    "terabytes": (
        lambda p: coded(p, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1], **scaled_by(0.002)),
        "cannot be read as an image .*54000000000352 bytes",
        "Fetch or convert the file again",
    ),
    "voxels elsewhere": (lambda p: coded(p, magic=b"ni1"), "voxels lie in another file", "Fetch or convert"),
    "no magic": (lambda p: coded(p, magic=b""), "cannot be read as an image", "Fetch or convert"),
    "no offset": (lambda p: coded(p, vox_offset=np.nan), "cannot be read as an image", "Fetch or convert"),
    "far offset": (lambda p: coded(p, vox_offset=1e30), "cannot be read as an image", "Fetch or convert"),
    "infinite slope": (lambda p: coded(p, scl_slope=-np.inf), "its scl_slope, -inf, can", "Fetch or convert"),
    "infinite intercept": (lambda p: coded(p, scl_inter=np.inf), "cannot be read as", "Fetch or convert"),
}


def scaled_by(factor):
    return {f"srow_{axis}": AFFINE[line] * factor for line, axis in enumerate("xyz")}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
@pytest.mark.parametrize("case", BAD_HEADERS)
def test_a_bad_header_is_refused_with_file_finding_and_remedy(tmp_path, case, name, read):
    damage, finding, remedy = BAD_HEADERS[case]
    path = damage(tmp_path / name)
    with pytest.raises(ValueError, match=rf"^\S+/{name} .*{finding}.*{remedy}") as error:
        read(path)
    assert "\n" not in str(error.value)


def mgh_with(path, place, content):
    original = unpacked(save(path, VALUES.astype(np.float32), nib.MGHImage))
    return store(path, original[:place] + content + original[place + len(content) :])


BAD_MGH = {
    "no place": (
        28,
        b"\0\0",
        r"no affine \(its goodRASFlag is 0\), so nothing tells",
        "Convert the original",
    ),
    "too large": (30, np.array(900, ">f4").tobytes(), "spans 3.6e[+]03 x 25 x 27 mm", "Restore the voxel"),
    "version": (0, b"\0\0\0\7", "cannot be read as an image", "Fetch or convert"),
    "type": (20, b"\0\0\0\7", "cannot be read as an image", "Fetch or convert"),
    "terabytes": (
        4,
        np.array([2**15] * 3, ">i4").tobytes()
        + b"\0\0\0\1"
        + b"\0\0\0\3"
        + bytes(4)
        + b"\0\1"
        + np.array([0.01] * 3, ">f4").tobytes(),
        f"{2**47 + 284} bytes",
        "Fetch or convert",
    ),
    "two frames": (4, np.array([4, 5, 3, 2], ">i4").tobytes(), r"has shape \(4, 5, 3, 2\)", "Write one"),
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["scan.mgh", "scan.mgz"])
@pytest.mark.parametrize("case", BAD_MGH)
def test_a_bad_header_of_freesurfer_is_refused(tmp_path, case, name, read):
    place, content, finding, remedy = BAD_MGH[case]
    path = mgh_with(tmp_path / name, place, content)
    with pytest.raises(ValueError, match=rf"^\S+/{name} .*{finding}.*{remedy}"):
        read(path)


@pytest.mark.parametrize("read", READERS)
def test_analyze_is_refused_since_it_says_nothing_of_left_and_right(tmp_path, read):
    nib.save(nib.AnalyzeImage(VALUES, AFFINE), tmp_path / "scan.img")
    (tmp_path / "scan.nii").write_bytes((tmp_path / "scan.hdr").read_bytes())
    for name in ("scan.img", "scan.hdr", "scan.nii"):
        with pytest.raises(ValueError, match=rf"{name} cannot be read as an image .*Fetch or convert"):
            read(tmp_path / name)


@pytest.mark.parametrize("length_mm, plausible", [(14, False), (16, True), (499, True), (960, False)])
@pytest.mark.parametrize("axis", range(3))
def test_each_axis_has_the_length_of_a_head(axis, length_mm, plausible):
    shape, sizes = [20, 20, 20], np.ones(4)
    sizes[axis] = length_mm / 20
    affine = np.diag(sizes)
    if plausible:
        require_place(shape, affine, "scan.nii")
        return
    found = re.escape(f"{length_mm:.3g}")
    with pytest.raises(ValueError, match=rf"^scan\.nii spans .*{found}.* 15 to 500 mm along each"):
        require_place(shape, affine, "scan.nii")
