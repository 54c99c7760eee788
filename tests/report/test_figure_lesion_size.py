import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from paper_study import METHODS, NETWORKS, methods

from spatial_erasing.report.figure_lesion_size import (
    count_without_lesion,
    cubic_regression,
    figure_lesion_size,
    lesion_points,
    why_no_line,
)
from spatial_erasing.report.style import MM_PER_INCH, PAGE_HEIGHT_MM, SMALL_POINTS, model_style

FOUR = ["2d-none", "2d-patch-noise", "3d-none", "3d-cube-noise"]
VOXEL_ML = {"brats": 0.02, "atlas": 0.05}


def subjects_of(models, *, count=20, seeds=(1, 2)):
    """Lesions from 1 voxel on in atlas, the last without any; Dice differs by model and seed."""
    rng = np.random.default_rng(0)
    sizes = {
        "brats": rng.integers(500, 9000, count),
        "atlas": np.append(np.geomspace(1, 9000, count - 1).astype(int), 0),
    }
    rows = [
        (model, 100, seed, cohort, "t1", f"s{number}", np.nan if size == 0 else rng.random(), size)
        for model in models
        for seed in seeds
        for cohort in sizes
        for number, size in enumerate(sizes[cohort])
    ]
    columns = ["model", "fraction_percent", "seed", "cohort", "sequence", "subject", "dice", "lesion_voxels"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def subjects():
    return subjects_of(FOUR)


@pytest.fixture
def figure(subjects):
    return figure_lesion_size(subjects, methods=methods(FOUR), voxel_ml=VOXEL_ML)


def panels_of(figure):
    return [panel for panel in figure.axes if panel.collections]


def dots_of(panel):
    return {dots.get_label(): dots for dots in panel.collections}


def curves_of(panel):
    return {line.get_label(): line for line in panel.lines if not line.get_label().startswith("_")}


def texts_of(figure):
    return [text.get_text() for text in figure.texts]


def points_of(subjects, model, cohort):
    """Sizes and mean percent, computed another way."""
    rows = subjects[(subjects.model == model) & (subjects.cohort == cohort) & (subjects.lesion_voxels > 0)]
    table = rows.pivot(index="subject", columns="seed", values="dice")
    sizes = rows.drop_duplicates("subject").set_index("subject")["lesion_voxels"]
    return sizes.sort_index(), 100 * table.mean(axis=1).sort_index()


def test_rows_are_the_paper_s_and_columns_the_cohorts(figure):
    compared = [FOUR[:2], FOUR[2:], FOUR[1::2]]
    assert [list(dots_of(panel)) for panel in panels_of(figure)] == [
        row for row in compared for _ in range(2)
    ]
    assert [[text.get_text() for text in legend.get_texts()] for legend in figure.legends] == [
        [METHODS[model].title for model in row] for row in compared
    ]
    headings = ["2-D without and with erasing", "3-D without and with erasing", "2-D and 3-D with erasing"]
    assert [text for text in texts_of(figure) if text in headings] == headings


def test_dots_are_size_and_dice_in_percent_of_every_subject_with_a_lesion(figure, subjects):
    for rank, panel in enumerate(panels_of(figure)):
        for model, dots in dots_of(panel).items():
            drawn = np.array(sorted(dots.get_offsets().tolist()))
            expected = np.array(
                sorted(zip(*points_of(subjects, model, ("brats", "atlas")[rank % 2]), strict=True))
            )
            np.testing.assert_allclose(drawn, expected)


def test_curve_is_numpy_s_cubic_in_the_size_over_the_observed_sizes(figure, subjects):
    for rank, panel in enumerate(panels_of(figure)):
        for model, curve in curves_of(panel).items():
            sizes, percent = points_of(subjects, model, ("brats", "atlas")[rank % 2])
            x, y = curve.get_data()
            np.testing.assert_allclose(
                y, np.polyval(np.polyfit(sizes.astype(float), percent, 3), x), rtol=1e-6
            )
            assert (x.min(), x.max()) == pytest.approx((sizes.min(), sizes.max()))


def test_curves_and_dots_have_the_look_of_their_model(figure):
    for panel in panels_of(figure):
        for model, curve in curves_of(panel).items():
            assert curve.get_color() == model_style(METHODS[model]).colour
            assert dots_of(panel)[model].get_edgecolors()[0][:3] == pytest.approx(
                to_rgba(model_style(METHODS[model]).colour)[:3]
            )


def test_axes_are_shared_logarithmic_and_hold_every_dot(figure):
    panels = panels_of(figure)
    assert len({panel.get_ylim() for panel in panels}) == 1
    for column in (0, 1):
        assert len({panel.get_xlim() for panel in panels[column::2]}) == 1
    for panel in panels:
        assert panel.get_xscale() == "log"
        for dots in dots_of(panel).values():
            x, y = dots.get_offsets().T
            assert panel.get_xlim()[0] < x.min() and x.max() < panel.get_xlim()[1]
            assert panel.get_ylim()[0] <= y.min() and y.max() < panel.get_ylim()[1]


@pytest.mark.parametrize("column, cohort", list(enumerate(VOXEL_ML)))
def test_second_axis_says_the_same_sizes_in_ml(figure, column, cohort):
    figure.draw_without_rendering()
    panel = panels_of(figure)[4 + column]
    (below,) = panel.child_axes
    assert below.get_xlim() == pytest.approx(tuple(VOXEL_ML[cohort] * end for end in panel.get_xlim()))
    assert below.get_xlabel() == "Lesion in ml"


def test_ticks_are_at_least_two_round_numbers(figure):
    figure.draw_without_rendering()
    for panel in panels_of(figure)[4:]:
        for axis in (panel, *panel.child_axes):
            low, high = axis.get_xlim()
            labels = [label.get_text() for label in axis.get_xticklabels() if label.get_text()]
            assert sum(low <= tick <= high for tick in axis.get_xticks()) == len(labels) >= 2
            assert all("e" not in label and "10^" not in label for label in labels)


def test_counts_seeds_and_the_missing_are_said(figure):
    texts = texts_of(figure)
    assert "brats: n = 20 test subjects" in texts and "atlas: n = 19 test subjects" in texts
    note = texts[-1].replace("\n", " ")
    assert "mean of 2 seeds" in note and "polynomials of order three" in note
    assert "Subjects of atlas whose lesion has no voxel on the grid, not shown: 1." in note


def test_few_lesions_have_no_line_but_a_remark():
    figure = figure_lesion_size(
        subjects_of(FOUR, count=8, seeds=(1,)), methods=methods(FOUR), voxel_ml=VOXEL_ML
    )  # brats has 8, atlas 7
    brats, atlas = panels_of(figure)[:2]
    assert list(curves_of(brats)) == FOUR[:2] and not brats.texts
    assert not atlas.lines
    assert [text.get_text() for text in atlas.texts] == ["no regression: 7 lesions, at least 8 needed"]
    few = figure_lesion_size(subjects_of(FOUR, count=3, seeds=(1,)), methods=methods(FOUR), voxel_ml=VOXEL_ML)
    assert "polynomial" not in texts_of(few)[-1] and "one seed" in texts_of(few)[-1]


def test_remark_lies_above_the_dots():
    figure = figure_lesion_size(subjects_of(FOUR, count=7), methods=methods(FOUR), voxel_ml=VOXEL_ML)
    figure.draw_without_rendering()
    for panel in panels_of(figure):
        (remark,) = panel.texts
        highest = max(dots.get_offsets()[:, 1].max() for dots in dots_of(panel).values())
        assert remark.get_window_extent().y0 > panel.transData.transform((1, highest))[1]


def test_few_dots_are_hardly_transparent(figure):
    many = figure_lesion_size(subjects_of(FOUR[:2], count=60), methods=methods(FOUR[:2]), voxel_ml=VOXEL_ML)
    few_alpha, many_alpha = (panels_of(drawn)[0].collections[0].get_alpha() for drawn in (figure, many))
    assert few_alpha == 0.9 and many_alpha == pytest.approx(0.35)


def test_all_models_fit_on_one_page():
    figure = figure_lesion_size(subjects_of(NETWORKS), methods=methods(NETWORKS), voxel_ml=VOXEL_ML)
    assert len(panels_of(figure)) == 2 * 9
    assert figure.get_size_inches()[1] * MM_PER_INCH <= PAGE_HEIGHT_MM + 1e-6
    drawn = {model for panel in panels_of(figure) for model in dots_of(panel)}
    assert drawn == set(NETWORKS)


@pytest.mark.parametrize("size", [0, 1, 40])
def test_lesions_of_one_size_or_none_can_be_drawn(subjects, size):
    subjects.loc[subjects["cohort"] == "atlas", "lesion_voxels"] = size
    subjects.loc[(subjects["cohort"] == "atlas") & (size == 0), "dice"] = np.nan
    figure = figure_lesion_size(subjects, methods=methods(FOUR), voxel_ml=VOXEL_ML)
    figure.draw_without_rendering()
    assert panels_of(figure)[0].get_ylim()[1] > 10


def test_no_text_is_smaller_than_print_allows(figure):
    panels = [*figure.axes, *(below for panel in figure.axes for below in panel.child_axes)]
    texts = [*figure.texts, *(text for panel in panels for text in (*panel.texts, *panel.get_xticklabels()))]
    assert min(text.get_fontsize() for text in texts) >= SMALL_POINTS


@pytest.fixture
def two_models():
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


def test_points_are_the_mean_of_the_seeds_by_subject(two_models):
    points = lesion_points(two_models.sample(frac=1, random_state=0), models=MODELS)
    frame = points["brats"]["3d-none"]
    assert frame["lesion_voxels"].to_dict() == {"s0": 40, "s1": 9}
    assert frame["dice"].to_dict() == pytest.approx({"s0": 0.33, "s1": 0.43})
    assert points["atlas"]["2d-none"]["dice"].to_dict() == pytest.approx({"s1": 0.13, "s2": 0.23})


def test_subjects_without_lesion_have_no_point_and_are_counted(two_models):
    assert list(lesion_points(two_models, models=MODELS)["atlas"]["3d-none"].index) == ["s1", "s2"]
    assert count_without_lesion(two_models, models=MODELS) == {"atlas": 1}


def test_other_shares_and_models_do_not_count(two_models):
    others = [
        two_models.assign(fraction_percent=20),
        two_models.assign(model="3d-cube-zero"),
    ]
    mixed = pd.concat([other.assign(dice=0.9, lesion_voxels=0) for other in others] + [two_models])
    expected = lesion_points(two_models, models=MODELS)
    for cohort, frames in lesion_points(mixed, models=MODELS).items():
        for model, frame in frames.items():
            pd.testing.assert_frame_equal(frame, expected[cohort][model])
    lost = pd.concat([two_models, two_models.assign(model="3d-cube-zero", subject="x", lesion_voxels=0)])
    assert count_without_lesion(lost, models=MODELS) == {"atlas": 1}


@pytest.mark.parametrize("fault", ["lost", "lost with one seed", "twice", "model"])
def test_models_on_other_test_subjects_are_refused(two_models, fault):
    is_s1 = (
        (two_models["model"] == "3d-none")
        & (two_models["cohort"] == "brats")
        & (two_models["subject"] == "s1")
    )
    wrong = {
        "lost": two_models[~is_s1],
        "lost with one seed": two_models[~(is_s1 & (two_models["seed"] == 2))],
        "twice": pd.concat([two_models, two_models[is_s1]]),
        "model": two_models[two_models["model"] != "3d-none"],
    }[fault]
    with pytest.raises(ValueError, match=r"of brats for 3d-none .* expected each of the 2 test subjects"):
        lesion_points(wrong, models=MODELS)


def test_a_table_without_any_of_the_models_is_refused(two_models):
    with pytest.raises(ValueError, match="no row of 3d-cube-zero"):
        lesion_points(two_models, models=["3d-cube-zero"])


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
