from dataclasses import replace

import numpy as np
import pytest
from paper_study import METHODS
from scipy import stats

from spatial_erasing.evaluate.bootstrap import IntervalRule, Sizes, draw_weights, resampled_mean
from spatial_erasing.evaluate.contrasts import Naming, Part
from spatial_erasing.evaluate.metrics import SIZES, size_groups
from spatial_erasing.evaluate.resamples import Quantity, Resampled
from spatial_erasing.evaluate.verdicts import judge_claims, read_subject_dice
from spatial_erasing.models import methods_of_paper

COHORTS = {"brats": ["t1"], "atlas": ["t1"]}
RULE = IntervalRule(confidence_percent=95, minimum_subjects=10)
TABLE = ("dice_dataset", "dice_subject_mean", "average_precision")
SUBJECTS = 60
VOXELS = np.arange(1, SUBJECTS + 1) * 10
PERCENTILES = (33.3, 66.7)


def numbers_of(gains, *, seed=0):
    """Resamples and subject rows of models whose Dice is a common one plus their gain at each subject."""
    found, rows = {}, []
    for cohort in COHORTS:
        rng = np.random.default_rng(len(cohort) + seed)
        common = rng.uniform(0.2, 0.6, SUBJECTS)
        weights = draw_weights(SUBJECTS, samples=400, seed=len(cohort))
        for model, gain in gains.items():
            dice = common + gain + rng.normal(scale=0.02, size=SUBJECTS)
            groups = {"": np.full(SUBJECTS, True)} | {
                f"_{size}": is_in for size, is_in in size_groups(VOXELS, percentiles=PERCENTILES).items()
            }
            for suffix, is_in in groups.items():
                samples = resampled_mean(np.where(is_in, dice, np.nan), weights)
                key = Quantity(model, 100, cohort, "t1", f"dice_subject_mean{suffix}")
                found[key] = Resampled(samples, Sizes([int(is_in.sum())]), (samples[0],))
                if not suffix:
                    for metric in TABLE:
                        found[key._replace(metric=metric)] = found[key]
            rows += [
                {"model": model, "fraction_percent": "100", "cohort": cohort, "sequence": "t1"}
                | {"subject": f"s{k}", "dice": str(dice[k]), "lesion_voxels": str(VOXELS[k])}
                for k in range(SUBJECTS)
            ]
    return found, read_subject_dice(rows, size_percentiles=PERCENTILES)


def judge(gains, rule=RULE):
    comparisons, claims = judge_claims(
        *numbers_of(gains), naming=Naming(methods_of_paper(METHODS)), cohorts=COHORTS, rule=rule, seed=1
    )
    return comparisons, {row["claim"]: row for row in claims}


def test_a_claim_has_an_interval_over_trainings_of_its_mean_difference():
    found, dice = numbers_of({"2d-none": 0.0, "3d-none": 0.05})
    rng, spread = np.random.default_rng(1), {"2d-none": 0.01, "3d-none": 0.02}
    of_training = {model: rng.normal(scale=scale, size=3) for model, scale in spread.items()}
    found = {
        quantity: replace(result, by_seed=tuple(result.by_seed[0] + of_training[quantity.model]))
        for quantity, result in found.items()
    }
    naming = Naming(methods_of_paper(METHODS))
    _, claims = judge_claims(found, dice, naming=naming, cohorts=COHORTS, rule=RULE, seed=1)
    claim = {row["claim"]: row for row in claims}["3d-beats-2d"]
    paired = stats.ttest_rel(of_training["3d-none"], of_training["2d-none"])
    expected = np.add(claim["difference"], paired.confidence_interval(0.95))
    shift = of_training["3d-none"].mean() - of_training["2d-none"].mean()
    assert (claim["trainings_lower"], claim["trainings_upper"]) == pytest.approx(tuple(expected), abs=1e-9)
    assert shift and claims[-1]["verdict"] == "not run" and "trainings_lower" not in claims[-1]


