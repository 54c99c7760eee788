from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from paper_study import BASELINES, NETWORKS, methods

from spatial_erasing.report.table_layout import printed_blocks, table_caption
from spatial_erasing.report.tables import read_table, table_1, table_2

COLUMNS = ["model", "fraction_percent", "seed", "cohort", "sequence", "metric", "value"]


def metrics_of(
    model, *, dice=0.3, auprc=0.2, seed=0, cohort="stroke", sequence="t1", subjects=12, fraction=100
):
    numbers = {
        "dice_dataset": dice,
        "dice_subject_mean": dice - 0.05,
        "dice_subject_std": 0.1374,
        "average_precision": auprc,
        "prevalence": 0.0125,
        "subjects": subjects,
        "subjects_without_lesion": 1,
        "threshold": 0.4,
    }
    rows = [(model, fraction, seed, cohort, sequence, metric, value) for metric, value in numbers.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_one_seed_gives_percent_and_counts():
    metrics = pd.concat([metrics_of("3d-cube-noise", dice=0.301, auprc=0.25), metrics_of("2d-none")])

    row = table_1(
        metrics, methods=methods(["2d-none", "3d-cube-noise"]), sequence="t1", cohorts={"stroke": None}
    ).loc["3d-cube-noise"]

    expected = {
        "dice_dataset_percent": 30.1,
        "dice_subject_mean_percent": 25.1,
        "dice_subject_std_percent": 13.74,
        "auprc_percent": 25.0,
        "prevalence_percent": 1.25,
        "auprc_over_prevalence": 20.0,
        "test_subjects": 12,
        "test_subjects_without_lesion": 1,
        "seeds": 1,
    }
    ours = row["stroke"].to_dict()
    assert (ours.pop("name"), ours.pop("is_baseline")) == ("3D-Cube-n", False)
    assert ours == pytest.approx(expected)


def test_seeds_are_averaged_and_their_range_is_kept():
    dices = {3: 0.30, 7: 0.36, 9: 0.27}
    metrics = pd.concat([metrics_of("3d-none", dice=dice, seed=seed) for seed, dice in dices.items()])

    row = table_1(metrics, methods=methods(["3d-none"]), sequence="t1", cohorts={"stroke": None}).loc[
        "3d-none", "stroke"
    ]

    assert row["dice_dataset_percent"] == pytest.approx(31.0)
    assert row["dice_dataset_percent_lowest"] == pytest.approx(27.0)
    assert row["dice_dataset_percent_highest"] == pytest.approx(36.0)
    assert row["seeds"] == 3


def test_order_of_rows_and_of_seeds_in_the_file_does_not_matter():
    metrics = pd.concat(
        [metrics_of(m, dice=0.1 * s + 0.2, seed=s) for m in ("2d-none", "3d-none") for s in (0, 1)]
    )
    arguments = {"methods": methods(["2d-none", "3d-none"]), "cohorts": {"stroke": None}, "sequence": "t1"}
    shuffled = metrics.sample(frac=1, random_state=5)
    pd.testing.assert_frame_equal(table_1(shuffled, **arguments), table_1(metrics, **arguments))


def test_baselines_stand_below_and_networks_keep_their_order():
    models = [BASELINES[0], *reversed(NETWORKS), BASELINES[1]]
    metrics = pd.concat([metrics_of(model) for model in models])
    table = table_1(metrics, methods=methods(models), sequence="t1", cohorts={"stroke": None})
    assert table.index.tolist() == [*reversed(NETWORKS), *BASELINES]


def test_numbers_of_the_paper_stand_beside_its_cohorts_only():
    names = ("2d-none", "baseline-mean-healthy")
    metrics = pd.concat([metrics_of(model, cohort=c) for model in names for c in ("stroke", "phantom")])

    table = table_1(
        metrics, methods=methods(names), sequence="t1", cohorts={"stroke": "atlas", "phantom": None}
    )

    assert table.loc["2d-none", ("stroke", "paper_dice_dataset_percent")] == 24.72
    assert table.loc["2d-none", ("stroke", "paper_dice_subject_std_percent")] == 13.66
    assert np.isnan(table.loc["baseline-mean-healthy", ("stroke", "paper_auprc_percent")])
    assert not any(quantity.startswith("paper") for quantity in table["phantom"].columns)


def test_other_fractions_and_sequences_stay_out_of_table_1():
    others = [metrics_of("3d-none", dice=0.9, fraction=10), metrics_of("3d-none", dice=0.8, sequence="t1ce")]
    metrics = pd.concat([metrics_of("3d-none", dice=0.3), *others])
    table = table_1(metrics, methods=methods(["3d-none"]), sequence="t1", cohorts={"stroke": None})
    assert table.loc["3d-none", ("stroke", "dice_dataset_percent")] == pytest.approx(30)
    tenth = table_1(
        metrics, methods=methods(["3d-none"]), sequence="t1", cohorts={"stroke": None}, fraction_percent=10
    )
    assert tenth.loc["3d-none", ("stroke", "dice_dataset_percent")] == pytest.approx(90)


def test_table_2_has_a_row_for_each_sequence_and_its_t1_rows_are_those_of_table_1():
    models = ["2d-patch-noise", "3d-cube-noise"]
    metrics = pd.concat(
        [
            metrics_of(model, dice=dice + (sequence == "t1ce") / 10, cohort="tumour", sequence=sequence)
            for model, dice in zip(models, (0.2, 0.3), strict=True)
            for sequence in ("t1", "t1ce")
        ]
    )

    second = table_2(
        metrics, methods=methods(models), sequences={"t1": "T1", "t1ce": "T1ce"}, cohorts={"tumour": "brats"}
    )

    assert second.index.tolist() == [(model, sequence) for model in models for sequence in ("t1", "t1ce")]
    assert second["tumour", "dice_dataset_percent"].tolist() == pytest.approx([20, 30, 30, 40])
    assert second["tumour", "paper_dice_dataset_percent"].tolist() == [27.99, 31.80, 30.10, 36.67]
    first = table_1(metrics, methods=methods(models), sequence="t1", cohorts={"tumour": "brats"})
    assert second["tumour", "sequence_title"].tolist() == ["T1", "T1ce"] * 2
    second = second.drop(columns=("tumour", "sequence_title"))
    pd.testing.assert_frame_equal(second.xs("t1", level="sequence"), first)


def test_in_table_2_a_cohort_without_a_sequence_has_no_number_of_it():
    sequences = {"t1": "T1", "t1ce": "T1ce", "flair": "FLAIR"}
    metrics = pd.concat(
        metrics_of("3d-none", dice=dice, cohort=cohort, sequence=sequence)
        for cohort, of_cohort in (("tumour", {"t1": 0.2, "t1ce": 0.3}), ("ms", {"t1": 0.4, "flair": 0.5}))
        for sequence, dice in of_cohort.items()
    )
    cohorts = {"tumour": None, "ms": None}
    table = table_2(metrics, methods=methods(["3d-none"]), sequences=sequences, cohorts=cohorts)
    tumour, ms = printed_blocks(table)
    assert tumour.labels["Sequence"] == ms.labels["Sequence"] == ("T1", "T1ce", "FLAIR")
    assert tumour.groups["ours"][0].cells == ("20.00", "30.00", "–")
    assert ms.groups["ours"][0].cells == ("40.00", "–", "50.00")
    assert tumour.heading.startswith("tumour: 12 test subjects")
    assert "tumour n = 12, ms n = 12" in table_caption(table, title="Two", grid=(64, 64, 64), borrowed={})


def test_missing_model_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"dice_dataset.*3d-none on stroke \(t1\).*Evaluate"):
        table_1(
            metrics_of("2d-none"),
            methods=methods(["2d-none", "3d-none"]),
            sequence="t1",
            cohorts={"stroke": None},
        )


