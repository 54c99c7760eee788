"""All methods of a study in one table: more metrics than Table 1, and paired differences from a few."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from spatial_erasing.evaluate.bootstrap import IntervalRule
from spatial_erasing.evaluate.components import FALSE_POSITIVES_A_SCAN
from spatial_erasing.evaluate.metrics import SIZES
from spatial_erasing.evaluate.resamples import ALL_COHORTS, Quantity, Resampled
from spatial_erasing.models import Methods
from spatial_erasing.report.table_layout import NO_NUMBER, Block, Column, is_highest

PERCENT = {
    "average_precision": "AUPRC",
    "dice_dataset": "DICE_D",
    "dice_subject_mean": "DICE_S",
    **{f"dice_subject_mean_{size}": f"DICE_S, {size}" for size in SIZES},
    "slice_average_precision": "slice AUPRC",
    **{f"sensitivity_at_{count}": f"sens. at {count}" for count in FALSE_POSITIVES_A_SCAN},
}
COSTS = {"healthy_marked_ml": "healthy ml", "seconds_a_scan": "s a scan"}
COMPARED = ("average_precision", "dice_dataset")
NUMBER_COLUMNS = ("cohort", "model", "metric", "value", "lowest_seed", "highest_seed", "lower", "upper")


@dataclass(frozen=True)
class Evidence:
    """The numbers of all runs, their resamples, and the rule of the intervals."""

    # tidy rows of `metrics.csv` and of every `detection.csv`, of one sequence, from all training data
    metrics: pd.DataFrame
    resamples: Mapping[Quantity, Resampled]
    sequence: str  # of the training and of the tests
    rule: IntervalRule

    def resampled(self, model: str, cohort: str, metric: str) -> Resampled | None:
        """The resamples of a number, if it has any."""
        return self.resamples.get(Quantity(model, 100, cohort, self.sequence, metric))

    def by_seed(self, model: str, cohort: str, metric: str) -> np.ndarray:
        """A number for each seed; over all test sets the mean of the cohorts, unless resampled there."""
        found = self.resampled(model, cohort, metric)
        if found is not None:
            return np.array(found.by_seed)
        rows = self.metrics[(self.metrics["model"] == model) & (self.metrics["metric"] == metric)]
        if cohort != ALL_COHORTS:
            rows = rows[rows["cohort"] == cohort]
        return rows.groupby("seed")["value"].mean().to_numpy(dtype=float)


def rival_numbers(
    evidence: Evidence, *, methods: Methods, cohorts: Sequence[str], references: Sequence[str]
) -> pd.DataFrame:
    """Every number of every method, one row each; percent, ml and seconds.

    Args:
        cohorts: the test sets; "all", over all of them, is added.
        references: the methods that every other one is compared with.

    Returns:
        NUMBER_COLUMNS, and for each reference "minus_{reference}" with "..._lower" and "..._upper": the
        difference of the numbers on the same resampled test subjects. NaN if it is missing.
    """
    keys = product((*cohorts, ALL_COHORTS), methods, (*PERCENT, *COSTS))
    return pd.DataFrame([_number(evidence, key, references) for key in keys])


def _number(evidence: Evidence, key: tuple[str, str, str], references: Sequence[str]) -> dict[str, object]:
    """One row of `rival_numbers`."""
    cohort, model, metric = key
    scale = 100.0 if metric in PERCENT else 1.0
    values = scale * evidence.by_seed(model, cohort, metric)
    numbers = (values.mean(), values.min(), values.max()) if len(values) else (np.nan,) * 3
    own = evidence.resampled(model, cohort, metric)
    ends = (np.nan, np.nan) if own is None else evidence.rule.interval(scale * own.samples, sizes=own.sizes)
    row: dict[str, object] = dict(zip(NUMBER_COLUMNS, (*key, *numbers, *ends), strict=True))
    for name in references:
        other = evidence.resampled(name, cohort, metric)
        triple = (np.nan,) * 3
        if own is not None and other is not None and name != model:
            samples = scale * (own.samples - other.samples)
            triple = (samples[0], *evidence.rule.interval(samples, sizes=own.sizes))
        row |= dict(zip((f"minus_{name}{end}" for end in ("", "_lower", "_upper")), triple, strict=True))
    return row


def subjects_of_tests(metrics: pd.DataFrame) -> dict[str, int]:
    """Test subjects of each cohort and, as "all", of all of them; every method has the same."""
    rows = metrics[metrics["metric"] == "subjects"].drop_duplicates("cohort")
    found = dict(zip(rows["cohort"], rows["value"].astype(int), strict=True))
    return found | {ALL_COHORTS: sum(found.values())}


def rival_blocks(
    numbers: pd.DataFrame, *, methods: Methods, references: Sequence[str], subjects: Mapping[str, int]
) -> list[Block]:
    """The table of `rival_numbers` for print, a block for each test set and one for all of them."""
    labels = {"Method": tuple(method.title for method in methods.values())}
    baselines = tuple(method.is_baseline for method in methods.values())
    blocks = []
    for cohort, of_cohort in numbers.groupby("cohort", sort=False):
        by_metric = dict(iter(of_cohort.set_index("model").loc[list(methods)].groupby("metric")))
        groups = {
            "ours": [
                _column(by_metric[metric], title, metric)
                for metric, title in (PERCENT | COSTS).items()
                if by_metric[metric]["value"].notna().any()
            ]
        }
        for name in references:
            columns = [_differences(by_metric[metric], PERCENT[metric], name) for metric in COMPARED]
            groups[f"minus {methods[name].title}"] = columns
        heading = f"{cohort_title(cohort)}: {subjects[str(cohort)]} test subjects"
        blocks.append(Block(heading, labels, groups, baselines))
    return blocks


def cohort_title(cohort: object) -> str:
    """A test set as it is printed; "all" is all of them."""
    return "all test sets" if cohort == ALL_COHORTS else str(cohort)


def _column(rows: pd.DataFrame, title: str, metric: str) -> Column:
    """A number with the range of its seeds; the highest is marked, of costs the lowest is not."""
    decimals = 2 if metric in COSTS else 1
    cells = []
    for value, lowest, highest in rows[["value", "lowest_seed", "highest_seed"]].itertuples(index=False):
        spread = "" if lowest == highest or metric in COSTS else f" ({lowest:.1f}–{highest:.1f})"
        cells.append(NO_NUMBER if np.isnan(value) else f"{value:.{decimals}f}{spread}")
    best = is_highest(rows["value"]) if metric in PERCENT else np.zeros(len(rows), dtype=bool)
    has_intervals = rows["lower"].notna().any()
    ends = rows[["lower", "upper"]].itertuples(index=False)
    return Column(title, tuple(cells), tuple(best), tuple(map(_range, ends)) if has_intervals else ())


def _differences(rows: pd.DataFrame, title: str, reference: str) -> Column:
    """Differences from a reference with their intervals, in percentage points; none is marked."""
    key = f"minus_{reference}"
    cells = []
    for value, *ends in rows[[key, f"{key}_lower", f"{key}_upper"]].itertuples(index=False):
        interval = "" if np.isnan(ends).any() else f" [{_range(ends)}]"
        cells.append(NO_NUMBER if np.isnan(value) else f"{value:+.1f}{interval}")
    return Column(title, tuple(cells), (False,) * len(cells))


def _range(ends: Iterable[float]) -> str:
    lower, upper = ends
    return NO_NUMBER if np.isnan([lower, upper]).any() else f"{lower:.1f} to {upper:.1f}"
