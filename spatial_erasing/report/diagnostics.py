"""The diagnostics as tables: thresholds, post-processing, thresholds of other data, lesions one by one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from spatial_erasing.evaluate.components import FALSE_POSITIVE, LESION
from spatial_erasing.evaluate.diagnostics import EXHAUSTIVE, GREEDY, UPPER_BOUND
from spatial_erasing.evaluate.metrics import SIZES, TABLE_METRICS
from spatial_erasing.report.table_layout import NO_NUMBER
from spatial_erasing.report.tables import rows_with

WARNING = (
    "Diagnostics, not the paper's protocol, and not used for any choice; a number that uses test "
    "labels is called an upper bound."
)
_KEY = ["model", "cohort", "sequence"]


class Section(NamedTuple):
    """A table of the page."""

    columns: tuple[str, ...]  # titles of the columns
    rows: list[tuple[str, ...]]  # texts of the cells


def size_limits(components: pd.DataFrame, percentiles: Sequence[float]) -> dict[str, tuple[float, float]]:
    """Cohort to the sizes in voxels at which its small and its middle lesions end."""
    lesions = components[components["kind"] == LESION]
    # all runs have the same lesions
    first_run = lesions.groupby("cohort")[["model", "sequence"]].transform("first")
    lesions = lesions[(lesions[["model", "sequence"]] == first_run).all(axis=1)]
    return {
        cohort: tuple(np.percentile(voxels, percentiles).tolist())
        for cohort, voxels in lesions.groupby("cohort", sort=False)["voxels"]
    }


def detection_by_size(
    components: pd.DataFrame, *, limits: Mapping[str, tuple[float, float]], volumes: Mapping[str, int]
) -> pd.DataFrame:
    """Lesions, share detected, and false positives a volume, of every run by size."""
    rows = []
    for key, of_run in components.groupby(_KEY, sort=False):
        size = np.searchsorted(limits[key[1]], of_run["voxels"], side="left")
        for place, name in enumerate(SIZES):
            of_size = of_run[size == place]
            lesions = of_size[of_size["kind"] == LESION]
            false = int((of_size["kind"] == FALSE_POSITIVE).sum())
            detected = float(lesions["is_detected"].mean()) if len(lesions) else float("nan")
            rows.append((*key, name, len(lesions), detected, false / volumes[key[1]]))
    columns = [*_KEY, "size", "lesions", "detected", "false_positives_per_volume"]
    return pd.DataFrame(rows, columns=columns)


def threshold_section(diagnostics: pd.DataFrame, *, protocol: Mapping[str, int]) -> Section:
    """The greedy threshold against the exhaustive optimum, and the best that any threshold could do."""
    rows = []
    for key, of_run in rows_with(diagnostics, protocol).groupby(_KEY, sort=False):
        values = of_run.set_index(["threshold_from", "metric"])["value"]
        cells = [f"{values[source, 'threshold']:.4f}" for source in (GREEDY, EXHAUSTIVE)]
        for metric in ("dice_validation", "dice_dataset", "dice_subject_mean"):
            cells += [_percent(values[source, metric]) for source in (GREEDY, EXHAUSTIVE)]
        rows.append((*_names(key), *cells, _percent(values[UPPER_BOUND, "dice_dataset"])))
    pairs = ("Threshold", "Dice, validation", "DICE_D, test", "DICE_S, test")
    columns = tuple(f"{name}, {source}" for name in pairs for source in (GREEDY, EXHAUSTIVE))
    return Section(("Model", "Test set", *columns, "DICE_D, upper bound"), rows)


def post_processing_section(diagnostics: pd.DataFrame) -> Section:
    """Every way of post-processing, each at its own greedy threshold."""
    rows = []
    keys = [*_KEY, "erosion_iterations", "median_size_voxels"]
    for key, of_variant in rows_with(diagnostics, {"threshold_from": GREEDY}).groupby(keys, sort=False):
        values = of_variant.set_index("metric")["value"]
        numbers = (_percent(values[name]) for name in TABLE_METRICS)
        rows.append((*_names(key[:3]), str(key[3]), f"{key[4]}³", f"{values['threshold']:.4f}", *numbers))
    columns = ("Model", "Test set", "Erosions", "Median", "Threshold", "DICE_D", "DICE_S", "AUPRC")
    return Section(columns, rows)


def transfer_section(diagnostics: pd.DataFrame, *, protocol: Mapping[str, int]) -> Section:
    """DICE_D of every test set at the thresholds of all data sets."""
    wanted = rows_with(diagnostics, {**protocol, "metric": "dice_dataset"})
    own = wanted["cohort"] + "-" + wanted["sequence"]
    source = wanted["threshold_from"].where(wanted["threshold_from"] != GREEDY, own)
    sources = [name for name in dict.fromkeys(source) if name not in (EXHAUSTIVE, UPPER_BOUND)]
    rows = []
    for key, of_run in wanted.assign(source=source).groupby(_KEY, sort=False):
        values = of_run.set_index("source")["value"]
        rows.append((*_names(key), *(_percent(values.get(name, np.nan)) for name in sources)))
    return Section(("Model", "Test set", *sources), rows)


def lesion_section(detection: pd.DataFrame) -> Section:
    """Which lesions are found, and what is marked where none is, by size."""
    rows = []
    for key, of_run in detection.groupby(_KEY, sort=False):
        cells = []
        for row in of_run.set_index("size").loc[list(SIZES)].itertuples():
            cells.append(f"{_percent(row.detected)} of {row.lesions}" if row.lesions else NO_NUMBER)
            cells.append(f"{row.false_positives_per_volume:.2f}")
        rows.append((*_names(key), *cells))
    counted = ("detected %", "false positives a volume")
    columns = tuple(f"{what}, {size}" for size in SIZES for what in counted)
    return Section(("Model", "Test set", *columns), rows)


def vanished_section(cohorts: Mapping[str, Sequence[Mapping[str, str]]]) -> Section:
    """Whose lesion is empty or vanished, and the rule applied to them."""
    rows: list[tuple[str, ...]] = []
    for cohort, of_cohort in cohorts.items():
        done = [row for row in of_cohort if row["status"] == "done"]
        empty = sum(float(row["lesion_ml"]) == 0 for row in done)
        vanished = sum(float(row["lesion_ml"]) > 0 == float(row["lesion_downsampled_ml"]) for row in done)
        rows.append((cohort, str(len(done)), str(empty), str(vanished)))
    return Section(("Cohort", "Subjects", "Truth is empty", "Vanished on the grid"), rows)


def _names(key: tuple[str, str, str]) -> tuple[str, str]:
    return key[0], f"{key[1]}-{key[2]}"


def _percent(fraction: float) -> str:
    return NO_NUMBER if np.isnan(fraction) else f"{100 * fraction:.1f}"
