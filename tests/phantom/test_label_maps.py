import os
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from deepbet.bet import BrainExtraction
from scipy import ndimage, stats

from spatial_erasing_phantoms.anatomy import (
    TEMPLATE_BRAIN_ML,
    TEMPLATE_CENTRE_MM,
    Deformation,
    draw_deformation,
)
from spatial_erasing_phantoms.cohort import PhantomSettings, make_subject
from spatial_erasing_phantoms.fields import Field, Grid, lattice
from spatial_erasing_phantoms.label_maps import Contrast, draw_contrast, load_label_map, render_label_head
from spatial_erasing_phantoms.lesions import Lesion, apply_lesion, lesion_labels
from spatial_erasing_phantoms.scanner import apply_acquisition, draw_acquisition, draw_scanner
from spatial_erasing_phantoms.strokes import draw_stroke

LABELS = {0: 0, 24: 1, 4: 1, 2: 2, 3: 3, 10: 5, 507: 4}  # label: class
MEANS = [7.0, 40.0, 160.0, 96.0, 120.0, 130.0]


def ellipsoid(shape, centre, radii):
    axes = np.ogrid[tuple(slice(0, size) for size in shape)]
    scaled = [(axis - c) / r for axis, c, r in zip(axes, centre, radii, strict=True)]
    return sum(axis**2 for axis in scaled) <= 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A head of nested ellipsoids in LIA, as FreeSurfer stores it, with a ventricle on the left alone."""
    folder = tmp_path_factory.mktemp("maps")
    shape = (180, 180, 200)
    labels = np.zeros(shape, dtype=np.int32)
    for label, radii in ((507, (82, 85, 95)), (24, (74, 76, 86)), (3, (66, 68, 78)), (2, (58, 58, 68))):
        labels[ellipsoid(shape, (90, 90, 100), radii)] = label
    labels[ellipsoid(shape, (120, 90, 100), (12, 12, 25))] = 4  # larger i is the left of the body
    labels[ellipsoid(shape, (60, 90, 100), (16, 16, 20))] = 10  # a thalamus on the right
    fissure = labels[87:93, :60]
    fissure[fissure == 3] = 24  # 6 mm wide
    affine = np.array([[-1, 0, 0, 90], [0, 0, 1, -118], [0, -1, 0, 98], [0, 0, 0, 1.0]])
    nib.save(nib.Nifti1Image(labels, affine), folder / "training_seg_01.nii.gz")
    np.save(folder / "generation_labels.npy", list(LABELS))
    np.save(folder / "generation_classes_contrast_specific.npy", list(LABELS.values()))
    np.save(folder / "prior_means_t1.npy", np.array([MEANS, [0.0] * 6]))
    np.save(folder / "prior_stds_t1.npy", np.array([[8.0] * 6, [0.0] * 6]))
    return folder


@pytest.fixture(scope="module")
def head(folder):
    label_map = load_label_map(str(folder), 0)
    contrast = draw_contrast(np.random.default_rng(0), label_map)
    deformation = draw_deformation(np.random.default_rng(1), pose_spread=0.0)
    grid = lattice((-90.0, -125.0, -95.0), (90.0, 95.0, 110.0), 2.0)
    return render_label_head(label_map, deformation, grid, contrast=contrast, noise_seed=3)


def test_the_contrast_is_that_of_the_priors_relative_to_white_matter(folder):
    contrast = draw_contrast(np.random.default_rng(0), load_label_map(str(folder), 0))
    np.testing.assert_allclose(contrast.mean, np.array(MEANS) / 160)
    np.testing.assert_allclose(contrast.deviation, 8 / 160)


def test_means_and_deviations_are_drawn_from_normal_priors(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "prior_means_t1.npy").unlink()
    np.save(tmp_path / "prior_means_t1.npy", np.array([MEANS, [1.0, 6.0, 0.0, 9.0, 3.0, 2.0]]))
    label_map = load_label_map(str(tmp_path), 0)
    grey = [draw_contrast(np.random.default_rng(k), label_map).mean[3] * 160 for k in range(400)]
    assert stats.kstest(grey, "norm", args=(96, 9)).pvalue > 0.01


@pytest.fixture(scope="module")
def as_stored(folder):
    """The map rendered on its own voxels without a deformation, its stored labels, and its contrast."""
    label_map = load_label_map(str(folder), 0)
    image = nib.load(folder / "training_seg_01.nii.gz")
    scale = np.cbrt(label_map.brain_ml / TEMPLATE_BRAIN_ML)
    to_template = nib.affines.from_matvec(np.eye(3) / scale, TEMPLATE_CENTRE_MM - label_map.centre_mm / scale)
    still = Field(torch.zeros(3, 2, 2, 2), np.eye(4))
    deformation = Deformation(np.eye(4), still, 4.0, still)
    contrast = Contrast(np.array(MEANS) / 160, np.array([0.0, 0.02, 0.05, 0.08, 0.1, 0.03]))
    grid = Grid(image.shape, to_template @ image.affine)
    head = render_label_head(label_map, deformation, grid, contrast=contrast, noise_seed=3)
    return head, np.asarray(image.dataobj), contrast


def test_on_its_own_voxels_the_mask_is_the_labels_and_the_csf_that_they_enclose(as_stored):
    head, labels, _ = as_stored
    structures = np.isin(labels, (2, 3, 4, 10))
    enclosed = ndimage.binary_closing(structures, iterations=4) & (labels == 24)
    np.testing.assert_array_equal((head.brain >= 0.5).numpy(), structures | enclosed)
    assert (
        enclosed[87:93].sum() > 1000 and (labels == 24).sum() > 10 * enclosed.sum()
    )  # the rest lies around the brain
    np.testing.assert_array_equal(head.tissues["white"].numpy() == 1, labels == 2)
    np.testing.assert_array_equal(head.tissues["grey"].numpy() == 1, np.isin(labels, (3, 10)))


def test_every_class_of_a_scan_has_the_mean_and_the_deviation_that_were_drawn(as_stored):
    head, labels, contrast = as_stored
    plain = draw_acquisition(
        np.random.default_rng(0), draw_scanner(np.random.default_rng(0), "a", geometry=0)
    )
    flat = Field(torch.zeros(1, 2, 2, 2), np.eye(4))
    plain = replace(plain, bias=flat, texture=flat, noise=0.0, white_level=10000.0)
    plain.signal.update(head.signal)
    scan = apply_acquisition(plain, head) / 10000
    kernel = np.exp(-0.5 * (np.arange(-2, 3) / 0.5) ** 2)
    left = np.linalg.norm(kernel / kernel.sum()) ** 3  # what a blur of half a voxel leaves of white noise
    for label, k in LABELS.items():
        voxels = scan[labels == label]
        assert voxels.mean() == pytest.approx(contrast.mean[k], abs=1e-3)
        assert voxels.std() == pytest.approx(left * contrast.deviation[k], rel=0.05, abs=1e-4)
        if k:
            drawn = (contrast.mean[k], left * contrast.deviation[k])
            assert stats.kstest(voxels[:: len(voxels) // 500], "norm", args=drawn).pvalue > 0.001


def test_shares_add_up_and_skull_is_never_brain(head):
    np.testing.assert_allclose(sum(head.tissues.values()), head.brain, atol=1e-6)
    assert float(head.brain.max()) == 1
    outside = head.surroundings["outside"].numpy()[head.brain.numpy() == 0]
    assert outside.min() == pytest.approx(7 / 160) and outside.max() == pytest.approx(120 / 160)
    ratio = float(head.tissues["white"].sum() / head.brain.sum())
    drilled = 58 * 58 * 68 - 12 * 12 * 25 - 16 * 16 * 20
    assert ratio == pytest.approx(drilled / (66 * 68 * 78), abs=0.02)


def test_a_lesion_takes_the_place_of_a_structure_and_of_its_signal(as_stored):
    head, labels, _ = as_stored
    thalamus = ndimage.binary_erosion(labels == 10, iterations=3)
    assert head.relief.numpy()[thalamus] == pytest.approx((130 - 96) / 160)
    depth = Field(torch.full((1, 2, 2, 2), 99.0), head.grid.affine @ np.diag([199.0, 199, 199, 1]))
    full = apply_lesion(Lesion(("scar",), depth, 1.0, {}), head)
    assert lesion_labels(Lesion(("scar",), depth, 1.0, {}), full, {"scar": 1})[thalamus].all()
    assert not full.relief.numpy()[thalamus].any()
    assert (head.relief.numpy()[thalamus] > 0).all()


def test_strokes_grow_in_deep_nuclei_as_in_cortex_but_not_in_ventricles(head, folder, monkeypatch):
    right = head.grid.points()[0] - 30
    thalamus = (head.relief > 0.9 * (130 - 96) / 160) & (head.brain == 1) & (right.abs() < 40)
    seed_mm = head.grid.points()[:, thalamus].mean(dim=1).numpy().astype(float)
    monkeypatch.setattr("spatial_erasing_phantoms.strokes.draw_seed_mm", lambda *args, **kwargs: seed_mm)
    with_stroke = apply_lesion(draw_stroke(np.random.default_rng(4), head, minimum_ml=8.0), head)
    stroke = with_stroke.tissues["stroke_rim"] + with_stroke.tissues["stroke_cavity"]
    assert float(stroke[thalamus].mean()) > 0.3
    assert float(stroke[head.tissues["csf"] == 1].max()) < 0.5


def test_left_stays_left(head):
    ventricle = (head.tissues["csf"] >= 0.5).numpy() & (head.brain >= 0.99).numpy()
    points = head.grid.points().numpy()
    assert points[0][ventricle].mean() < points[0][(head.brain >= 0.5).numpy()].mean() - 5


def test_the_same_subject_is_the_same_head_byte_for_byte(folder, tmp_path):
    settings = PhantomSettings(spacing_mm=3.0, minimum_lesion_ml=8.0, label_maps=str(folder))
    rows = [make_subject("atlas", tmp_path / name, 1, seed=5, settings=settings) for name in "ab"]
    assert rows[0] == rows[1] and rows[0]["lesion_ml"] >= 7
    assert rows[0]["label_map"] == "training_seg_01.nii.gz"  # of one map, taken in turn
    for file in (rows[0]["t1"], rows[0]["lesion"]):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_folder_without_maps_and_a_label_without_a_prior_are_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"phantom\.label_maps is .*training_seg_"):
        load_label_map(str(tmp_path), 0)
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "generation_labels.npy").unlink()
    np.save(tmp_path / "generation_labels.npy", [0, 2, 3, 4, 10, 24, 508])
    with pytest.raises(ValueError, match=r"training_seg_01.*labels \[507\]"):
        load_label_map(str(tmp_path), 0)


@pytest.mark.parametrize("name", ["generation_labels.npy", "prior_stds_t1.npy"])
def test_a_missing_table_is_named(folder, tmp_path, name):
    for path in folder.iterdir():
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(FileNotFoundError, match=rf"phantom\.label_maps is .*lacks {name}.*Copy it"):
        draw_contrast(np.random.default_rng(0), load_label_map(str(tmp_path), 0))


def test_priors_of_other_classes_are_refused(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "prior_stds_t1.npy").unlink()
    np.save(tmp_path / "prior_stds_t1.npy", np.ones((2, 9)))
    with pytest.raises(ValueError, match=r"of \[6, 9\] classes, and its labels of 6"):
        draw_contrast(np.random.default_rng(0), load_label_map(str(tmp_path), 0))


def test_a_head_of_a_real_map_is_one_that_a_skull_strip_understands(tmp_path):
    if "SPATIAL_ERASING_DATA" not in os.environ:
        pytest.skip("SPATIAL_ERASING_DATA is not set")
    maps = Path(os.environ["SPATIAL_ERASING_DATA"]).absolute() / "label_maps"
    settings = PhantomSettings(spacing_mm=2.0, label_maps=str(maps))
    row = make_subject("healthy", tmp_path, 2, seed=1, settings=settings)
    truth = np.asarray(nib.load(tmp_path / row["truth_brain"]).dataobj) > 0
    assert 900 < row["brain_ml"] < 2000
    found = np.asarray(BrainExtraction(no_gpu=True).run(nib.load(tmp_path / row["t1"]))[1].dataobj) > 0
    dice = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    print(f"deepbet Dice {dice:.3f}, brain {row['brain_ml']} ml")
    assert dice >= 0.9
