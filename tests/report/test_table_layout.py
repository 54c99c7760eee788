import numpy as np
import pandas as pd
import pytest

from spatial_erasing.report.table_layout import baseline_notes, is_highest, printed_blocks, table_caption


def table_of(dice, *, seeds=1, **more):
    """One cohort, two networks and a baseline."""
    index = pd.Index(["2d-none", "3d-cube-noise", "baseline-brain-median"], name="model")
    columns = {
        "name": ["2D-None", "3D-Cube-n", "Median of the brain"],
        "is_baseline": [False, False, True],
        "dice_dataset_percent": dice,
        "dice_subject_mean_percent": [28.8, 28.796, np.nan],
        "dice_subject_std_percent": [13.741, 9, np.nan],
        "auprc_percent": [20.0, 21.0, 22.0],
        "prevalence_percent": 1.234,
        "test_subjects": 12,
        "seeds": seeds,
    } | more
    return pd.concat({"stroke": pd.DataFrame(columns, index=index)}, axis=1, names=["cohort", "quantity"])


def columns_of(table, whose="ours"):
    return {column.title: column for column in printed_blocks(table)[0].groups[whose]}


def test_cells_show_two_decimals_and_mean_with_standard_deviation():
    columns = columns_of(table_of([30.1, 28.004, 27]))
    assert columns["DICE_D"].cells == ("30.10", "28.00", "27.00")
    assert columns["DICE_S"].cells == ("28.80 ± 13.74", "28.80 ± 9.00", "–")


def test_best_is_the_highest_as_printed_and_equal_digits_share_it():
    columns = columns_of(table_of([30.1, 28.0, 27.0]))
    assert columns["DICE_D"].best == (True, False, False)
    assert columns["DICE_S"].best == (True, True, False)
    assert columns["AUPRC"].best == (False, False, True)


def test_is_highest_agrees_with_numpy_and_ignores_missing_values():
    values = pd.Series(np.random.default_rng(3).uniform(0, 100, 50))
    values[10] = np.nan
    assert np.flatnonzero(is_highest(values)).tolist() == [np.nanargmax(values)]


def test_rows_carry_the_names_of_the_paper_and_baselines_are_marked():
    block = printed_blocks(table_of([1, 2, 3]))[0]
    assert block.labels["Input & Erasing"] == ("2D-None", "3D-Cube-n", "Median of the brain")
    assert block.baselines == (False, False, True)


def test_heading_says_how_many_subjects_and_what_chance_level_is():
    heading = printed_blocks(table_of([1, 2, 3]))[0].heading
    assert heading == "stroke: 12 test subjects, 1.23 % of voxels are lesion"


def test_paper_forms_a_second_group_with_its_own_best():
    paper = {
        f"paper_{name}_percent": [2.0, 1.0, np.nan] for name in ("dice_dataset", "dice_subject_mean", "auprc")
    }
    table = table_of([1, 2, 3], paper_cohort="atlas", paper_dice_subject_std_percent=[5, 5, np.nan], **paper)
    block = printed_blocks(table)[0]
    assert list(block.groups) == ["ours", "paper"]
    assert block.heading.endswith("; paper: ATLAS, 183 test subjects")
    assert columns_of(table, "paper")["DICE_S"].cells == ("2.00 ± 5.00", "1.00 ± 5.00", "–")
    assert columns_of(table, "paper")["DICE_D"].best == (True, False, False)


def test_ranges_stand_beside_means_where_there_are_several_seeds():
    ranges = {"dice_dataset_percent_lowest": [25.0, 26, 27], "dice_dataset_percent_highest": [35.0, 30, 27]}
    columns = columns_of(table_of([30.1, 28.0, 27.0], seeds=[3, 3, 1], **ranges))
    assert list(columns)[:3] == ["DICE_D", "DICE_D range", "DICE_S"]
    assert columns["DICE_D range"].cells == ("25.00–35.00", "26.00–30.00", "–")
    assert not any(columns["DICE_D range"].best)


def test_sequences_get_a_column_of_labels():
    table = table_of([1, 2, 3])
    table[table.columns[0][0], "sequence_title"] = ["T1", "T1ce", "FLAIR"]
    assert printed_blocks(table)[0].labels["Sequence"] == ("T1", "T1ce", "FLAIR")


MODELS = ["2d-none", "3d-none", "baseline-mean-healthy"]


def cohort_block(*, dice=(3.0, 2.0, 1.0), auprc=(3.0, 2.0, 1.0), seeds=1, lost=0):
    columns = {
        "is_baseline": [False, False, True],
        "dice_dataset_percent": dice,
        "dice_subject_mean_percent": (3.0, 2.0, 1.0),
        "auprc_percent": auprc,
        "test_subjects": 12,
        "test_subjects_without_lesion": lost,
        "seeds": seeds,
    }
    return pd.DataFrame(columns, index=pd.Index(MODELS, name="model"))


def joined(**blocks):
    return pd.concat(blocks, axis=1, names=["cohort", "quantity"])


def caption_of(table):
    return table_caption(table, title="Segmentation", grid=(64, 60, 50), borrowed={})


def test_no_note_where_networks_win():
    assert baseline_notes(joined(brats=cohort_block(), atlas=cohort_block())) == []


def test_note_names_the_column_and_the_cohort_that_a_baseline_wins():
    table = joined(brats=cohort_block(), atlas=cohort_block(auprc=(3.0, 2.0, 4.0)))
    assert baseline_notes(table) == ["A baseline without a network has the highest AUPRC on atlas."]


def test_note_says_when_a_baseline_shares_the_printed_digits():
    table = joined(atlas=cohort_block(dice=(3.001, 2.0, 2.999)))
    assert baseline_notes(table) == ["A baseline without a network shares the highest DICE_D on atlas."]


def test_caption_states_subjects_split_grid_seeds_and_source_of_the_threshold():
    caption = caption_of(joined(brats=cohort_block(), atlas=cohort_block()))
    assert caption.startswith("Segmentation. Split: test (brats n = 12, atlas n = 12).")
    assert "64 × 60 × 50 grid" in caption
    assert "One seed." in caption
    assert "threshold comes from a greedy search on the validation split" in caption
    assert "Bengs" not in caption


@pytest.mark.parametrize("seeds, expected", [(3, "Mean of 3 seeds"), ((3, 2, 1), "Mean of 1 to 3 seeds")])
def test_caption_counts_seeds(seeds, expected):
    assert expected in caption_of(joined(brats=cohort_block(seeds=seeds)))


def test_caption_counts_lesions_that_the_grid_lost():
    caption = caption_of(joined(brats=cohort_block(), atlas=cohort_block(lost=2)))
    assert "Subjects of atlas whose lesion has no voxel on the grid: 2;" in caption
    assert "Subjects of brats" not in caption


def test_caption_says_whose_the_papers_numbers_are():
    assert "Bengs et al. (2021)" in caption_of(joined(brats=cohort_block().assign(paper_cohort="brats")))
