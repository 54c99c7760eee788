import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spatial_erasing.ingest.files import describe_grid, sha256_of
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
    monkeypatch.setattr("spatial_erasing.ingest.files.unpacked_length", lambda *_, **__: 0)
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