def test_a_planted_gain_is_found_with_its_size_and_a_planted_loss_contradicts():
    _, claims = judge({"2d-none": 0.0, "3d-none": 0.05})
    assert claims["3d-beats-2d"]["verdict"] == "holds"
    assert claims["3d-beats-2d"]["difference"] == pytest.approx(0.05, abs=0.01)
    assert claims["3d-beats-2d"]["lower"] < 0.05 < claims["3d-beats-2d"]["upper"]
    assert claims["3d-beats-2d"]["subjects"] == 2 * SUBJECTS

    _, claims = judge({"2d-none": 0.05, "3d-none": 0.0})
    assert claims["3d-beats-2d"]["verdict"] == "does not hold"
    assert claims["3d-beats-2d"]["point_estimates"] == "none"


def test_equal_models_leave_a_claim_undecided():
    _, claims = judge({"2d-none": 0.0, "3d-none": 0.0})
    assert claims["3d-beats-2d"]["verdict"] == "undecided"


def test_one_comparison_below_0_refutes_a_claim_whose_mean_is_above_0():
    gains = {"2d-none": 0.0, "3d-none": 0.1, "2d-patch-noise": 0.05, "3d-cube-noise": 0.0}
    comparisons, claims = judge(gains)
    claim = claims["3d-beats-2d-everywhere"]
    assert claim["lower"] > 0 and claim["verdict"] == "does not hold"
    below = [row for row in comparisons if row["claim"] == claim["claim"] and row.get("upper", 1) < 0]
    assert {row["comparison"] for row in below} == {"3D-Cube-n − 2D-Patch-n"}
    assert claim["parts_surely_below"] == len(below) == 6


def test_equal_numbers_on_every_resample_have_no_interval_and_decide_nothing():
    found, dice = numbers_of({"2d-none": 0.0, "3d-none": 0.05})
    for quantity in list(found):
        if quantity.model == "3d-none":
            found[quantity] = found[quantity._replace(model="2d-none")]
    comparisons, claims = judge_claims(
        found, dice, naming=Naming(methods_of_paper(METHODS)), cohorts=COHORTS, rule=RULE, seed=1
    )
    assert {row["status"] for row in comparisons if row["claim"] == "3d-beats-2d"} == {
        "equal on every resample"
    }
    assert claims[0]["verdict"] == "undecided" and claims[0]["difference"] == 0


def test_what_was_not_run_is_named_and_its_claim_cannot_hold():
    comparisons, claims = judge({"2d-none": 0.0, "3d-none": 0.05})
    assert claims["3d-beats-2d-everywhere"]["verdict"] == "undecided"
    assert (claims["3d-beats-2d-everywhere"]["parts"], claims["3d-beats-2d-everywhere"]["parts_run"]) == (
        42,
        6,
    )
    missing = [row for row in comparisons if row["comparison"] == "3D-Cube-n − 2D-Patch-n"]
    assert missing[0]["status"] == "not run: 3D-Cube-n with 100 %, 2D-Patch-n with 100 %"
    assert "difference" not in missing[0] and "p" not in missing[0]
    assert claims["noise-beats-zeros"]["verdict"] == "not run"


def test_a_gain_at_large_lesions_alone_is_told_from_a_gain_everywhere():
    is_large = size_groups(VOXELS, percentiles=PERCENTILES)["large"]
    models = {"2d-none": 0.0, "3d-none": 0.0}
    _, claims = judge(models | {"2d-patch-noise": 0.1 * is_large, "3d-cube-noise": 0.1 * is_large})
    assert claims["erasing-helps-large-lesions-most"]["verdict"] == "holds"
    assert claims["erasing-helps-large-lesions-most"]["difference"] == pytest.approx(0.1, abs=0.015)
    _, claims = judge(models | {"2d-patch-noise": 0.1, "3d-cube-noise": 0.1})
    assert claims["erasing-helps-large-lesions-most"]["difference"] == pytest.approx(0, abs=0.015)
    assert claims["erasing-helps-all-sizes"]["verdict"] == "holds"


