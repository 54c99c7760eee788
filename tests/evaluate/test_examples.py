import numpy as np
import pytest
from paper_study import RESIDUAL
from scipy import ndimage

from spatial_erasing.evaluate.examples import (
    choose_examples,
    examples_of_cohort,
    load_examples,
    save_examples,
)
from spatial_erasing.score.maps import Scoring


def subject_rows(dices):
    """As read from CSV."""
    return [{"subject": f"sub-{place:03d}", "dice": str(dice)} for place, dice in enumerate(dices)]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 183, 202])
def test_examples_are_at_the_percentiles_of_numpy(count):
    dices = np.random.default_rng(count).permutation(np.linspace(0, 0.9, count))
    chosen = choose_examples(subject_rows(dices))
    expected = np.percentile(dices, [50, 75], method="nearest")
    found = [dices[int(name[-3:])] for name in chosen]
    np.testing.assert_allclose(found, np.unique(expected))


def test_order_of_rows_does_not_matter_even_where_values_are_equal():
    rows = subject_rows(np.repeat([0.0, 0.3, 0.5], 5))
    chosen = choose_examples(rows)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(rows))
        assert choose_examples([rows[place] for place in order]) == chosen


def test_subjects_without_dice_are_left_out():
    assert choose_examples([*subject_rows(["nan", 0.2, "nan"]), {"subject": "e", "dice": ""}]) == ["sub-001"]
    assert choose_examples(subject_rows(["nan"])) == []


def test_no_example_at_all_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"no test subject has a DICE_S.*finer preprocess.grid_voxels"):
        save_examples(tmp_path / "examples.npz", [])


@pytest.fixture
def cohort(tmp_path):
    """Four test subjects among six, in another order than their reconstructions."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "atlas"
    folder.mkdir()
    t1 = rng.random((6, 6, 6, 6)).astype(np.float16)
    arrays = {
        "t1": t1,
        "brain": np.ones(t1.shape, dtype=bool),
        "lesion": t1 > 0.9,
        "lesion_slices": t1[:, 0, 0] > 0,
    }
    np.savez(folder / "volumes.npz", subject=[f"s{k}" for k in range(6)], **arrays)
    dice = {"s5": "0.4", "s1": "0.1", "s3": "0.3", "s0": "0.2"}
    reconstruction = rng.random((4, 6, 6, 6)).astype(np.float16)
    np.savez(folder / "test.npz", subject=list(dice), reconstruction=reconstruction)
    rows = [{"subject": subject, "dice": value} for subject, value in dice.items()]
    return folder, rows, t1, dict(zip(dice, reconstruction, strict=True))


@pytest.fixture
def examples(cohort):
    folder, rows, *_ = cohort
    return examples_of_cohort(
        rows,
        (folder / "volumes.npz", folder / "test.npz", folder / "test.npz"),
        sequence="t1",
        percentiles=(0, 100),
        threshold=0.25,
        scoring=Scoring(RESIDUAL, {"erosion_iterations": 0, "median_size_voxels": 3}),
    )


def test_examples_bring_each_subject_s_own_arrays_and_the_score_that_was_evaluated(cohort, examples):
    _, _, t1, reconstructions = cohort
    found = [(example.cohort, example.subject, example.dice, example.threshold) for example in examples]
    assert found == [("atlas", "s1", 0.1, 0.25), ("atlas", "s5", 0.4, 0.25)]
    for example, index in zip(examples, (1, 5), strict=True):
        scan, output = t1[index].astype(np.float32), reconstructions[example.subject].astype(np.float32)
        np.testing.assert_array_equal(example.scan, scan)
        np.testing.assert_array_equal(example.reconstruction, output)
        np.testing.assert_array_equal(example.lesion, t1[index] > 0.9)
        expected = ndimage.median_filter(np.abs(scan - output), size=3)
        np.testing.assert_allclose(example.difference, expected, atol=5e-4)


def test_examples_come_back_from_their_file_as_they_were(examples, tmp_path):
    save_examples(tmp_path / "examples.npz", examples)
    again = load_examples(tmp_path / "examples.npz")
    assert len(again) == len(examples) == 2
    for example, loaded in zip(examples, again, strict=True):
        for name, value in vars(example).items():
            np.testing.assert_array_equal(getattr(loaded, name), value)
        assert loaded.scan.dtype == np.float32 and loaded.lesion.dtype == bool
