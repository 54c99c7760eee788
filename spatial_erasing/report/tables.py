"""Tables 1 and 2 of Bengs et al. (2021), with the paper's numbers beside ours, from a study's CSV files."""

import io
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from spatial_erasing.jobs.results import read_table_text
from spatial_erasing.models import Method, Methods
from spatial_erasing.report.paper import PaperResult, paper_result

# chosen by people, who may call a subject NA or 007
NAMES = ("cohort", "subject", "sequence", "threshold_from")


def read_table(path: str | Path, *, sequence: str | None = None) -> pd.DataFrame:
    """A CSV file, or its rows of one sequence, with its numbers as numbers and its names as texts.

    Pandas by itself takes the names NA, None, nan and null for missing ones, and 007 for the number 7.
    """
    text = read_table_text(path)
    columns = pd.read_csv(io.StringIO(text), nrows=0).columns
    missing = {column: ("", "nan") for column in columns if column not in NAMES}
    names = dict.fromkeys(NAMES, str)
    table = pd.read_csv(io.StringIO(text), dtype=names, keep_default_na=False, na_values=missing)
    return table if sequence is None else table[table["sequence"] == sequence]


def rows_with(rows: pd.DataFrame, values: Mapping[str, object]) -> pd.DataFrame:
    """The rows that have these values in these columns."""
    return rows[(rows[list(values)] == list(values.values())).all(axis=1)]


MEASURES = {
    "dice_dataset": "dice_dataset_percent",
    "dice_subject_mean": "dice_subject_mean_percent",
    "dice_subject_std": "dice_subject_std_percent",
    "average_precision": "auprc_percent",
}
"""Our metric -> the table's quantity; the paper's number of the same quantity is called paper_..."""

# Properties of the test data: the same for every model and seed, or the rows cannot be compared.
_COMMON = ("prevalence", "subjects", "subjects_without_lesion")