def test_subject_wise_pairs_are_tested_by_sign_flips_and_the_rest_by_resamples():
    gains = {"2d-none": 0.0, "3d-none": 0.004}
    comparisons, _ = judge(gains)
    run = [row for row in comparisons if row["status"] == "run" and row["claim"] == "3d-beats-2d"]
    assert {(row["metric"], row["test"]) for row in run} == {
        ("dice_dataset", "bootstrap"),
        ("dice_subject_mean", "sign flips"),
        ("average_precision", "bootstrap"),
    }
    _, dice = numbers_of(gains)
    for row in run:
        both = [dice.dice[model, 100, row["cohort"], "t1"] for model in gains]
        pairs = [[of_model[f"s{k}"] for k in range(SUBJECTS)] for of_model in both]
        assert row["p"] == pytest.approx(stats.ttest_rel(*pairs).pvalue, abs=0.06)


def test_too_few_subjects_give_a_difference_but_no_interval_and_decide_nothing():
    comparisons, claims = judge({"2d-none": 0.0, "3d-none": 0.05}, IntervalRule(95, minimum_subjects=61))
    row = next(row for row in comparisons if row["metric"] == "dice_dataset")
    assert row["status"] == "too few subjects for an interval" and row["difference"] > 0
    assert np.isnan([row["lower"], row["upper"], row["p"]]).all()
    assert (
        claims["3d-beats-2d"]["verdict"] == "undecided" and claims["3d-beats-2d"]["point_estimates"] == "all"
    )


def test_the_smallest_group_of_a_difference_decides_whether_it_has_an_interval():
    found, dice = numbers_of(dict.fromkeys(("2d-none", "3d-none", "2d-patch-noise", "3d-cube-noise"), 0.0))
    key = Quantity("3d-cube-noise", 100, "brats", "t1", "dice_subject_mean_small")
    found[key] = Resampled(found[key].samples, Sizes([9]), found[key].by_seed)
    comparisons, _ = judge_claims(
        found, dice, naming=Naming(methods_of_paper(METHODS)), cohorts=COHORTS, rule=RULE, seed=1
    )
    status = {
        row["cohort"]: row["status"] for row in comparisons if row["claim"] == "3d-helps-small-lesions-most"
    }
    assert status == {"brats": "too few subjects for an interval", "atlas": "run"}


@pytest.mark.parametrize(
    "size, subjects", [("", range(60)), ("_small", range(20)), ("_large", range(40, 60))]
)
def test_paired_differences_are_better_minus_worse_of_the_subjects_meant(size, subjects):
    _, dice = numbers_of({"2d-none": 0.0, "3d-none": 0.05})
    better, worse = (
        Quantity(model, 100, "atlas", "t1", f"dice_subject_mean{size}") for model in ("3d-none", "2d-none")
    )
    part = Part("3D-None − 2D-None", "atlas", "dice_subject_mean", ((-1, worse), (1, better)))
    expected = [
        dice.dice["3d-none", 100, "atlas", "t1"][f"s{k}"] - dice.dice["2d-none", 100, "atlas", "t1"][f"s{k}"]
        for k in subjects
    ]
    np.testing.assert_allclose(np.sort(dice.paired_differences(part)), np.sort(expected))


def test_seeds_of_a_subject_are_averaged_and_sizes_follow_from_its_lesion():
    rows = [
        {"model": "m", "fraction_percent": "100", "cohort": "c", "sequence": "t1", "seed": seed}
        | {"subject": f"s{k}", "dice": dice, "lesion_voxels": str(10 * k)}
        for seed, offset in (("1", 0.1), ("2", 0.3))
        for k, dice in ((k, str(offset * k) if k else "nan") for k in range(4))
    ]
    table = read_subject_dice(rows, size_percentiles=PERCENTILES)
    of_subject = table.dice["m", 100, "c", "t1"]
    assert np.isnan(of_subject["s0"]) and of_subject["s2"] == pytest.approx(0.4)
    assert [table.sizes["c", size] for size in SIZES] == [{"s1"}, {"s2"}, {"s3"}]


def test_models_tested_on_different_subjects_are_an_error():
    found, dice = numbers_of({"2d-none": 0.0, "3d-none": 0.05})
    del dice.dice["3d-none", 100, "brats", "t1"]["s3"]
    with pytest.raises(ValueError, match=r"3D-None − 2D-None on brats: subjects\.csv has 1 subjects"):
        judge_claims(
            found, dice, naming=Naming(methods_of_paper(METHODS)), cohorts=COHORTS, rule=RULE, seed=1
        )
