import numpy as np
import pandas as pd
import pytest

from spatial_erasing.report.lesion_size import (
    count_without_lesion,
    cubic_regression,
    lesion_points,
    why_no_line,
)


@pytest.fixture
def subjects():
    """Two models, two seeds, two cohorts; s0 of atlas has no lesion on the grid."""
    rows = []
    for model in ("2d-none", "3d-none"):
        for seed in (1, 2):
            for cohort, sizes in (("brats", (40, 9)), ("atlas", (0, 3, 700))):
                for number, size in enumerate(sizes):
                    dice = (
                        np.nan
                        if size == 0
                        else (0.1 * number + 0.02 * seed + (0.3 if model[0] == "3" else 0))
                    )
                    rows.append((model, 100, seed, cohort, "t1", f"s{number}", dice, size))
    columns = ["model", "fraction_percent", "seed", "cohort", "sequence", "subject", "dice", "lesion_voxels"]
    return pd.DataFrame(rows, columns=columns)


MODELS = ["3d-none", "2d-none"]


def test_points_are_the_mean_of_the_seeds_by_subject(subjects):
    points = lesion_points(subjects.sample(frac=1, random_state=0), models=MODELS)
    frame = points["brats"]["3d-none"]
    assert frame["lesion_voxels"].to_dict() == {"s0": 40, "s1": 9}
    assert frame["dice"].to_dict() == pytest.approx({"s0": 0.33, "s1": 0.43})
    assert points["atlas"]["2d-none"]["dice"].to_dict() == pytest.approx({"s1": 0.13, "s2": 0.23})


def test_subjects_without_lesion_have_no_point_and_are_counted(subjects):
    assert list(lesion_points(subjects, models=MODELS)["atlas"]["3d-none"].index) == ["s1", "s2"]
    assert count_without_lesion(subjects, models=MODELS) == {"atlas": 1}


def test_other_shares_and_models_do_not_count(subjects):
    others = [
        subjects.assign(fraction_percent=20),
        subjects.assign(model="3d-cube-zero"),
    ]
    mixed = pd.concat([other.assign(dice=0.9, lesion_voxels=0) for other in others] + [subjects])
    expected = lesion_points(subjects, models=MODELS)
    for cohort, frames in lesion_points(mixed, models=MODELS).items():
        for model, frame in frames.items():
            pd.testing.assert_frame_equal(frame, expected[cohort][model])
    lost = pd.concat([subjects, subjects.assign(model="3d-cube-zero", subject="x", lesion_voxels=0)])
    assert count_without_lesion(lost, models=MODELS) == {"atlas": 1}


@pytest.mark.parametrize("fault", ["lost", "lost with one seed", "twice", "model"])
def test_models_on_other_test_subjects_are_refused(subjects, fault):
    is_s1 = (subjects["model"] == "3d-none") & (subjects["cohort"] == "brats") & (subjects["subject"] == "s1")
    wrong = {
        "lost": subjects[~is_s1],
        "lost with one seed": subjects[~(is_s1 & (subjects["seed"] == 2))],
        "twice": pd.concat([subjects, subjects[is_s1]]),
        "model": subjects[subjects["model"] != "3d-none"],
    }[fault]
    with pytest.raises(ValueError, match=r"of brats for 3d-none .* expected each of the 2 test subjects"):
        lesion_points(wrong, models=MODELS)


def test_a_table_without_any_of_the_models_is_refused(subjects):
    with pytest.raises(ValueError, match="no row of 3d-cube-zero"):
        lesion_points(subjects, models=["3d-cube-zero"])


def test_regression_is_numpy_s_polynomial_of_order_three():
    rng = np.random.default_rng(0)
    sizes = rng.integers(50, 3000, 40)
    percent = 20 + 10 * np.log10(sizes) + rng.normal(0, 5, 40)
    expected = np.polyfit(sizes.astype(float), percent, 3)
    grid = np.linspace(sizes.min(), sizes.max(), 50)
    np.testing.assert_allclose(cubic_regression(sizes, percent)(grid), np.polyval(expected, grid), rtol=1e-6)


def test_regression_finds_a_cubic_in_the_size_itself_over_four_decades():
    sizes = np.geomspace(1, 15000, 30)
    truth = 5 + 6e-3 * sizes - 8e-7 * sizes**2 + 3e-11 * sizes**3
    np.testing.assert_allclose(cubic_regression(sizes, truth)(sizes), truth, atol=1e-8)


@pytest.mark.parametrize(
    "sizes, why",
    [
        (range(1, 8), "no regression: 7 lesions, at least 8 needed"),
        ([], "no regression: 0 lesions, at least 8 needed"),
        ([5, 5, 5, 6, 6, 6, 7, 7, 7], "no regression: 3 different sizes, at least 4 needed"),
    ],
)
def test_too_few_or_too_similar_lesions_have_no_line_and_it_is_said_why(sizes, why):
    assert why_no_line(sizes) == why
    assert cubic_regression(sizes, np.ones(len(sizes))) is None


def test_eight_lesions_are_enough():
    assert why_no_line(range(8)) == ""
    assert cubic_regression(range(8), range(8)).degree() == 3
