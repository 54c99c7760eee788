import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from deepbet.bet import BrainExtraction
from scipy import stats

from spatial_erasing.phantom.anatomy import draw_deformation
from spatial_erasing.phantom.cohort import PhantomSettings, make_subject
from spatial_erasing.phantom.fields import lattice
from spatial_erasing.phantom.label_maps import draw_contrast, load_label_map, render_label_head

LABELS = {0: 0, 2: 2, 3: 3, 4: 1, 24: 1, 507: 4}  # label: class
MEANS = [7.0, 40.0, 160.0, 96.0, 120.0]


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
    affine = np.array([[-1, 0, 0, 90], [0, 0, 1, -118], [0, -1, 0, 98], [0, 0, 0, 1.0]])
    nib.save(nib.Nifti1Image(labels, affine), folder / "training_seg_01.nii.gz")
    np.save(folder / "generation_labels.npy", list(LABELS))
    np.save(folder / "generation_classes_contrast_specific.npy", list(LABELS.values()))
    np.save(folder / "prior_means_t1.npy", np.array([MEANS, [0.0] * 5]))
    np.save(folder / "prior_stds_t1.npy", np.array([[8.0] * 5, [0.0] * 5]))
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
    expected = {"class_0": 7, "csf": 40, "white": 160, "grey": 96, "class_4": 120}
    assert contrast.mean == pytest.approx({name: mean / 160 for name, mean in expected.items()})
    assert set(contrast.deviation.values()) == {8 / 160}


def test_means_and_deviations_are_drawn_from_normal_priors(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "prior_means_t1.npy").unlink()
    np.save(tmp_path / "prior_means_t1.npy", np.array([MEANS, [1.0, 6.0, 0.0, 9.0, 3.0]]))
    label_map = load_label_map(str(tmp_path), 0)
    grey = [draw_contrast(np.random.default_rng(k), label_map).mean["grey"] * 160 for k in range(400)]
    assert stats.kstest(grey, "norm", args=(96, 9)).pvalue > 0.01


def test_shares_add_up_and_the_mask_is_what_the_labels_enclose(head, folder):
    total = sum(head.tissues.values())
    np.testing.assert_allclose(total, head.brain, atol=1e-6)
    assert float(head.brain.max()) == pytest.approx(1)
    around = sum(head.surroundings.values())
    outside = head.brain < 0.99
    np.testing.assert_allclose(around[outside], 1, atol=1e-5)
    # outer CSF beyond the closed hull is no brain, and bone never is
    assert float(head.tissues["class_4"].max()) == 0
    ratio = float(head.tissues["white"].sum() / head.brain.sum())
    assert ratio == pytest.approx(58 * 58 * 68 / (66 * 68 * 78) - 12 * 12 * 25 / (66 * 68 * 78), abs=0.02)


def test_left_stays_left(head):
    ventricle = (head.tissues["csf"] >= 0.5).numpy() & (head.brain >= 0.99).numpy()
    points = head.grid.points().numpy()
    assert points[0][ventricle].mean() < points[0][(head.brain >= 0.5).numpy()].mean() - 5


def test_texture_has_the_deviation_of_its_class(folder):
    label_map = load_label_map(str(folder), 0)
    contrast = draw_contrast(np.random.default_rng(0), label_map)
    contrast.deviation.update(white=0.2, grey=0.0)
    deformation = draw_deformation(np.random.default_rng(1), pose_spread=0.0)
    grid = lattice((-90.0, -125.0, -95.0), (90.0, 95.0, 110.0), 2.0)
    head = render_label_head(label_map, deformation, grid, contrast=contrast, noise_seed=3)
    texture = head.texture.numpy()
    assert not texture[(head.tissues["grey"] == 1).numpy()].any()
    pure = texture[(head.tissues["white"] == 1).numpy()]
    kernel = np.exp(-0.5 * (np.arange(-2, 3) / 0.5) ** 2)
    left = np.linalg.norm(kernel / kernel.sum()) ** 3  # what a blur of half a voxel leaves of white noise
    assert pure.std() == pytest.approx(0.2 * left, rel=0.03)
    assert stats.kstest(pure[::50], "norm", args=(0, 0.2 * left)).pvalue > 0.001


def test_the_same_subject_is_the_same_head_byte_for_byte(folder, tmp_path):
    settings = PhantomSettings(spacing_mm=3.0, minimum_lesion_ml=8.0, label_maps=str(folder))
    rows = [make_subject("atlas", tmp_path / name, 1, seed=5, settings=settings) for name in "ab"]
    assert rows[0] == rows[1] and rows[0]["lesion_ml"] >= 7
    for file in (rows[0]["t1"], rows[0]["lesion"]):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_folder_without_maps_and_a_label_without_a_prior_are_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"phantom\.label_maps is .*training_seg_"):
        load_label_map(str(tmp_path), 0)
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "generation_labels.npy").unlink()
    np.save(tmp_path / "generation_labels.npy", [0, 2, 3, 4, 24, 508])
    with pytest.raises(ValueError, match=r"training_seg_01.*labels \[507\]"):
        load_label_map(str(tmp_path), 0)


def test_a_head_of_a_real_map_is_one_that_a_skull_strip_understands(tmp_path):
    if "SPATIAL_ERASING_DATA" not in os.environ:
        pytest.skip("SPATIAL_ERASING_DATA is not set")
    maps = Path(os.environ["SPATIAL_ERASING_DATA"]).absolute() / "label_maps"
    settings = PhantomSettings(spacing_mm=2.0, label_maps=str(maps))
    row = make_subject("healthy", tmp_path, 2, seed=1, settings=settings)
    truth = np.asarray(nib.load(tmp_path / row["truth_brain"]).dataobj) > 0
    assert 900 < row["brain_ml"] < 2000
    found = np.asarray(BrainExtraction(no_gpu=True).run(nib.load(tmp_path / row["t1"]))[1].dataobj) > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9