def table_1(
    metrics: pd.DataFrame,
    *,
    methods: Methods,
    cohorts: Mapping[str, str | None],
    sequence: str,
    fraction_percent: int = 100,
    intervals: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Segmentation by every method on every cohort, one row a method, baselines below (Table 1).

    Seeds are averaged; with several, the lowest and the highest value stand beside each mean.

    Args:
        metrics: tidy, as `metrics.csv`: model, fraction_percent, seed, cohort, sequence, metric, value.
        cohorts: our cohort -> the paper's test set that it is ("brats", "atlas"), or None.
        intervals: as `intervals.csv`; their ends then stand beside each mean.

    Returns:
        Index model (the name of the method); columns (cohort, quantity), among them its printed name and
        whether it is a baseline.

    Raises:
        ValueError: a number is missing or there twice, or models differ in their test subjects.
    """
    table = _table(metrics[metrics["fraction_percent"] == fraction_percent], methods, [sequence], cohorts)
    return _with_intervals(table, intervals, fraction_percent).droplevel("sequence")


def table_2(
    metrics: pd.DataFrame,
    *,
    methods: Methods,
    cohorts: Mapping[str, str | None],
    sequences: Mapping[str, str],
    fraction_percent: int = 100,
    intervals: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Models trained on one sequence, tested on several: one row a model and sequence (Table 2).

    Arguments and errors as for `table_1`. `sequences` maps each sequence to its title, the one that the
    networks were trained on first; a cohort without one of them has no numbers in its rows.

    Returns:
        Index (model, sequence); columns (cohort, quantity), among them the title of the sequence.
    """
    of_share = metrics[metrics["fraction_percent"] == fraction_percent]
    table = _table(of_share, methods, list(sequences), cohorts)
    for cohort in cohorts:
        table[cohort, "sequence_title"] = table.index.get_level_values("sequence").map(sequences)
    return _with_intervals(table, intervals, fraction_percent)


def _with_intervals(
    table: pd.DataFrame, intervals: pd.DataFrame | None, fraction_percent: int
) -> pd.DataFrame:
    """The table with "..._lower" and "..._upper" of each quantity that has an interval, in percent."""
    if intervals is None:
        return table
    is_share = intervals["fraction_percent"] == fraction_percent
    keys = ["cohort", "metric", "model", "sequence"]
    ends = intervals[is_share].set_index(keys)[["lower", "upper"]]
    table = table.copy()
    for cohort, metric in product(table.columns.unique("cohort"), MEASURES):
        if (cohort, metric) in ends.index.droplevel(["model", "sequence"]):
            found = 100 * ends.loc[(cohort, metric)].reindex(table.index)
            for end in ("lower", "upper"):
                table[cohort, f"{MEASURES[metric]}_{end}"] = found[end]
    return table


def _table(
    metrics: pd.DataFrame, methods: Methods, sequences: Sequence[str], cohorts: Mapping[str, str | None]
) -> pd.DataFrame:
    """One row a (model, sequence), one block of columns a cohort."""
    names = sorted(methods, key=lambda name: methods[name].is_baseline)
    index = pd.MultiIndex.from_product([names, sequences], names=["model", "sequence"])
    blocks = {}
    for cohort, paper_cohort in cohorts.items():
        scanned = {sequences[0], *metrics.loc[metrics["cohort"] == cohort, "sequence"]}
        by_seed = {key: _numbers_by_seed(metrics, (*key, cohort)) for key in index if key[1] in scanned}
        # rows of different test subjects must not be compared
        _require_same_test(pd.concat(by_seed), cohort)
        rows = [
            _row(by_seed.get((name, sequence)), methods[name])
            | _paper_row(methods[name], sequence, paper_cohort)
            for name, sequence in index
        ]
        blocks[cohort] = pd.DataFrame(rows, index=index)
    table = pd.concat(blocks, axis=1, names=["cohort", "quantity"])
    # with one seed, lowest and highest only repeat the mean
    several_seeds = (table.xs("seeds", axis=1, level="quantity") > 1).any(axis=None)
    is_range = table.columns.get_level_values("quantity").str.endswith(("_lowest", "_highest"))
    return table if several_seeds else table.loc[:, ~is_range]


def _numbers_by_seed(metrics: pd.DataFrame, key: tuple[str, str, str]) -> pd.DataFrame:
    """Index seed, a column for each metric that the table needs."""
    model, sequence, cohort = key
    needed = [*MEASURES, *_COMMON]
    is_key = (metrics[["model", "sequence", "cohort"]] == [model, sequence, cohort]).all(axis=1)
    found = metrics[is_key & metrics["metric"].isin(needed)]
    counts = found.groupby(["seed", "metric"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=needed, fill_value=0)
    if counts.empty or (counts != 1).any(axis=None):
        wrong = [metric for metric in needed if counts.empty or (counts[metric] != 1).any()]
        raise ValueError(
            f"metrics.csv does not have {', '.join(wrong)} of {model} on {cohort} ({sequence}) once for "
            f"every seed (seeds found: {counts.index.tolist()}). Evaluate this model again, or take it out "
            "of study.models in config.yaml."
        )
    return found.pivot(index="seed", columns="metric", values="value")


def _require_same_test(numbers: pd.DataFrame, cohort: str) -> None:
    """Refuse rows that were measured on different voxels or subjects."""
    for metric in _COMMON:
        values = numbers[metric].unique().tolist()
        if len(values) > 1:
            raise ValueError(
                f"metrics.csv gives {metric} of {cohort} as {values}; expected one value for all models and "
                "seeds, which must share their test subjects. Score and evaluate this cohort again."
            )


def _row(by_seed: pd.DataFrame | None, method: Method) -> dict[str, float | str]:
    """Our numbers of one method on one data set: means over seeds, in percent where the name says so."""
    row: dict[str, float | str] = {"name": method.title, "is_baseline": method.is_baseline}
    if by_seed is None:
        return row
    for metric, quantity in MEASURES.items():
        percent = 100 * by_seed[metric]
        row[quantity] = percent.mean()
        row[f"{quantity}_lowest"], row[f"{quantity}_highest"] = percent.min(), percent.max()
    prevalence = by_seed["prevalence"].iloc[0]
    return row | {
        "prevalence_percent": 100 * prevalence,
        "auprc_over_prevalence": by_seed["average_precision"].mean() / prevalence,
        "test_subjects": int(by_seed["subjects"].iloc[0]),
        "test_subjects_without_lesion": int(by_seed["subjects_without_lesion"].iloc[0]),
        "seeds": len(by_seed),
    }


def _paper_row(method: Method, sequence: str, paper_cohort: str | None) -> dict[str, float | str]:
    """The paper's numbers; NaN where it has none, no column where the cohort is not the paper's."""
    if paper_cohort is None:
        return {}
    missing = PaperResult(*[float("nan")] * len(PaperResult._fields))
    result = paper_result(method.paper_model, paper_cohort, sequence) or missing
    numbers = {f"paper_{field}_percent": number for field, number in result._asdict().items()}
    return {"paper_cohort": paper_cohort} | numbers