def test_metric_missing_of_one_seed_is_an_error():
    metrics = pd.concat([metrics_of("3d-none", seed=seed) for seed in (0, 1)])
    lost = (metrics["seed"] == 1) & (metrics["metric"] == "average_precision")
    with pytest.raises(ValueError, match=r"have average_precision of 3d-none"):
        table_1(metrics[~lost], methods=methods(["3d-none"]), sequence="t1", cohorts={"stroke": None})


def test_row_that_is_there_twice_is_an_error():
    metrics = pd.concat([metrics_of("3d-none"), metrics_of("3d-none")])
    with pytest.raises(ValueError, match="once for every seed"):
        table_1(metrics, methods=methods(["3d-none"]), sequence="t1", cohorts={"stroke": None})


def test_models_tested_on_different_subjects_cannot_share_a_table():
    metrics = pd.concat([metrics_of("2d-none", subjects=12), metrics_of("3d-none", subjects=11)])
    with pytest.raises(ValueError, match=r"subjects of stroke as \[12.0, 11.0\]"):
        table_1(metrics, methods=methods(["2d-none", "3d-none"]), sequence="t1", cohorts={"stroke": None})


def test_intervals_stand_beside_the_means_of_their_row_in_percent():
    metrics = pd.concat([metrics_of("3d-none", dice=0.30), metrics_of("2d-none", dice=0.20)])
    keys = {"fraction_percent": 100, "cohort": "stroke", "sequence": "t1"}
    intervals = pd.DataFrame(
        [
            keys | {"model": "2d-none", "metric": "dice_dataset", "lower": 0.15, "upper": 0.26},
            keys | {"model": "3d-none", "metric": "dice_dataset", "lower": 0.25, "upper": 0.36},
            keys
            | {"model": "3d-none", "metric": "dice_dataset", "lower": 0.0, "upper": 0.1}
            | {"fraction_percent": 20},
        ]
    )

    table = table_1(
        metrics,
        methods=methods(["3d-none", "2d-none"]),
        sequence="t1",
        cohorts={"stroke": None},
        intervals=intervals,
    )["stroke"]

    assert table["dice_dataset_percent_lower"].to_dict() == pytest.approx({"3d-none": 25, "2d-none": 15})
    assert table["dice_dataset_percent_upper"].to_dict() == pytest.approx({"3d-none": 36, "2d-none": 26})
    assert "auprc_percent_lower" not in table and table["dice_dataset_percent"].tolist() == [30, 20]


