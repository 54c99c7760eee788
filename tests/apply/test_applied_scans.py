"""Many scans: the files of each, bad ones named, finished ones kept, and the exit status."""

import csv
import gzip
import json
import locale
import os
import resource
import shutil
import signal
import subprocess
import sys
import zipfile

import nibabel as nib
import numpy as np
import pytest

from spatial_erasing.apply import apply
from spatial_erasing.apply import scans as scans_module
from spatial_erasing.apply.candidates import axial_slices, describe_slices, find_candidates
from spatial_erasing.apply.inputs import find_inputs, image_stem
from spatial_erasing.apply.scans import Options
from spatial_erasing.cli import main
from spatial_erasing.images.grids import Grid
from tests.apply.small_study import head, write_head
from tests.apply.test_one_scan import write_dicom
from tests.preprocess.analytic_head import directions_of

FILES = {
    "anomaly_score.nii.gz",
    "anomaly_percentile.nii.gz",
    "anomaly_mask.nii.gz",
    "candidates.csv",
    "slices.csv",
    "summary.json",
}


def run(bundle, output, *scans, options=("--stripped", "--workers", "1")):
    return main(["apply", *map(str, scans), "--model", str(bundle), "--output", str(output), *options])


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_scan_receives_its_files_on_its_own_voxels(bundle, tmp_path):
    scan = write_head(tmp_path / "head.nii.gz", 12, directions_of("LPS"), with_lesion=True)
    save = ("--save", "reconstruction", "brain", "grid", "spread")
    assert run(bundle, tmp_path / "out", scan, options=("--stripped", *save)) == 0
    folder = tmp_path / "out/head"
    extra = {"reconstruction.nii.gz", "brain_mask.nii.gz", "grid.npz", "reconstruction_spread.nii.gz"}
    assert {file.name for file in folder.iterdir()} - {"report.html"} == FILES | extra
    given, score = nib.load(scan), nib.load(folder / "anomaly_score.nii.gz")
    assert score.shape == given.shape and score.get_data_dtype() == np.float32
    mask = np.asarray(nib.load(folder / "anomaly_mask.nii.gz").dataobj)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask > 0, score.get_fdata() >= summary["threshold"])
    assert summary["total_ml"] == pytest.approx(mask.sum() * 0.008) and summary["networks"] == 2
    percentile = nib.load(folder / "anomaly_percentile.nii.gz").get_fdata()
    assert percentile.min() == 0 and 0.99 < percentile.max() <= 1
    candidates = rows_of(folder / "candidates.csv")
    assert sum(float(row["ml"]) for row in candidates) <= summary["total_ml"] + 1e-6
    (row,) = rows_of(tmp_path / "out/scans.csv")
    assert row["status"] == "done" and float(row["total_ml"]) == pytest.approx(summary["total_ml"], abs=1e-3)
    ran = json.loads((tmp_path / "out/run.json").read_text(encoding="utf-8"))
    assert ran["scans"] == {"done": 1, "kept": 0, "failed": 0, "left": 0}
    assert ran["model"]["sha256"]


