"""Every way a subject's files can be wrong ends in its manifest row; a fault of the machine never does."""

import errno
import gzip
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from analytic_head import TINY_SETTINGS, corner, damage, move_lesion, new_values, tiny_subject
from raw_files import flip, set_fields
from unprivileged import as_nobody, folder_for_everyone

from spatial_erasing.images import image_files
from spatial_erasing.preprocess import subject as subject_module
from spatial_erasing.preprocess.subject import prepare_subject


def prepare(scan, *, folder):
    return prepare_subject([scan], folder=folder, settings=TINY_SETTINGS, code="code")


def with_nan(values):
    values = values.copy()
    values[3, 4, 5:7] = np.nan, np.inf
    return values


def zero_affine(image):
    image = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
    image.header["sform_code"], image.header["qform_code"] = 1, 0
    for line in ("srow_x", "srow_y", "srow_z"):
        image.header[line] = 0
    return nib.Nifti1Image(np.asarray(image.dataobj), None, image.header)


def truncate(row):
    content = Path(row["path"]).read_bytes()
    Path(row["path"]).write_bytes(content[: len(content) // 2])


def cut_short_inside_gzip(row):
    content = gzip.decompress(Path(row["path"]).read_bytes())
    Path(row["path"]).write_bytes(gzip.compress(content[: len(content) // 2]))


def rename_to_text(row):
    row["path"] = str(Path(row["path"]).with_name("notes.nii"))
    Path(row["path"]).write_text("the patient moved, please repeat\n" * 40)


def make_a_folder_of_it(row):
    Path(row["path"]).unlink()
    Path(row["path"]).mkdir()


def promise_terabytes(row):
    sizes = [1, 0.015, 0.015, 0.015, 0, 0, 0, 0]
    rows = {f"srow_{axis}": np.eye(4)[line] * 0.015 for line, axis in enumerate("xyz")}
    set_fields(Path(row["path"]), dim=[3, 30000, 30000, 30000, 1, 1, 1, 1], pixdim=sizes, **rows)


def let_the_qform_alone_say(row, **fields):
    set_fields(Path(row["path"]), sform_code=0, qform_code=1, **fields)


def fields(**values):
    return lambda row: set_fields(Path(row["path"]), **values)


SCAN, LESION, MASK = "t1.nii.gz", "lesion.nii.gz", "mask.nii.gz"
BAD_INPUT = {
    "truncated gzip": (truncate, SCAN, "cannot be read as an image", "Fetch or convert the file again"),
    "gzip of half a file": (cut_short_inside_gzip, SCAN, "cannot be read as an image", "Fetch or convert"),
    "empty file": (
        lambda row: Path(row["path"]).write_bytes(b""),
        SCAN,
        "cannot be read",
        "Fetch or convert",
    ),
    "text": (rename_to_text, "notes.nii", "cannot be read as an image", "Fetch or convert the file again"),
    "flipped byte": (
        lambda row: flip(Path(row["path"]), 0.5),
        SCAN,
        "cannot be read as an image",
        "Fetch or",
    ),
    "wrong checksum": (lambda row: flip(Path(row["path"]), -5), SCAN, "gzip content is damaged", "Fetch or"),
    "promise of terabytes": (promise_terabytes, SCAN, f"promises {30000**3 * 4 + 352} bytes", "Fetch or"),
    "folder": (make_a_folder_of_it, SCAN, "is a folder, not a file", "Name the file itself"),
    "metres": (fields(xyzt_units=1), SCAN, "voxel sizes of 1 x 1 x 1 in the unit meter", "Convert sizes"),
    "microns": (fields(xyzt_units=3), SCAN, "in the unit micron", "Convert sizes"),
    "too large": (fields(srow_x=[1000, 0, 0, 0]), SCAN, "spans 2.4e+04 x 24 x 24 mm", "Restore the voxel"),
    "too small": (fields(srow_x=[0.001, 0, 0, 0]), SCAN, "spans 0.024 x 24 x 24 mm", "Restore the voxel"),
    "no affine": (fields(sform_code=0), SCAN, "nothing tells left from right", "Convert the original scan"),
    "negative sizes": (
        lambda row: let_the_qform_alone_say(row, pixdim=[1, 1, -1, 1, 0, 0, 0, 0]),
        SCAN,
        "voxel sizes of 1 x -1 x 1 mm",
        "Convert the original scan",
    ),
    "complex": (
        lambda row: damage(row, new_values(lambda v: v.astype(np.complex64))),
        SCAN,
        "stores complex64",
        "Write it as grey values",
    ),
    "not finite": (
        lambda row: damage(row, new_values(with_nan)),
        SCAN,
        "holds 2 voxels that are NaN or infinite",
        "Repair",
    ),
    "2-D": (
        lambda row: damage(row, new_values(lambda v: v[:, :, 9])),
        SCAN,
        "shape (24, 24)",
        "Write one volume",
    ),
    "two volumes": (
        lambda row: damage(row, new_values(lambda v: np.stack([v, v], axis=-1))),
        SCAN,
        "shape (24, 24, 24, 2)",
        "Write one volume",
    ),
    "zero affine": (lambda row: damage(row, zero_affine), SCAN, "no usable affine", "Restore its header"),
    "all zero": (lambda row: damage(row, new_values(np.zeros_like)), SCAN, "no positive voxel", "leave out"),
    "constant": (
        lambda row: damage(row, new_values(np.ones_like)),
        SCAN,
        "percentiles 1 and 99 are both",
        "Look at the file",
    ),
    "nearly no brain": (
        lambda row: damage(row, new_values(lambda v: v * (np.indices(v.shape).sum(axis=0) < 27))),
        SCAN,
        "the brain mask holds 0 ml, expected 1 to 100 ml",
        "skull_strip: given",
    ),
    "mask demanded, none given": (
        lambda row: row.update(skull_strip="given", brain_mask=""),
        SCAN,
        "no brain_mask stands in its row",
        "Add its",
    ),
    "mask of nothing": (
        lambda row: (
            row.update(skull_strip="given"),
            nib.save(
                nib.Nifti1Image(np.zeros((24, 24, 24), np.uint8), nib.load(row["path"]).affine),
                row["brain_mask"],
            ),
        ),
        SCAN,
        "the brain mask holds 0 ml",
        "widen preprocess.brain_range_ml",
    ),
    "lesion shifted": (lambda row: move_lesion(row, shift_mm=4), LESION, "up to 4 mm off", "Resample it"),
    "lesion on another grid": (
        lambda row: move_lesion(row, values=corner()[:20]),
        LESION,
        "shape (20, 24, 24), the scan has",
        "Resample it",
    ),
    "lesion outside": (
        lambda row: move_lesion(row, values=corner()),
        LESION,
        "wholly outside the brain",
        "viewer",
    ),
    "lesion empty": (
        lambda row: move_lesion(row, values=0 * corner()),
        LESION,
        "holds no labelled voxel",
        "leave out this subject",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_ends_in_a_row_that_names_file_finding_and_remedy(tmp_path, case):
    break_it, name, finding, remedy = BAD_INPUT[case]
    row = tiny_subject(tmp_path / "kopf Übung 7")
    break_it(row)
    result = prepare(row, folder=tmp_path / "done")
    assert result["status"] == "failed" and result["folder"] == ""
    assert str(tmp_path / "kopf Übung 7" / name) in result["reason"]
    assert finding in result["reason"] and remedy in result["reason"]
    assert "\n" not in result["reason"]
    assert (result["cohort"], result["subject"], result["scanner"]) == ("study", "kopf Übung 7", "Trio")
    assert not (tmp_path / "done").exists()


FAULTS = [
    MemoryError("of 9 TB"),
    OSError(errno.ENOSPC, "No space left on device", "t1.nii.gz"),
    OSError(errno.EDQUOT, "Disk quota exceeded", "t1.nii.gz"),
    OSError(errno.EIO, "Input/output error", "t1.nii.gz"),
    OSError(errno.ESTALE, "Stale file handle", "t1.nii.gz"),
    FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    ModuleNotFoundError("No module named 'ants'", name="ants"),
    np.linalg.LinAlgError("Singular matrix"),
    KeyError("t1"),
]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: f"{type(error).__name__} {error}"[:30])
@pytest.mark.parametrize("place", ["prepare_brain", "write_brain"])
def test_what_is_not_in_the_data_is_raised_and_nothing_looks_finished(tmp_path, monkeypatch, error, place):
    def explode(*_, **__):
        raise error

    monkeypatch.setattr(subject_module, place, explode)
    with pytest.raises(type(error)) as raised:
        prepare(tiny_subject(tmp_path / "one"), folder=tmp_path / "done")
    assert raised.value is error and not (tmp_path / "done").exists()


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_while_a_scan_is_read_is_no_damage_to_the_scan(tmp_path, monkeypatch, number):
    def fail(path):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(image_files, "_opened", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        prepare(tiny_subject(tmp_path / "one"), folder=tmp_path / "done")


@pytest.mark.parametrize("file", ["scan", "lesion", "mask"])
def test_a_file_that_has_gone_since_it_was_listed_is_no_finding(tmp_path, file):
    row = tiny_subject(tmp_path / "one") | {"skull_strip": "given"}
    (lesion,) = json.loads(row["lesion"])
    path = Path({"scan": row["path"], "lesion": lesion, "mask": row["brain_mask"]}[file])
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"{path} does not exist"):
        prepare(row, folder=tmp_path / "done")


def test_a_scan_without_permission_comes_with_the_command_and_stays_to_be_done():
    with folder_for_everyone() as folder:
        row = tiny_subject(folder / "one")
        Path(row["path"]).chmod(0)
        with pytest.raises(
            PermissionError, match=rf"{row['path']} may not be read .*chmod a\+r {row['path']}"
        ):
            as_nobody(prepare, row, folder=folder / "done")


def test_a_closed_folder_of_results_is_named_with_nothing_half_written():
    with folder_for_everyone() as folder:
        row = tiny_subject(folder / "one")
        (folder / "results").mkdir(mode=0o555)
        with pytest.raises(PermissionError, match=str(folder / "results")):
            as_nobody(prepare, row, folder=folder / "results" / "done")
        assert list((folder / "results").iterdir()) == []


def test_a_path_with_spaces_and_letters_of_other_alphabets_is_a_path_like_any_other(tmp_path):
    plain = prepare(tiny_subject(tmp_path / "plain"), folder=tmp_path / "done" / "plain")
    row = tiny_subject(tmp_path / "Größe und 头 в мозг" / "sub 01")
    folder = tmp_path / "fertig é" / "sub 01"
    result = prepare(row, folder=folder)
    assert (result["status"], result["folder"]) == ("done", str(folder))
    assert result["brain_ml"] == plain["brain_ml"] and result["lesion_ml"] == plain["lesion_ml"]
    for name in ("t1.nii.gz", "brain.nii.gz", "lesion.nii.gz"):
        assert (folder / name).read_bytes() == (Path(plain["folder"]) / name).read_bytes()