ROOT = Path(__file__).parents[2]
NAMES = ["NA", "N/A", "NaN", "nan", "None", "null", "NULL", "n/a", "<NA>", "007", "1e3", "-", "true"]


@pytest.mark.parametrize("name", NAMES)
def test_a_subject_or_cohort_may_have_any_name(tmp_path, name):
    (tmp_path / "a.csv").write_text(f"cohort,subject,value\n{name},{name},0.5\nbrats,b,nan\natlas,c,\n")
    table = read_table(tmp_path / "a.csv")
    assert table["cohort"].tolist() == [name, "brats", "atlas"] and table["subject"][0] == name
    assert table["value"].dtype == float and np.isnan(table["value"][1:]).all()
    assert len(table.groupby("subject")) == 3


def test_everything_else_is_read_as_pandas_reads_it(tmp_path):
    lines = ["model,seed,cohort,subject,dice,voxels", "3d,1,a,x,0.1,3", "3d,2,a,y,nan,4", "2d,1,b,z,,0"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.csv"), pd.read_csv(tmp_path / "a.csv"))


def test_the_report_reads_no_table_in_another_way():
    scripts = [*ROOT.glob("workflow/scripts/*.py"), *ROOT.glob("spatial_erasing/**/*.py")]
    assert len(scripts) > 100
    assert [path.name for path in scripts if "read_csv(" in path.read_text()] == ["tables.py"]
