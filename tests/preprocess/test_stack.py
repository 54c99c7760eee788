import json

import numpy as np
import pytest
from analytic_head import TINY_SETTINGS, tiny_subject
from skimage.transform import resize_local_mean

from spatial_erasing.images.volumes import read_volume, write_volume
from spatial_erasing.preprocess.stack import (
    StackSettings,
    largest_box,
    require_few_failures,
    shrink_subject,
    stack_cohort,
)
from spatial_erasing.preprocess.standardise.ways import Standard
from spatial_erasing.preprocess.subject import prepare_subject

AS_IT_IS = Standard({"t1": "range", "t1ce": "range"}, {})
GRIDS = StackSettings(AS_IT_IS, (24, 22, 20), (12, 11, 10), lesion_downsampling="nearest")


def done(folder, name, **options):
    scan = tiny_subject(folder / name, **options)
    return prepare_subject([scan], folder=folder / "done" / name, settings=TINY_SETTINGS, code="")


def stacked(rows, settings=GRIDS, cores=1):
    return stack_cohort(rows, sequences=("t1",), settings=settings, cores=cores)[0]


def test_a_small_brain_is_the_local_mean_of_the_padded_one(tmp_path):
    row = done(tmp_path, "one")
    small, *_ = shrink_subject(tmp_path / "done" / "one", sequences=("t1",), settings=GRIDS)
    scan, brain = (
        read_volume(tmp_path / "done" / "one" / f"{n}.nii.gz").intensities for n in ("t1", "brain")
    )
    missing = [size - row[f"box_{axis}_voxels"] for size, axis in zip((24, 22, 20), "xyz", strict=True)]
    margins = [(m // 2, m - m // 2) for m in missing]
    occupied = resize_local_mean(np.pad(brain, margins), GRIDS.grid_voxels) >= 0.5
    expected = np.where(occupied, resize_local_mean(np.pad(scan, margins), GRIDS.grid_voxels), 0)
    assert np.array_equal(small["brain"], occupied)
    assert np.abs(small["t1"] - expected).max() < 1e-3
    assert small["t1"].dtype == np.float16 and small["lesion"].dtype == small["lesion_slices"].dtype == bool
    assert small["lesion"].any() and small["lesion_slices"].shape == (10,)
    assert (small["lesion_slices"] | ~small["lesion"].any(axis=(0, 1))).all()


def test_each_sequence_is_standardised_at_the_prepared_spacing_and_its_map_recorded(tmp_path):
    row = done(tmp_path, "one")
    folder = tmp_path / "done" / "one"
    first, brain = (read_volume(folder / f"{name}.nii.gz") for name in ("t1", "brain"))
    write_volume(folder / "t1ce.nii.gz", first.intensities**2, first.affine)
    standard = Standard({"t1": "median", "t1ce": "median"}, {"t1": 0.5, "t1ce": 0.3})
    settings = StackSettings(standard, GRIDS.padded_grid_voxels, GRIDS.grid_voxels, "nearest")
    arrays, _ = stack_cohort([row], sequences=("t1", "t1ce"), settings=settings, cores=1)

    values = first.intensities[brain.intensities > 0]
    exponent = np.log(0.5) / np.log(np.median(values))
    assert row["intensity_maps"].startswith(f"t1: power {exponent:.4g}; t1ce: power ")
    write_volume(folder / "t1.nii.gz", first.intensities**exponent, first.affine)
    by_hand, *_ = shrink_subject(folder, sequences=("t1",), settings=GRIDS)
    assert np.abs(arrays["t1"][0].astype(float) - by_hand["t1"].astype(float)).max() < 1e-3
    assert not arrays["t1ce"][0][~arrays["brain"][0]].any()


def test_a_scan_without_a_map_onto_the_standard_fails_in_its_row_with_its_sequence(tmp_path):
    rows = [done(tmp_path, "fits"), done(tmp_path, "flat")]
    folder = tmp_path / "done" / "flat"
    brain = read_volume(folder / "brain.nii.gz")
    write_volume(folder / "t1.nii.gz", brain.intensities * 1.0, brain.affine)
    standard = Standard({"t1": "median"}, {"t1": 0.5})
    settings = StackSettings(standard, GRIDS.padded_grid_voxels, GRIDS.grid_voxels, "nearest")
    assert stacked(rows, settings=settings)["subject"].tolist() == ["fits"]
    assert rows[1]["status"] == "failed" and rows[1]["reason"].startswith("t1: the median of the brain's")


def test_a_second_sequence_lies_beside_the_first(tmp_path):
    done(tmp_path, "one")
    first = read_volume(tmp_path / "done" / "one" / "t1.nii.gz")
    write_volume(tmp_path / "done" / "one" / "t1ce.nii.gz", first.intensities / 2, first.affine)
    small, *_ = shrink_subject(tmp_path / "done" / "one", sequences=("t1", "t1ce"), settings=GRIDS)
    assert np.abs(small["t1ce"] - small["t1"].astype(float) / 2).max() < 1e-3


def test_the_rows_of_all_arrays_follow_the_subjects(tmp_path):
    rows = [done(tmp_path, "healthy", with_lesion=False), done(tmp_path, "ill")]
    arrays = stacked(rows, cores=2)
    assert arrays["subject"].tolist() == ["healthy", "ill"]
    assert arrays["lesion"].any(axis=(1, 2, 3)).tolist() == [False, True]
    for name in ("healthy", "ill"):
        alone, *_ = shrink_subject(tmp_path / "done" / name, sequences=("t1",), settings=GRIDS)
        place = arrays["subject"].tolist().index(name)
        assert all(np.array_equal(arrays[key][place], value) for key, value in alone.items())


def test_the_order_of_the_manifest_is_kept_whoever_is_ready_first(tmp_path):
    rows = [done(tmp_path, name) for name in ("b", "a", "c")]
    assert stacked(rows, cores=2)["subject"].tolist() == ["b", "a", "c"]


def test_a_brain_larger_than_the_grid_fails_in_its_row_and_the_others_go_on(tmp_path):
    rows = [done(tmp_path, "fits"), done(tmp_path, "large")]
    folder = tmp_path / "done" / "large"
    for name in ("t1", "brain", "lesion"):
        volume = read_volume(folder / f"{name}.nii.gz")
        write_volume(folder / f"{name}.nii.gz", np.repeat(volume.intensities, 2, axis=1), volume.affine)
    record = json.loads((folder / "record.json").read_text())
    record["centred"][1][1] *= 2
    (folder / "record.json").write_text(json.dumps(record))
    arrays = stacked(rows)
    assert arrays["subject"].tolist() == ["fits"] and len(arrays["t1"]) == 1
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "18 × 36 × 18 voxels and does not fit the padded grid of 24 × 22 × 20" in rows[1]["reason"]
    with pytest.raises(
        ValueError, match=r"1 of 2 subjects of study failed.*\n  large: the brain measures 18 × 36"
    ):
        require_few_failures(rows, maximum_percent=5, cohort="study")


@pytest.mark.parametrize("file", ["t1.nii.gz", "record.json"])
@pytest.mark.parametrize("damage", ["gone", "half"])
def test_damage_to_a_prepared_brain_is_not_written_down_as_a_fault_of_its_scan(tmp_path, file, damage):
    rows = [done(tmp_path, "fits"), done(tmp_path, "hurt")]
    path = tmp_path / "done" / "hurt" / file
    content = path.read_bytes()
    path.unlink()
    if damage == "half":
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RuntimeError, match="1 of 2 failed") as error:
        stacked(rows)
    assert f"hurt: {path.parent} does not hold the whole brain that was prepared" in str(error.value)
    assert f"rm -r {path.parent} and add --forcerun prepare_brains" in str(error.value)
    assert [row["status"] for row in rows] == ["done", "done"]


def test_subjects_that_failed_before_are_left_out(tmp_path):
    rows = [done(tmp_path, "fits"), {"subject": "bad", "status": "failed", "reason": "empty", "folder": ""}]
    assert stacked(rows)["subject"].tolist() == ["fits"]


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        (
            [{"cohort": "atlas", "subject": "s1", "status": "failed", "reason": "it is empty"}],
            "atlas s1: it is empty",
        ),
        ([], "no scan of it was found"),
    ],
)
def test_a_cohort_of_which_nobody_is_left_stops_the_study(rows, finding):
    with pytest.raises(ValueError, match=rf"no subject of a cohort.*Correct its scans(.|\n)*{finding}"):
        stacked(rows)