def placed(header):
    names = ("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "quatern_c", "quatern_d")
    names += ("qoffset_x", "qoffset_y", "qoffset_z")
    return [np.asarray(header[name]).tolist() for name in names] + [header["pixdim"][:4].tolist()]


@pytest.mark.parametrize("kind", ["both", "sform alone", "qform alone", "two that differ", "nifti2"])
def test_sform_and_qform_of_the_scan_are_kept_to_the_last_bit(kind, bundle, tmp_path):
    volume = head(12, with_lesion=True)
    image = (nib.Nifti2Image if kind == "nifti2" else nib.Nifti1Image)(volume.intensities, volume.affine)
    moved = volume.affine.copy()
    moved[:3, 3] += [3.1, -2.7, 0.4]
    image.set_sform(volume.affine, code=0 if kind == "qform alone" else 4)
    image.set_qform(
        moved if kind == "two that differ" else volume.affine, code=0 if kind == "sform alone" else 1
    )
    nib.save(image, tmp_path / "t1.nii.gz")
    assert run(bundle, tmp_path / "out", tmp_path / "t1.nii.gz") == 0
    given = nib.load(tmp_path / "t1.nii.gz").header
    for name in ("score", "percentile", "mask"):
        assert placed(nib.load(tmp_path / f"out/t1/anomaly_{name}.nii.gz").header) == placed(given)


def test_mgz_dicom_zips_and_images_in_memory_give_the_same_numbers(bundle, tmp_path):
    volume = head(12, with_lesion=True)
    values = volume.intensities.round()
    nib.save(nib.MGHImage(values, volume.affine), tmp_path / "a.mgz")
    nib.save(nib.Nifti1Image(values, volume.affine), tmp_path / "b.nii")
    folder = write_dicom(tmp_path / "c", head(12, directions_of("LPS"), with_lesion=True))
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as packed:
        for file in folder.iterdir():
            packed.write(file, f"../climbing/{file.name}")
    paths = [tmp_path / name for name in ("a.mgz", "b.nii", "c", "d.zip")]
    memory = nib.Nifti1Image(values, volume.affine)
    options = Options(bundle, stripped=True, workers=1)
    rows = apply([*paths, memory], tmp_path / "out", options=options)
    assert [row["name"] for row in rows] == ["a", "b", "c", "d", "scan-5"]
    assert [row["status"] for row in rows] == ["done"] * 5, rows
    totals = [row["total_ml"] for row in rows]
    assert totals[0] == totals[1] == totals[4] and totals[2] == totals[3]
    assert totals[2] == pytest.approx(totals[0], rel=0.1) and totals[0] > 0
    assert not (tmp_path / "climbing").exists()
    assert locale.getencoding() == "UTF-8"  # which reading DICOM must not change


def bad_scans(folder, good):
    """One file of each kind that cannot be used, and what must be said about it."""
    content, image = good.read_bytes(), nib.load(good)
    values = image.get_fdata(dtype=np.float32)
    (folder / "empty.nii.gz").write_bytes(b"")
    (folder / "text.nii.gz").write_text("no image")
    (folder / "cut.nii.gz").write_bytes(content[: len(content) // 2])
    (folder / "other.nii").write_bytes(gzip.decompress(content)[:-5000])
    nib.save(nib.Nifti1Image(np.stack([values] * 2, -1), image.affine), folder / "series.nii.gz")
    nib.save(nib.Nifti1Image(np.where(values > 0, np.nan, 0), image.affine), folder / "nan.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros_like(values), image.affine), folder / "air.nii.gz")
    nib.save(nib.Nifti1Image(values, np.diag([0.01, 0.01, 0.01, 1])), folder / "tiny.nii.gz")
    nib.save(nib.Nifti1Image((values > 0).astype(np.uint8), image.affine), folder / "mask.nii.gz")
    placeless = nib.Nifti1Image(values, None)
    nib.save(placeless, folder / "placeless.nii.gz")
    return {
        "air": "no positive voxel",
        "cut": "ends in the middle of its gzip",
        "empty": "it is empty",
        "mask": "both",
        "nan": "NaN or infinite",
        "other": "it ends early",
        "placeless": "no affine",
        "series": "three axes",
        "text": "cannot be read as an image",
        "tiny": "spans",
    }


def test_bad_scans_are_named_in_a_line_each_and_the_others_are_done(bundle, tmp_path, capsys):
    good = write_head(tmp_path / "scans/good.nii.gz", 12, with_lesion=True)
    expected = bad_scans(tmp_path / "scans", good)
    missing = tmp_path / "missing.nii.gz"
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/a.txt").write_text("no dicom")
    given = (tmp_path / "scans", missing, tmp_path / "letters")
    assert run(bundle, tmp_path / "out", *given) == 1
    rows = {row["name"]: row for row in rows_of(tmp_path / "out/scans.csv")}
    expected |= {"missing": "does not exist", "letters": "no image and no DICOM"}
    assert rows.keys() == {"good", *expected}
    assert rows.pop("good")["status"] == "done"
    for name, words in expected.items():
        assert rows[name]["status"] == "failed" and words in rows[name]["reason"], rows[name]
        assert "\n" not in rows[name]["reason"] and not rows[name]["reason"].startswith("TypeError")
    assert "1 of 13 scans have their results" in capsys.readouterr().out


def test_nothing_done_is_status_2(bundle, tmp_path, capsys):
    scan = write_head(tmp_path / "t1.nii.gz", 12)
    (tmp_path / "bad.nii.gz").write_text("no image")
    (tmp_path / "none").mkdir()
    out = tmp_path / "out"
    assert run(bundle, out, tmp_path / "bad.nii.gz") == 2
    assert run(tmp_path / "no.zip", out, scan) == 2
    assert "no.zip does not exist" in capsys.readouterr().err
    assert run(bundle, out, scan, options=("--score", "bright")) == 2
    assert run(bundle, out, scan, scan, options=("--brain-mask", str(scan))) == 2
    assert "one brain mask was given for 2 scans" in capsys.readouterr().err
    assert run(bundle, out, scan, options=("--naming", "bids")) == 2
    assert "has no BIDS name" in capsys.readouterr().err
    assert run(bundle, out, scan, options=("--stripped", "--device", "cuda:7")) == 2


@pytest.mark.parametrize("threshold", ["0", "-0.5", "nan", "inf"])
def test_a_threshold_that_marks_everything_or_nothing_is_refused(threshold, bundle, tmp_path, capsys):
    assert run(bundle, tmp_path / "out", tmp_path / "t1.nii.gz", options=("--threshold", threshold)) == 2
    said = f"the threshold is {threshold}; expected a finite number above 0."
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()


def out_of_memory(*_):
    raise MemoryError("Unable to allocate 9 GiB")


def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def unforeseen(*_):
    raise KeyError("t1")


@pytest.mark.parametrize(
    "strike, workers, said",
    [
        (out_of_memory, 1, "MemoryError: Unable to allocate 9 GiB The system kills what takes too much"),
        (out_of_memory, 2, "MemoryError: Unable to allocate 9 GiB"),
        (killed, 2, "its process was killed each time"),
        (unforeseen, 1, "KeyError: 't1' Nobody foresaw this error"),
    ],
)
def test_a_fault_of_the_machine_is_no_fault_of_a_scan(
    strike, workers, said, *, bundle, tmp_path, monkeypatch, capsys
):
    scans = [write_head(tmp_path / f"{name}.nii.gz", 12) for name in ("sound", "struck")]
    options = ("--stripped", "--workers", str(workers))

    def examine(scan, *given):
        return (strike if "struck" in str(scan.path) else sound)(scan, *given)

    sound = scans_module.examine
    monkeypatch.setattr(scans_module, "examine", examine)
    assert run(bundle, tmp_path / "out", *scans, options=options) == 1
    assert "1 are left by no fault of their own" in capsys.readouterr().err
    if workers == 1:
        assert run(bundle, tmp_path / "alone", scans[1], options=options) == 2
    rows = rows_of(tmp_path / "out/scans.csv")
    assert [row["status"] for row in rows] == ["done", "left"] and said in rows[1]["reason"]
    monkeypatch.setattr(scans_module, "examine", sound)
    assert run(bundle, tmp_path / "out", *scans, options=options) == 0
    assert [row["status"] for row in rows_of(tmp_path / "out/scans.csv")] == ["kept", "done"]


def test_what_finds_no_room_on_the_disk_is_left_and_the_same_command_goes_on(bundle, tmp_path):
    scans = [write_head(tmp_path / f"{name}.nii.gz", 12, with_lesion=True) for name in "ab"]
    assert run(bundle, tmp_path / "out", scans[0]) == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # of a file: tables fit, maps do not
    try:
        assert run(bundle, tmp_path / "out", *scans) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    rows = rows_of(tmp_path / "out/scans.csv")
    assert [row["status"] for row in rows] == ["kept", "left"]
    assert "File too large" in rows[1]["reason"] and "Make room on its disk" in rows[1]["reason"]
    assert json.loads((tmp_path / "out/run.json").read_text())["scans"]["left"] == 1
    assert not (tmp_path / "out/b/summary.json").exists()
    assert run(bundle, tmp_path / "out", *scans) == 0


def test_what_is_wrong_with_the_model_ends_the_command(bundle, tmp_path, capsys):
    """Before the first scan: no scan may be blamed for it."""
    scan = write_head(tmp_path / "t1.nii.gz", 12)
    assert run(bundle, tmp_path / "out", scan, options=("--stripped", "--device", "cuda:7")) == 2
    assert "the device 'cuda:7' cannot be used" in capsys.readouterr().err
    assert rows_of(tmp_path / "out/scans.csv") == []
    assert run(bundle, tmp_path / "out", scan, options=("--brain-mask", str(tmp_path / "no.nii.gz"))) == 2
    assert "no.nii.gz does not exist. Correct the path of the brain mask." in capsys.readouterr().err


def test_the_same_command_keeps_what_is_finished_and_a_changed_one_does_not(bundle, tmp_path):
    scan, out = write_head(tmp_path / "t1.nii.gz", 12, with_lesion=True), tmp_path / "out"
    other = write_head(tmp_path / "t2.nii.gz", 11, with_lesion=True)

    def statuses(*options):
        run(bundle, out, scan, other, options=("--stripped", "--workers", "1", *options))
        return [row["status"] for row in rows_of(out / "scans.csv")]

    assert statuses() == ["done", "done"]
    (out / "t2/anomaly_mask.nii.gz").unlink()  # as after a kill
    assert statuses() == ["kept", "done"]
    assert statuses("--threshold", "0.5") == ["done", "done"]
    write_head(tmp_path / "t1.nii.gz", 10, with_lesion=True)
    assert statuses("--threshold", "0.5") == ["done", "kept"]


def test_no_file_of_an_earlier_run_passes_for_one_of_another(bundle, tmp_path, monkeypatch):
    scan, folder = write_head(tmp_path / "t1.nii.gz", 12, with_lesion=True), tmp_path / "out/t1"

    def status(*options):
        run(bundle, tmp_path / "out", scan, options=("--stripped", *options))
        return rows_of(tmp_path / "out/scans.csv")[0]["status"]

    extra, other = ("--save", "reconstruction"), ("--threshold", "0.5")
    assert status(*extra) == "done" and (folder / "reconstruction.nii.gz").exists()
    assert status(*other) == "done" and not (folder / "reconstruction.nii.gz").exists()
    with monkeypatch.context() as patched:
        patched.setattr(scans_module, "examine", out_of_memory)
        assert status(*other, *extra) == "left"
    assert status(*other) == "kept"  # a fault costs nothing that is finished
    with monkeypatch.context() as patched:
        patched.setattr(scans_module, "write_results", out_of_memory)
        assert status(*other, *extra) == "left"
    assert status(*other) == "kept" and status(*other, *extra) == "done"
    scan.write_text("no image")
    assert status() == "failed" and list(folder.iterdir()) == []


def test_an_interrupted_run_keeps_its_rows_and_goes_on(bundle, tmp_path, monkeypatch, capsys):
    scans = [write_head(tmp_path / f"{name}.nii.gz", 12) for name in "abc"]
    real = nib.Nifti1Image.get_fdata

    def interrupt(line):
        raise KeyboardInterrupt

    options = Options(bundle, stripped=True, workers=1)
    with pytest.raises(KeyboardInterrupt):
        apply(scans, tmp_path / "out", options=options, progress=interrupt)
    assert [row["name"] for row in rows_of(tmp_path / "out/scans.csv")] == ["a"]
    rows = apply(scans, tmp_path / "out", options=options)
    assert [row["status"] for row in rows] == ["kept", "done", "done"] and real
    monkeypatch.setattr("spatial_erasing.apply.scans.apply", lambda *_, **__: interrupt(""))
    assert run(bundle, tmp_path / "out", *scans) == 130
    assert "give the same command again" in capsys.readouterr().err


def test_a_killed_run_leaves_the_rows_of_what_is_finished(bundle, tmp_path):
    scans = [write_head(tmp_path / f"{name}.nii.gz", 12) for name in "ab"]
    code = (
        "import os, sys; from spatial_erasing.apply.scans import Options, apply;"
        "options = Options(sys.argv[1], stripped=True, workers=1);"
        "apply(sys.argv[3:], sys.argv[2], options=options, progress=lambda line: os.kill(os.getpid(), 9))"
    )
    command = [sys.executable, "-c", code, bundle, tmp_path / "out", *scans]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert [(row["name"], row["status"]) for row in rows_of(tmp_path / "out/scans.csv")] == [("a", "done")]


def test_several_workers_find_what_one_finds(bundle, tmp_path):
    scans = [write_head(tmp_path / f"{number}.nii.gz", number, with_lesion=True) for number in (10, 11, 12)]
    (tmp_path / "bad.nii.gz").write_text("no image")
    scans.insert(1, tmp_path / "bad.nii.gz")
    found = [
        apply(scans, tmp_path / f"out-{workers}", options=Options(bundle, stripped=True, workers=workers))
        for workers in (1, 2)
    ]
    for one, two in zip(*found, strict=True):
        assert one["status"] == two["status"] and one.get("total_ml") == two.get("total_ml")


def test_scans_of_the_same_name_have_folders_of_their_own(tmp_path):
    for name in ("x/t1.nii.gz", "y/t1.nii.gz", "y/other.mgz", "y/._t1.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scans = find_inputs([tmp_path / "x", tmp_path / "y", tmp_path / "x/t1.nii.gz"])
    assert [scan.name for scan in scans] == ["x_t1", "other", "y_t1", "x_t1_2"]
    assert image_stem(tmp_path / "a.b.nii.gz") == "a.b"
    with pytest.raises(ValueError, match="no scan was found"):
        find_inputs([])


def test_results_of_another_scan_of_that_name_are_never_replaced(bundle, tmp_path, monkeypatch):
    for name, number in (("a", 12), ("b", 11)):
        write_head(tmp_path / name / "t1.nii.gz", number, with_lesion=True)
    out = tmp_path / "out"

    def ended(folder, scan="t1.nii.gz"):
        monkeypatch.chdir(tmp_path / folder)  # paths that read the same are not the same scan
        status = run(bundle, out, scan)
        (row,) = rows_of(out / "scans.csv")
        return status, row["status"], row["reason"]

    assert ended("a") == (0, "done", "")
    before = {file.name: file.read_bytes() for file in (out / "t1").iterdir()}
    for scan in ("t1.nii.gz", tmp_path / "b/t1.nii.gz"):
        status, row_status, reason = ended("b", scan)
        assert (status, row_status) == (2, "failed")
        said = (
            f"{out / 't1/summary.json'} is of another scan, {tmp_path / 'a/t1.nii.gz'}. Give another --output"
        )
        assert reason.startswith(said) and str(scan) in reason
    assert {file.name: file.read_bytes() for file in (out / "t1").iterdir()} == before
    shutil.copytree(tmp_path / "a", tmp_path / "moved")
    assert ended("moved") == ended("a") == (0, "kept", "")
    write_head(tmp_path / "a/t1.nii.gz", 10, with_lesion=True)
    assert ended("a") == (0, "done", "")


def test_a_brain_mask_of_the_users_own_is_used(bundle, tmp_path):
    scan = write_head(tmp_path / "t1.nii.gz", 12, with_lesion=True)
    image = nib.load(scan)
    half = image.get_fdata() > 0
    half[: half.shape[0] // 2] = False  # the left half, with the lesion, is not brain
    nib.save(nib.Nifti1Image(half.astype(np.uint8), image.affine), tmp_path / "mask.nii.gz")
    assert run(bundle, tmp_path / "out", scan, options=("--brain-mask", str(tmp_path / "mask.nii.gz"))) == 0
    score = nib.load(tmp_path / "out/t1/anomaly_score.nii.gz").get_fdata()
    assert score[half].max() > 0 and score[: half.shape[0] // 2 - 3].max() == 0


def test_candidates_are_components_with_place_and_size():
    grid = Grid((20, 20, 20), np.array([[-2.0, 0, 0, 19], [0, 0, 2, -19], [0, -2, 0, 19], [0, 0, 0, 1]]))
    score = np.zeros(grid.shape, np.float32)
    score[2:6, 10:14, 3:7], score[12:14, 2:4, 15:17], score[19, 19, 19] = 0.4, 0.9, 1.0
    score[5, 13, 6] = 0.7
    rows = find_candidates(score, score / 2, score > 0, grid=grid, minimum_ml=0.02)
    assert [row["ml"] for row in rows] == pytest.approx([0.512, 0.064])  # the single voxel is too small
    assert find_candidates(score, score / 2, score > 2, grid=grid, minimum_ml=0.02) == []
    assert [row["peak"] for row in rows] == pytest.approx([0.7, 0.9])
    first = rows[0]
    np.testing.assert_allclose([first[name] for name in ("x_mm", "y_mm", "z_mm")], [12, -10, -4])
    assert first["slice"] in axial_slices(grid)[10:14] and axial_slices(grid)[0] == 19  # j runs downwards
    slices = describe_slices(score, score / 2, score > 0, brain=np.ones(grid.shape, bool), grid=grid)
    assert [row["slice"] for row in slices] == list(range(20))
    assert [row["z_mm"] for row in slices] == pytest.approx([-19 + 2 * n for n in range(20)])
    assert sum(row["marked_cm2"] for row in slices) * 0.2 == pytest.approx((score > 0).sum() * 0.008)


def test_the_folder_of_the_package_is_never_written(bundle, tmp_path):
    """And nothing is left behind in the output beside the results."""
    scan = write_head(tmp_path / "t1.nii.gz", 12)
    assert run(bundle, tmp_path / "out", scan) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"t1", "scans.csv", "run.json"}
    shutil.rmtree(tmp_path / "out")
