import pandas as pd
import pytest

from spatial_erasing.report.table_notes import baseline_notes, table_caption

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


def table_of(**blocks):
    return pd.concat(blocks, axis=1, names=["cohort", "quantity"])


def caption_of(table):
    return table_caption(table, title="Segmentation", grid=(64, 60, 50))


def test_no_note_where_networks_win():
    assert baseline_notes(table_of(brats=cohort_block(), atlas=cohort_block())) == []


def test_note_names_the_column_and_the_cohort_that_a_baseline_wins():
    table = table_of(brats=cohort_block(), atlas=cohort_block(auprc=(3.0, 2.0, 4.0)))
    assert baseline_notes(table) == ["A baseline without a network has the highest AUPRC on atlas."]


def test_note_says_when_a_baseline_shares_the_printed_digits():
    table = table_of(atlas=cohort_block(dice=(3.001, 2.0, 2.999)))
    assert baseline_notes(table) == ["A baseline without a network shares the highest DICE_D on atlas."]


def test_caption_states_subjects_split_grid_seeds_and_source_of_the_threshold():
    caption = caption_of(table_of(brats=cohort_block(), atlas=cohort_block()))
    assert caption.startswith("Segmentation. Split: test (brats n = 12, atlas n = 12).")
    assert "64 × 60 × 50 grid" in caption
    assert "One seed." in caption
    assert "threshold comes from a greedy search on the validation split" in caption
    assert "Bengs" not in caption


@pytest.mark.parametrize("seeds, expected", [(3, "Mean of 3 seeds"), ((3, 2, 1), "Mean of 1 to 3 seeds")])
def test_caption_counts_seeds(seeds, expected):
    assert expected in caption_of(table_of(brats=cohort_block(seeds=seeds)))


def test_caption_counts_lesions_that_the_grid_lost():
    caption = caption_of(table_of(brats=cohort_block(), atlas=cohort_block(lost=2)))
    assert "Subjects of atlas whose lesion keeps no voxel on the grid: 2;" in caption
    assert "Subjects of brats" not in caption


def test_caption_says_whose_the_papers_numbers_are():
    assert "Bengs et al. (2021)" in caption_of(table_of(brats=cohort_block().assign(paper_cohort="brats")))
