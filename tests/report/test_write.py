import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from spatial_erasing.cohorts import voxel_size_mm
from spatial_erasing.report.write import count_training_subjects, read_examples


@pytest.fixture
def cohort(tmp_path):
    """Four test subjects among six, in another order than their reconstructions."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "atlas"
    folder.mkdir()
    names = [f"s{k}" for k in range(6)]
    t1 = rng.random((6, 6, 6, 6)).astype(np.float16)
    np.savez(
        folder / "volumes.npz",
        subject=names,
        t1=t1,
        brain=np.ones(t1.shape, dtype=bool),
        lesion=t1 > 0.9,
        affine=[np.diag([-3, 3.75, 6, 1])] * 6,
    )
    tested = ["s5", "s1", "s3", "s0"]
    reconstruction = rng.random((4, 6, 6, 6)).astype(np.float16)
    np.savez(folder / "test.npz", subject=tested, reconstruction=reconstruction)
    rows = {"model": "3d-none", "fraction_percent": 100, "seed": 1, "cohort": "atlas", "sequence": "t1"}
    table = pd.DataFrame(
        [rows | {"subject": name, "dice": d} for name, d in zip(tested, (0.4, 0.1, 0.3, 0.2), strict=True)]
    )
    table.to_csv(folder / "subjects.csv", index=False)
    return folder, t1, dict(zip(tested, reconstruction, strict=True))


def test_examples_bring_each_subject_s_own_arrays_and_the_score_that_was_evaluated(cohort):
    folder, t1, reconstructions = cohort
    examples = read_examples(
        [folder / "subjects.csv"],
        [folder / "volumes.npz"],
        [folder / "test.npz"],
        model="3d-none",
        percentiles=(0, 100),
        post_processing={"erosion_iterations": 0, "median_size_voxels": 3},
    )
    assert [(example.subject, example.dice) for example in examples] == [("s1", 0.1), ("s5", 0.4)]
    for example, index in zip(examples, (1, 5), strict=True):
        scan, output = t1[index].astype(np.float32), reconstructions[example.subject].astype(np.float32)
        np.testing.assert_array_equal(example.scan, scan)
        np.testing.assert_array_equal(example.reconstruction, output)
        np.testing.assert_array_equal(example.lesion, t1[index] > 0.9)
        expected = ndimage.median_filter(np.abs(scan - output), size=3)
        np.testing.assert_allclose(example.difference, expected, atol=5e-4)


def test_the_size_of_a_voxel_follows_from_the_affine(cohort):
    assert voxel_size_mm(cohort[0] / "volumes.npz") == pytest.approx((3, 3.75, 6))


def test_training_subjects_are_those_of_the_share_that_were_preprocessed(tmp_path):
    """Ten training subjects in two cohorts; one of them failed, and one that is there validates."""
    rows = [("a", f"s{k}", "training", k / 10) for k in range(6)]
    rows += [("b", f"s{k}", "training", k / 10) for k in range(6, 10)] + [("b", "v", "validation", 0.0)]
    splits = tmp_path / "healthy.csv"
    pd.DataFrame(rows, columns=["cohort", "subject", "split", "training_rank"]).to_csv(splits, index=False)
    present = {"a": ["s5", "s0", "s1", "s3", "s4"], "b": ["s6", "s7", "s8", "s9", "v"]}
    volumes = []
    for cohort, names in present.items():
        (tmp_path / cohort).mkdir()
        volumes.append(tmp_path / cohort / "volumes.npz")
        np.savez(volumes[-1], subject=names)
    assert count_training_subjects(volumes, splits, percents=[100, 20, 60]) == {100: 9, 20: 2, 60: 5}
