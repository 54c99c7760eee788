import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spatial_erasing.ingest.scans import list_scans
from spatial_erasing_phantoms import planted as planted_module
from spatial_erasing_phantoms.planted import (
    PlantedSettings,
    deal_shapes,
    hold_out,
    make_planted,
    shapes_by_name,
)

SHAPES = [f"shape_{k:02d}" for k in range(40)]


def people(scanners):
    return {f"{scanner}-{k:02d}": scanner for scanner, count in scanners.items() for k in range(count)}


def test_held_out_subjects_are_a_share_of_every_scanner():
    scanners = people({"a": 24, "b": 8, "c": 3})
    chosen = hold_out(scanners, share=1 / 3, seed=1)
    assert len(chosen) == 12
    for scanner, count in {"a": 24, "b": 8, "c": 3}.items():
        assert abs(sum(name.startswith(scanner) for name in chosen) - count / 3) <= 1
    assert hold_out(dict(reversed(scanners.items())), share=1 / 3, seed=1) == chosen
    assert hold_out(scanners, share=1 / 3, seed=2) != chosen


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_a_share_that_leaves_a_cohort_empty_is_refused(share):
    with pytest.raises(ValueError, match=r"phantom\.planted\.share is .* of 5 subjects"):
        hold_out(people({"a": 5}), share=share, seed=1)


def test_no_shape_is_dealt_twice_and_all_are_dealt():
    dealt = deal_shapes(SHAPES, ["x", "y", "z"], seed=1)
    everything = [shape for shapes in dealt.values() for shape in shapes]
    assert sorted(everything) == SHAPES
    assert dealt == deal_shapes(SHAPES[::-1], ["z", "x", "y"], seed=1)
    assert dealt != deal_shapes(SHAPES, ["x", "y", "z"], seed=2)


def test_fewer_shapes_than_subjects_are_refused():
    with pytest.raises(ValueError, match="1 lesion shapes for 2 subjects"):
        deal_shapes(["only"], ["x", "y"], seed=1)


@pytest.fixture
def quickly(tmp_path, monkeypatch):
    """A function that plants six subjects of which no image is read; it notes who was planted."""
    for number in range(8):
        (tmp_path / f"shapes/shape_{number}.nii.gz").parent.mkdir(exist_ok=True)
        (tmp_path / f"shapes/shape_{number}.nii.gz").write_text(str(number))
    (tmp_path / "template.nii.gz").touch()
    (tmp_path / "out").mkdir()
    row = {
        "status": "found",
        "sequence": "t1",
        "skull_strip": "none",
        "brain_mask": "",
        "path": "scan.nii.gz",
        "reason": "",
    }
    scans = [row | {"subject": f"s{k}", "scanner": "ab"[k % 2], "sha256": str(k)} for k in range(6)]

    def plant(scan, shapes, *, folder, seed, **_):
        with (tmp_path / "planted.txt").open("a") as stream:
            stream.write(f"{scan['subject']} ")
        if scan["subject"] == BROKEN[0]:
            raise ValueError(f"none of the shapes of {scan['subject']} fits")
        for name in planted_module.planted_files(scan).values():
            (folder / name).write_text(f"{seed} {shapes[0].name}")
        names = {"subject": scan["subject"], "scanner": scan["scanner"], "source": scan["path"]}
        return names | {"shape": f"{seed} {shapes[0].name}", "lesion_ml": 1.0}

    monkeypatch.setattr(planted_module, "plant_subject", plant)
    monkeypatch.setitem(globals(), "BROKEN", [None])

    def run(*, seed=1, code="code", share=0.5):
        settings = PlantedSettings(tmp_path / "shapes", tmp_path / "template.nii.gz", share, seed, 1.0)
        (tmp_path / "planted.txt").write_text("")
        rows = make_planted(scans, tmp_path / "out", settings=settings, code=code, cores=2)
        return rows, (tmp_path / "planted.txt").read_text().split()

    return run


BROKEN = [None]  # the subject that no shape fits


def test_the_table_is_that_of_the_files_after_another_seed_and_back(quickly, tmp_path):
    first, planted = quickly()
    assert len(planted) == 3
    assert quickly() == (first, [])
    quickly(seed=2)
    assert quickly()[0] == first
    for row in first[2]:
        assert (tmp_path / f"out/{row['subject']}_T1w.nii.gz").read_text() == row["shape"]
    assert len(quickly(code="code 2")[1]) == 3


@pytest.mark.parametrize("left", ["", '{"made_fr', None])
def test_a_damaged_record_or_a_planted_scan_that_is_gone_is_planted_again(quickly, tmp_path, left):
    first, (someone, *_) = quickly()
    if left is None:
        (tmp_path / f"out/{someone}_lesion.nii.gz").unlink()
    else:
        (tmp_path / f"out/records/{someone}.json").write_text(left)
    assert quickly() == (first, [someone])


