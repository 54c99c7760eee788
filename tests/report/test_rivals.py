import numpy as np
import pandas as pd
import pytest
from paper_study import methods
from scipy import stats

from spatial_erasing.evaluate.bootstrap import IntervalRule, Sizes
from spatial_erasing.evaluate.resamples import Quantity, Resampled
from spatial_erasing.report.figure_rivals import figure_rivals
from spatial_erasing.report.rivals import (
    COMPARED,
    COSTS,
    PERCENT,
    Evidence,
    rival_blocks,
    rival_numbers,
    subjects_of_tests,
)
from spatial_erasing.report.templates import fill_template

ROWS = ["2d-none", "3d-none", "baseline-mean-healthy"]
COHORTS, SEEDS, SAMPLES = ["brats", "atlas"], (1, 2), 400
RESAMPLED = ("average_precision", "dice_dataset", "dice_subject_mean")
OF_SIZE = tuple(f"dice_subject_mean_{size}" for size in ("small", "middle", "large"))
OVER_ALL = ("slice_average_precision",)
RULE = IntervalRule(confidence_percent=90, minimum_subjects=10)
SHOWN = {"methods": methods(ROWS), "references": ["3d-none"]}


@pytest.fixture(scope="module")
def evidence():
    rng = np.random.default_rng(0)
    resamples, rows = {}, []
    for model in ROWS:
        for cohort, sizes in (("brats", (12,)), ("atlas", (4,)), ("all", (12, 4))):
            for metric in (*RESAMPLED, *(OVER_ALL if cohort == "all" else OF_SIZE)):
                by_seed = tuple(rng.random(2).tolist())
                samples = np.mean(by_seed) + 0.1 * rng.standard_normal(1 + SAMPLES)
                samples[0] = np.mean(by_seed)
                quantity = Quantity(model, 100, cohort, "t1", metric)
                resamples[quantity] = Resampled(samples, Sizes(sizes), by_seed)
            others = set(PERCENT) | set(COSTS) if cohort != "all" else set()
            values = {metric: rng.random() for metric in sorted(others - {*RESAMPLED, *OF_SIZE})}
            values |= {"subjects": sum(sizes)} if others else {}
            rows += [
                (model, seed, cohort, name, value * seed if name != "subjects" else value)
                for name, value in values.items()
                for seed in SEEDS
            ]
    metrics = pd.DataFrame(rows, columns=["model", "seed", "cohort", "metric", "value"])
    return Evidence(metrics, resamples, "t1", RULE)


@pytest.fixture(scope="module")
def numbers(evidence):
    return rival_numbers(evidence, cohorts=COHORTS, **SHOWN)


def row_of(numbers, *key):
    (row,) = numbers[(numbers[["cohort", "model", "metric"]] == list(key)).all(axis=1)].to_dict("records")
    return row


def test_every_method_has_every_number_once_on_each_test_set_and_on_all(numbers):
    assert len(numbers) == (len(COHORTS) + 1) * len(ROWS) * (len(PERCENT) + len(COSTS))
    assert not numbers.duplicated(["cohort", "model", "metric"]).any()


@pytest.mark.parametrize("cohort", ["brats", "all"])
@pytest.mark.parametrize("metric", COMPARED)
def test_a_difference_is_paired_and_has_an_interval_of_its_resamples(evidence, numbers, cohort, metric):
    own, other = (evidence.resamples[Quantity(name, 100, cohort, "t1", metric)] for name in ROWS[:2])
    row = row_of(numbers, cohort, "2d-none", metric)
    difference = 100 * (own.samples - other.samples)
    assert row["minus_3d-none"] == pytest.approx(difference[0])
    ends = [row["minus_3d-none_lower"], row["minus_3d-none_upper"]]
    if cohort == "brats":
        assert ends == pytest.approx(np.percentile(difference[1:], [5, 95]))
    else:  # the mean over two sets, of which one is small
        spread = difference[1:].std() * np.sqrt(own.sizes.inflation)
        half = stats.t.ppf(0.95, own.sizes.freedom) * spread
        assert ends == pytest.approx(difference[0] + np.array([-half, half]), abs=0.15 * half)
    assert np.isnan(row_of(numbers, cohort, "3d-none", metric)["minus_3d-none"])
    swapped = rival_numbers(evidence, cohorts=COHORTS, methods=SHOWN["methods"], references=["2d-none"])
    mirrored = row_of(swapped, cohort, "3d-none", metric)
    assert mirrored["minus_2d-none_lower"] == pytest.approx(-row["minus_3d-none_upper"])


