import gzip
import os
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spatial_erasing.ingest.files import (
    case_folder,
    describe_grid,
    find_images,
    image_name,
    natural_order,
    sha256_of,
)
from spatial_erasing.paths import expand_path


def write_image(path, shape=(4, 5, 6), affine=None, dtype=np.int16):
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
    path = write_image(tmp_path / f"scan{suffix}", (7, 5, 6), oriented(codes, (1, 1.333, 0.7)))
    assert nib.aff2axcodes(nib.load(path).affine) == tuple(codes)
    assert describe_grid(path) == f"7x5x6 1.00x1.33x0.70mm {codes}"


def test_an_oblique_scan_keeps_its_spacing(tmp_path):
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([2, 1, 3])
    path = write_image(tmp_path / "scan.nii", affine=affine)
    zooms = nib.load(path).header.get_zooms()
    assert describe_grid(path) == "4x5x6 {:.2f}x{:.2f}x{:.2f}mm RAS".format(*zooms)


def test_a_fourth_axis_of_one_is_still_a_scan(tmp_path):
    assert describe_grid(write_image(tmp_path / "scan.nii", (4, 5, 6, 1))).startswith("4x5x6 ")


@pytest.mark.parametrize("shape", [(4, 5, 6, 2), (4, 5), (4, 5, 1)])
def test_what_has_not_three_axes_is_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"scan\.nii has shape .* three axes\. Write"):
        describe_grid(write_image(tmp_path / "scan.nii", shape))


def test_colours_are_refused(tmp_path):
    rgb = np.zeros((4, 5, 6), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(rgb, np.eye(4)), tmp_path / "scan.nii")
    with pytest.raises(ValueError, match="not plain numbers"):
        describe_grid(tmp_path / "scan.nii")


def test_another_format_is_refused_by_name(tmp_path):
    nib.save(nib.MGHImage(np.zeros((4, 5, 6), np.float32), np.eye(4)), tmp_path / "scan.mgz")
    with pytest.raises(ValueError, match=r"scan\.mgz is MGHImage, not NIfTI\. Convert"):
        describe_grid(tmp_path / "scan.mgz")


@pytest.mark.parametrize(
    "content", [b"version https://git-lfs.github.com/spec/v1\n", b"\x1f\x8b\x08\x00", b"<html>"]
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_what_is_no_image_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be read as NIfTI .* Fetch or convert") as error:
        describe_grid(path)
    assert "\n" not in str(error.value)


def test_an_unusable_affine_is_refused(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
    image.header["srow_x"] = 0
    content = bytearray(image.to_bytes())
    content[280:296] = bytes(16)  # srow_x: to_bytes restores the header from the affine
    (tmp_path / "scan.nii").write_bytes(content)
    with pytest.raises(ValueError, match="no usable affine"):
        describe_grid(tmp_path / "scan.nii")


def test_an_empty_file_and_a_missing_one_are_told_apart(tmp_path):
    (tmp_path / "empty.nii.gz").touch()
    with pytest.raises(ValueError, match="0 bytes"):
        describe_grid(tmp_path / "empty.nii.gz")
    with pytest.raises(FileNotFoundError, match=r"absent\.nii is not a file"):
        describe_grid(tmp_path / "absent.nii")


def test_a_link_to_content_that_was_not_fetched_says_how_to_fetch_it(tmp_path):
    (tmp_path / "scan.nii.gz").symlink_to("../.git/annex/objects/x")
    with pytest.raises(FileNotFoundError, match=r"link to .*annex/objects/x.*datalad get"):
        describe_grid(tmp_path / "scan.nii.gz")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_an_interrupted_download_is_refused(tmp_path, suffix):
    path = write_image(tmp_path / f"scan{suffix}", (20, 20, 20))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match=rf"ends early: \d+ of {352 + 2 * 20**3} bytes"):
        describe_grid(path)


def test_a_file_packed_in_blocks_or_with_bytes_to_spare_is_whole(tmp_path):
    content = write_image(tmp_path / "scan.nii").read_bytes()
    (tmp_path / "blocks.nii.gz").write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    (tmp_path / "spare.nii.gz").write_bytes(gzip.compress(content + bytes(32)))
    assert describe_grid(tmp_path / "blocks.nii.gz") == describe_grid(tmp_path / "scan.nii")
    assert describe_grid(tmp_path / "spare.nii.gz") == describe_grid(tmp_path / "scan.nii")


def test_hash_equals_sha256sum(tmp_path):
    path = tmp_path / "scan with space é.nii.gz"
    path.write_bytes(np.random.default_rng(0).bytes(3_000_000))
    printed = subprocess.run(["sha256sum", path], capture_output=True, check=True, text=True).stdout
    assert sha256_of(path) == printed.split()[0].lstrip("\\")


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_images_are_found_in_natural_order_without_hidden_doubles(tmp_path):
    touch(
        tmp_path,
        "b/run-10.nii",
        "b/run-2.nii.gz",
        "a/x.NII.GZ",
        "a/._x.nii.gz",
        "__MACOSX/a/x.nii",
        ".git/x.nii",
    )
    touch(tmp_path, "a/notes.txt", "a/x.nii.gz.part")
    found = [str(path.relative_to(tmp_path)) for path in find_images(tmp_path)]
    assert found == ["a/x.NII.GZ", "b/run-2.nii.gz", "b/run-10.nii"]


def test_links_to_folders_are_followed_once(tmp_path):
    touch(tmp_path, "disk/case/x.nii")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/link").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/case/back").symlink_to(tmp_path / "disk")
    assert find_images(tmp_path / "data") == [tmp_path / "data/link/case/x.nii"]


def test_a_link_to_nothing_is_found_so_that_it_can_be_reported(tmp_path):
    (tmp_path / "x.nii.gz").symlink_to("nowhere")
    assert find_images(tmp_path) == [tmp_path / "x.nii.gz"]


def test_a_folder_that_may_not_be_read_is_not_passed_over(tmp_path, monkeypatch):
    touch(tmp_path, "open/x.nii", "closed/y.nii")
    scandir = os.scandir

    def guarded(place):
        if str(place).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", guarded)  # os.walk looks it up; chmod would not stop root
    with pytest.raises(PermissionError, match="closed"):
        find_images(tmp_path)


def test_a_folder_named_like_an_image_gives_the_image_its_name():
    packed, plain = Path("c/BraTS_001_t1.nii/0057_brain.nii"), Path("c/BraTS_001_t1.nii.gz")
    assert image_name(packed) == image_name(plain) == "BraTS_001_t1"
    assert case_folder(packed) == case_folder(plain) == Path("c")


def test_natural_order_counts():
    names = ["ses-10", "ses-2", "ses-02", "ses-a", "1"]
    assert sorted(names, key=natural_order) == ["1", "ses-02", "ses-2", "ses-10", "ses-a"]


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
