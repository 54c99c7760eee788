import gzip
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import stats

from spatial_erasing.ingest.files import (
    Moments,
    describe_grid,
    describe_voxels,
    require_listed_content,
    sha256_of,
)
from spatial_erasing.paths import expand_path


def write_image(path, shape=(24, 25, 26), affine=None, dtype=np.int16):
    values = np.random.default_rng(3).integers(0, 900, shape).astype(dtype)
    nib.save(nib.Nifti1Image(values, np.eye(4) if affine is None else affine), path)
    return path


def oriented(codes, spacing_mm):
    """An affine whose voxel axes point where `codes` say, built from nibabel's own tables."""
    axes = nib.orientations.axcodes2ornt(codes)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(axes):
        affine[int(world), axis] = sign * spacing_mm[axis]
    return affine


@pytest.mark.parametrize("codes", ["RAS", "LAS", "LPS", "PIR", "SRA"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_grid_names_shape_spacing_and_orientation(tmp_path, codes, suffix):
    path = write_image(tmp_path / f"scan{suffix}", (27, 25, 36), oriented(codes, (1, 1.333, 0.7)))
    assert nib.aff2axcodes(nib.load(path).affine) == tuple(codes)
    assert describe_grid(path) == f"27x25x36 1.00x1.33x0.70mm {codes}"


def test_an_oblique_scan_keeps_its_spacing(tmp_path):
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([2, 1, 3])
    path = write_image(tmp_path / "scan.nii", affine=affine)
    zooms = nib.load(path).header.get_zooms()
    assert describe_grid(path) == "24x25x26 {:.2f}x{:.2f}x{:.2f}mm RAS".format(*zooms)


def test_a_fourth_axis_of_one_is_still_a_scan(tmp_path):
    assert describe_grid(write_image(tmp_path / "scan.nii", (24, 25, 26, 1))).startswith("24x25x26 ")


def test_freesurfer_s_format_is_described_too(tmp_path):
    affine = oriented("LIA", (1, 1.25, 2))
    nib.save(nib.MGHImage(np.zeros((24, 25, 26), np.float32), affine), tmp_path / "scan.mgz")
    assert describe_grid(tmp_path / "scan.mgz") == "24x25x26 1.00x1.25x2.00mm LIA"


def test_a_header_that_fits_its_gzip_trailer_costs_no_unpacking(tmp_path, monkeypatch):
    path = write_image(tmp_path / "scan.nii.gz")
    monkeypatch.delattr("spatial_erasing.images.image_files.whole_chunks")
    assert describe_grid(path).startswith("24x25x26 ")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_an_interrupted_download_is_refused(tmp_path, suffix):
    path = write_image(tmp_path / f"scan{suffix}", (20, 20, 20))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(
        ValueError, match=r"scan\.\S+ cannot be read as an image \(.*(ends early|ends in the)"
    ):
        describe_grid(path)


def test_hash_equals_sha256sum(tmp_path):
    path = tmp_path / "scan with space é.nii.gz"
    path.write_bytes(np.random.default_rng(0).bytes(3_000_000))
    printed = subprocess.run(["sha256sum", path], capture_output=True, check=True, text=True).stdout
    assert sha256_of(path) == printed.split()[0].lstrip("\\")


def test_paths_are_expanded_from_home_variables_and_the_tables_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("SCANS", "/disk/scans")
    assert expand_path("~/x.nii", base=tmp_path) == Path("/home/someone/x.nii")
    assert expand_path("${SCANS}/a b/x.nii", base=tmp_path) == Path("/disk/scans/a b/x.nii")
    assert expand_path("sub/$x.nii", base=tmp_path) == tmp_path / "sub/$x.nii"
    assert expand_path("/abs/x.nii", base=tmp_path) == Path("/abs/x.nii")


def test_a_relative_variable_counts_from_where_it_was_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCANS", "shared/data")
    assert expand_path("${SCANS}/x.nii", base=Path("/table")) == tmp_path / "shared/data/x.nii"


@pytest.mark.parametrize("value", [None, ""])
def test_an_unset_variable_is_named(tmp_path, monkeypatch, value):
    monkeypatch.delenv("NO_SUCH_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_SUCH_DATA", value)
    with pytest.raises(ValueError, match=r"variable NO_SUCH_DATA.*export NO_SUCH_DATA="):
        expand_path("${NO_SUCH_DATA}/x.nii", base=tmp_path)


VOXELS = np.random.default_rng(5).integers(0, 900, (21, 22, 23)).astype(np.int16)
GRID = np.diag([4.0, 4, 4, 1])


def voxels_of(path, values, image=nib.Nifti1Image):
    nib.save(image(values, GRID), path)
    return describe_voxels(path)[0]


def scaled(path):
    image = nib.Nifti1Image(VOXELS, GRID)
    image.header.set_slope_inter(2, -7)
    nib.save(image, path)
    return describe_voxels(path)[0]


def packed_anew(path):
    nib.save(nib.Nifti1Image(VOXELS, GRID), path)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    return describe_voxels(path)[0]


def big_endian(path):
    image = nib.Nifti1Image(VOXELS.astype(">i2"), GRID, nib.Nifti1Header(endianness=">"))
    nib.save(image, path)
    assert path.read_bytes()[:4] == (348).to_bytes(4, "big")
    return describe_voxels(path)[0]


SAME = {
    "packed anew": ("scan.nii.gz", packed_anew),
    "unpacked": ("scan.nii", lambda path: voxels_of(path, VOXELS)),
    "float64": ("scan.nii", lambda path: voxels_of(path, VOXELS.astype(np.float64))),
    "float32": ("scan.nii.gz", lambda path: voxels_of(path, VOXELS.astype(np.float32))),
    "big-endian": ("scan.nii", big_endian),
    "NIfTI-2": ("scan.nii", lambda path: voxels_of(path, VOXELS, nib.Nifti2Image)),
    "MGH": ("scan.mgz", lambda path: voxels_of(path, VOXELS, nib.MGHImage)),
    "reoriented": ("scan.nii", lambda path: voxels_of(path, VOXELS.transpose(2, 0, 1)[:, ::-1])),
    "padded": ("scan.nii.gz", lambda path: voxels_of(path, np.pad(VOXELS, ((3, 0), (0, 5), (1, 1))))),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_voxels_have_one_hash_however_they_are_stored(tmp_path, name):
    file, hashed = SAME[name]
    (tmp_path / "other").mkdir()
    assert hashed(tmp_path / file) == voxels_of(tmp_path / "other/scan.nii.gz", VOXELS)


def test_another_intensity_of_one_voxel_is_another_hash(tmp_path):
    hashes = {scaled(tmp_path / "scaled.nii"), voxels_of(tmp_path / "scan.nii", VOXELS)}
    for place, change in (((0, 0, 0), 1), ((20, 21, 22), 1), ((10, 3, 7), -1000)):
        values = VOXELS.copy()
        values[place] += change
        hashes.add(voxels_of(tmp_path / "scan.nii", values))
    assert len(hashes) == 5


def test_the_hash_is_the_sum_of_mixed_float32_intensities(tmp_path):
    """splitmix64 in Python's own integers."""

    def mixed(value):
        bits = int(np.float32(value).view(np.uint32)) * 0x9E3779B97F4A7C15 % 2**64
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
        return bits ^ bits >> 31

    values = np.float32([[[0, -0.0, 1.5], [-2, 3e-5, 700]], [[0, 0, 1], [1, 1, 2**24]]])
    values = np.tile(values, (3, 3, 3))
    found = voxels_of(tmp_path / "scan.nii.gz", values)
    assert found == f"{sum(mixed(value) for value in values.ravel() if value) % 2**64:016x}"


def test_pieces_that_cut_a_number_make_no_difference(tmp_path, monkeypatch):
    expected = voxels_of(tmp_path / "scan.nii.gz", VOXELS.astype(np.float32))
    for count in (1001, 352, 7):
        monkeypatch.setattr("spatial_erasing.images.image_files.CHUNK_BYTES", count)
        assert describe_voxels(tmp_path / "scan.nii.gz")[0] == expected


def test_a_damaged_scan_has_no_hash(tmp_path):
    path = write_image(tmp_path / "scan.nii.gz")
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ValueError, match=r"scan\.nii\.gz cannot be read as an image"):
        describe_voxels(path)


@pytest.mark.parametrize("place", [-6, -2])
def test_a_scan_with_another_checksum_or_length_has_no_hash(tmp_path, monkeypatch, place):
    """Also where a piece ends with the last voxel, so that the checksum would be left unread."""
    path = write_image(tmp_path / "scan.nii.gz")
    content = bytearray(path.read_bytes())
    monkeypatch.setattr("spatial_erasing.images.image_files.CHUNK_BYTES", len(gzip.decompress(content)))
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be read as an image \(its gzip content is damaged"):
        describe_voxels(path)


def test_a_file_that_is_not_the_listed_one_is_refused(tmp_path):
    path = write_image(tmp_path / "scan.nii.gz")
    listed = sha256_of(path)
    require_listed_content(path, listed)
    write_image(path, shape=(25, 25, 26))
    with pytest.raises(ValueError, match=rf"{sha256_of(path)}\. Expected {listed}.*--forcerun list_scans"):
        require_listed_content(path, listed)


VALUES = np.random.default_rng(0).gamma(3.0, 100.0, 20_000)
BACKGROUND = np.full(5_000, 7.0)


def moments(values, *, background, pieces=1):
    gathered = Moments(background)
    for piece in np.array_split(values, pieces):
        gathered.add(piece, np.uint64(1))
    return str(gathered)


def test_the_moments_are_those_of_scipy_and_leave_out_the_background():
    count, *found = map(float, moments(np.concatenate([BACKGROUND, VALUES]), background=7.0).split())
    scaled = (VALUES - VALUES.mean()) / VALUES.std()
    assert count == len(VALUES)
    assert found == pytest.approx([stats.moment(scaled, order) for order in (3, 4, 5, 6)], rel=1e-5)


def test_a_factor_an_offset_pieces_and_counts_change_nothing():
    expected = moments(VALUES.round(), background=0.0)
    assert moments(VALUES.round(), background=0.0, pieces=7) == expected
    other = moments(0.25 * VALUES.round() - 3, background=-3.0)
    assert [*map(float, other.split())] == pytest.approx([*map(float, expected.split())], rel=1e-5)
    counted = Moments(0.0)
    counted.add(*np.unique(VALUES.round(), return_counts=True))
    assert str(counted) == expected


@pytest.mark.parametrize("values", [VALUES[:9_999], np.full(20_000, 1e300), np.full(20_000, np.nan)])
def test_few_voxels_and_no_numbers_have_no_moments(values):
    with np.errstate(all="ignore"):
        assert moments(values, background=0.0) == ""