def test_seeds_are_averaged_and_all_test_sets_are_the_mean_of_each(evidence, numbers):
    of_cohorts = [row_of(numbers, cohort, "3d-none", "sensitivity_at_2") for cohort in COHORTS]
    raw = evidence.metrics.query("model == '3d-none' and metric == 'sensitivity_at_2' and seed == 1")
    for row, cohort in zip(of_cohorts, COHORTS, strict=True):
        first = 100 * raw.set_index("cohort").loc[cohort, "value"]
        assert (row["lowest_seed"], row["highest_seed"]) == pytest.approx((first, 2 * first))
        assert row["value"] == pytest.approx(1.5 * first)
    together = row_of(numbers, "all", "3d-none", "sensitivity_at_2")
    assert together["value"] == pytest.approx(np.mean([row["value"] for row in of_cohorts]))
    slices = evidence.resamples[Quantity("3d-none", 100, "all", "t1", "slice_average_precision")]
    assert row_of(numbers, "all", "3d-none", "slice_average_precision")["value"] == pytest.approx(
        100 * np.mean(slices.by_seed)
    )


def test_too_few_subjects_have_a_difference_without_an_interval(numbers):
    row = row_of(numbers, "atlas", "2d-none", "average_precision")
    assert np.isfinite(row["minus_3d-none"]) and np.isnan(row["minus_3d-none_lower"])


def test_the_printed_table_has_a_block_a_test_set_and_marks_the_highest(evidence, numbers):
    blocks = rival_blocks(numbers, subjects=subjects_of_tests(evidence.metrics), **SHOWN)
    assert [block.heading for block in blocks] == [
        *("brats: 12 test subjects", "atlas: 4 test subjects", "all test sets: 16 test subjects")
    ]
    for block, cohort in zip(blocks, (*COHORTS, "all"), strict=True):
        assert block.labels["Method"] == ("2D-None", "3D-None", "Mean healthy volume")
        assert block.baselines == (False, False, True)
        auprc = next(column for column in block.groups["ours"] if column.title == "AUPRC")
        values = [row_of(numbers, cohort, name, "average_precision")["value"] for name in ROWS]
        assert [float(cell.split()[0]) for cell in auprc.cells] == pytest.approx(values, abs=0.05)
        assert auprc.best == tuple(value == max(values) for value in values)
        (difference, _) = block.groups["minus 3D-None"]
        assert difference.cells[1] == "–" and ("[" in difference.cells[0]) == (cohort != "atlas")
    assert "DICE_S, small" not in [column.title for column in blocks[2].groups["ours"]]


def test_notes_and_figure_say_how_many_seeds_and_which_interval(numbers):
    said = {"connectivity": 26, "confidence_percent": 90, "seeds": 2, "samples": SAMPLES}
    notes = fill_template("rivals_notes.txt", **said)
    assert "Mean of 2 seeds" in notes and "90 % interval" in notes and "26 neighbours" in notes
    figure = figure_rivals(numbers, methods=SHOWN["methods"], seeds=2, confidence_percent=90)
    assert [panel.get_title() for panel in figure.axes] == ["brats", "atlas", "all test sets"]
    for panel, cohort in zip(figure.axes, (*COHORTS, "all"), strict=True):
        means = [line.get_xdata()[0] for line in panel.lines if line.get_linestyle() == "None"]
        expected = [row_of(numbers, cohort, name, "average_precision")["value"] for name in ROWS]
        assert means == pytest.approx(expected)
    assert "2 seeds" in figure.texts[-1].get_text()