def test_whom_no_shape_fits_is_named_after_the_others_are_planted(quickly, tmp_path):
    _, planted = quickly()
    BROKEN[0] = planted[0]
    with pytest.raises(RuntimeError, match=f"1 of 3 failed(.|\n)*{planted[0]}: none of the shapes of"):
        quickly(code="code 2")
    assert (tmp_path / "planted.txt").read_text().split().count(planted[1]) == 1
    assert not (tmp_path / f"out/records/{planted[0]}.json").exists()


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Two stripped brains and a whole head: one of each scanner receives a lesion."""
    if "SPATIAL_ERASING_DATA" not in os.environ:
        pytest.skip("SPATIAL_ERASING_DATA is not set")
    data = Path(os.environ["SPATIAL_ERASING_DATA"]).absolute()
    folder = tmp_path_factory.mktemp("planted")
    lines = ["subject,scanner,t1,skull_strip"]
    lines += [f"stripped-{k},a,{data}/brain_only/ds002748_sub-0{k}_T1w.nii.gz,none" for k in (1, 2)]
    lines += [f"head-{k},b,{data}/whole_head/ds000011_sub-0{k}_T1w.nii.gz,deepbet" for k in (1, 2)]
    (folder / "source.csv").write_text("\n".join(lines) + "\n")
    scans = list_scans(
        "table", folder / "source.csv", sequences=["t1"], skull_strip="deepbet", cohort="source"
    )
    settings = PlantedSettings(
        lesion_masks=data / "lesion_masks",
        template=data / "templates/ch2bet.nii.gz",
        share=0.5,
        seed=1,
        minimum_lesion_ml=4.0,
    )

    def make():
        return make_planted(scans, folder / "out", settings=settings, code="x", cores=2)

    return make, make(), folder / "out", data


def test_every_subject_is_healthy_or_planted_and_none_is_both(planted):
    _, (healthy, with_lesion, truth), _, _ = planted
    names = [row["subject"] for row in (*healthy, *with_lesion)]
    assert sorted(names) == ["head-1", "head-2", "stripped-1", "stripped-2"]
    assert {row["scanner"] for row in with_lesion} == {"a", "b"}
    assert len({row["shape"] for row in truth}) == 2


def test_a_planted_lesion_is_a_dark_place_in_an_otherwise_untouched_scan(planted):
    _, (_, with_lesion, truth), folder, data = planted
    for row, true in zip(sorted(with_lesion, key=lambda row: row["subject"]), truth, strict=True):
        before, after = nib.load(true["source"]), nib.load(folder / row["t1"])
        lesion = nib.load(folder / row["lesion"])
        old, new = np.asarray(before.dataobj), np.asarray(after.dataobj)
        mask = np.asarray(lesion.dataobj) > 0
        np.testing.assert_allclose(after.affine, before.affine, atol=1e-4)
        np.testing.assert_allclose(lesion.affine, before.affine, atol=1e-4)
        assert new.shape == old.shape == mask.shape
        voxel_ml = abs(np.linalg.det(before.affine[:3, :3])) / 1000
        assert mask.sum() * voxel_ml == pytest.approx(true["lesion_ml"], abs=0.01) and true["lesion_ml"] >= 4
        changed = old != new
        assert (new <= old).all() and changed.mean() < 0.05
        assert changed[mask].mean() > 0.5 and old[mask].mean() > new[mask].mean()
        assert true["csf"] < new[mask].mean() < true["grey"]
        shape = nib.load(data / "lesion_masks" / f"{true['shape']}.nii.gz")
        on_template = nib.affines.apply_affine(shape.affine, np.argwhere(shape.get_fdata() > 0).mean(axis=0))
        in_scan = nib.affines.apply_affine(lesion.affine, np.argwhere(mask).mean(axis=0))
        middle = nib.affines.apply_affine(
            lesion.affine, np.argwhere(old > np.percentile(old, 50)).mean(axis=0)
        )
        if abs(on_template[0]) > 15:
            assert np.sign(on_template[0]) == np.sign(in_scan[0] - middle[0]), "the side of the body"


def test_what_is_planted_is_not_planted_again(planted):
    make, first, folder, _ = planted
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.nii.gz")}
    assert make() == first
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.nii.gz")} == times


def test_two_masks_of_one_name_are_refused(tmp_path):
    """One of them would never be planted."""
    for name in ("a/stroke.nii.gz", "b/stroke.nii", "b/other.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"a/stroke\.nii\.gz and .*b/stroke\.nii are two lesion masks"):
        shapes_by_name(tmp_path)
    (tmp_path / "b/stroke.nii").unlink()
    assert shapes_by_name(tmp_path).keys() == {"stroke", "other"}