def test_the_automatic_grid_holds_the_largest_brain_along_each_axis(tmp_path):
    rows = [
        {"status": "done", "box_x_voxels": "140", "box_y_voxels": "170", "box_z_voxels": "99"},
        {"status": "done", "box_x_voxels": "98", "box_y_voxels": 171, "box_z_voxels": "130"},
        {"status": "failed", "box_x_voxels": "", "box_y_voxels": "", "box_z_voxels": ""},
    ]
    assert largest_box(iter(rows)) == (140, 171, 130)
    row = done(tmp_path, "one")
    settings = StackSettings(AS_IT_IS, largest_box([row]), (9, 9, 9), "nearest")
    assert stacked([row], settings=settings)["brain"].any()
    with pytest.raises(ValueError, match="none can set padded_grid_voxels: auto"):
        largest_box(rows[2:])


def few(failed, total):
    return [
        {"subject": f"s{i}", "status": "failed" if i < failed else "done", "reason": f"r{i}"}
        for i in range(total)
    ]


@pytest.mark.parametrize(("failed", "total", "maximum"), [(0, 3, 0), (5, 100, 5), (1, 3, 34), (3, 3, 100)])
def test_few_failures_are_let_pass(failed, total, maximum):
    require_few_failures(few(failed, total), maximum_percent=maximum, cohort="brats")


@pytest.mark.parametrize(("failed", "total", "maximum"), [(1, 100, 0), (6, 100, 5), (2, 3, 66)])
def test_many_failures_stop_the_run_with_reasons_and_remedy(failed, total, maximum):
    with pytest.raises(
        ValueError, match=rf"{failed} of {total} subjects of brats failed, more than"
    ) as error:
        require_few_failures(few(failed, total), maximum_percent=maximum, cohort="brats")
    message = str(error.value)
    assert "  s0: r0" in message and f"({maximum}) allows" in message
    assert "results/logs/stack_cohort/brats.log" in message


def test_a_brain_that_vanishes_on_the_small_grid_fails_in_its_row(tmp_path):
    rows = [done(tmp_path, "one"), done(tmp_path, "two")]
    path = tmp_path / "done" / "two" / "brain.nii.gz"
    brain = read_volume(path)
    holes = np.indices(brain.intensities.shape).sum(axis=0) % 5 == 0
    write_volume(path, brain.intensities * holes, brain.affine)
    arrays = stacked(rows)
    assert list(arrays["subject"]) == ["one"]
    assert rows[1]["status"] == "failed" and rows[1]["reason"].startswith("nothing of the brain is left on")
