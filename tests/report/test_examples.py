import numpy as np
import pandas as pd
import pytest

from spatial_erasing.report.examples import choose_examples


def subject_rows(dices, *, cohort="atlas", model="3d-cube-noise", seed=0, sequence="t1", fraction=100):
    return pd.DataFrame(
        {
            "model": model,
            "fraction_percent": fraction,
            "seed": seed,
            "cohort": cohort,
            "sequence": sequence,
            "subject": [f"sub-{place:03d}" for place in range(len(dices))],
            "dice": dices,
        }
    )


@pytest.mark.parametrize("count", [1, 2, 3, 10, 183, 202])
def test_examples_are_at_the_percentiles_of_numpy(count):
    dices = np.random.default_rng(count).permutation(np.linspace(0, 0.9, count))
    rows = subject_rows(dices)

    chosen = choose_examples(rows)["atlas"]

    expected = np.percentile(dices, [50, 75], method="nearest")
    found = rows.set_index("subject").loc[chosen, "dice"].to_numpy()
    np.testing.assert_allclose(found, np.unique(expected))


def test_order_of_rows_does_not_matter_even_where_values_are_equal():
    rows = subject_rows(np.repeat([0.0, 0.3, 0.5], 5))
    chosen = choose_examples(rows)
    assert all(choose_examples(rows.sample(frac=1, random_state=seed)) == chosen for seed in range(5))


def test_each_cohort_has_its_own_examples_in_the_order_of_the_file():
    rows = pd.concat([subject_rows([0.1, 0.2, 0.3], cohort="tumour"), subject_rows([0.9, 0.1, 0.5])])
    assert choose_examples(rows, percentiles=(100,)) == {"tumour": ["sub-002"], "atlas": ["sub-000"]}


def test_other_models_seeds_sequences_and_fractions_do_not_take_part():
    others = {"model": "2d-none", "seed": 1, "sequence": "t1ce", "fraction": 10}
    wrong = [subject_rows([0.95, 0.1, 0.1], **{key: value}) for key, value in others.items()]
    rows = pd.concat([*wrong, subject_rows([0.1, 0.9, 0.5])])
    assert choose_examples(rows, percentiles=(100,)) == {"atlas": ["sub-001"]}


def test_subjects_without_dice_are_left_out():
    assert choose_examples(subject_rows([np.nan, 0.2, np.nan])) == {"atlas": ["sub-001"]}


def test_nothing_to_choose_from_is_an_error():
    with pytest.raises(ValueError, match=r"no DICE_S of 3d-cube-noise at 100 % on t1ce.*Evaluate"):
        choose_examples(subject_rows([0.1]), sequence="t1ce")
