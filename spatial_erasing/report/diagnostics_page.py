"""The diagnostics as tables: thresholds, post-processing, thresholds of other data, lesions one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spatial_erasing.evaluate.components import FALSE_POSITIVE, LESION
from spatial_erasing.evaluate.diagnostics import EXHAUSTIVE, GREEDY, UPPER_BOUND
from spatial_erasing.evaluate.metrics import SIZES
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.report.table_layout import NO_NUMBER
from spatial_erasing.report.table_writers import escape_markdown, markdown_table
from spatial_erasing.report.templates import fill_template

WARNING = (
    "Diagnostics, not the paper's protocol, and not used for any choice; a number that uses test "
    "labels is called an upper bound."
)
_KEY = ["model", "cohort", "sequence"]


@dataclass(frozen=True)
class Section:
    """A table of the page."""

    title: str  # what it is about
    note: str  # how to read it
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
    """Lesions, share detected, and false positives a volume, of every run by size.

    Returns:
        Columns model, cohort, sequence, size, lesions, detected, false_positives_per_volume.
    """
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


def vanished_lesions(cohorts: Mapping[str, Sequence[Mapping[str, str]]]) -> list[tuple[str, ...]]:
    """Cohort, subjects, those without a lesion in the truth, and those whose lesion vanished on the grid."""
    rows: list[tuple[str, ...]] = []
    for cohort, of_cohort in cohorts.items():
        done = [row for row in of_cohort if row["status"] == "done"]
        empty = sum(float(row["lesion_ml"]) == 0 for row in done)
        vanished = sum(float(row["lesion_ml"]) > 0 == float(row["lesion_downsampled_ml"]) for row in done)
        rows.append((cohort, str(len(done)), str(empty), str(vanished)))
    return rows


def threshold_section(diagnostics: pd.DataFrame, *, protocol: Mapping[str, int]) -> Section:
    """The greedy threshold against the exhaustive optimum, and the best that any threshold could do."""
    of_protocol = _of_variant(diagnostics, protocol)
    rows = []
    for key, of_run in of_protocol.groupby(_KEY, sort=False):
        values = of_run.set_index(["threshold_from", "metric"])["value"]
        cells = [f"{values[source, 'threshold']:.4f}" for source in (GREEDY, EXHAUSTIVE)]
        for metric in ("dice_validation", "dice_dataset", "dice_subject_mean"):
            cells += [_percent(values[source, metric]) for source in (GREEDY, EXHAUSTIVE)]
        rows.append((*_names(key), *cells, _percent(values[UPPER_BOUND, "dice_dataset"])))
    pairs = ("Threshold", "Dice, validation", "DICE_D, test", "DICE_S, test")
    columns = tuple(f"{name}, {source}" for name in pairs for source in (GREEDY, EXHAUSTIVE))
    return Section(
        "Thresholds",
        "The paper's greedy search beside the best of all thresholds, both on validation subjects. Upper "
        "bound: the best DICE_D of any threshold on the labels of the test subjects, which no method may "
        "use.",
        ("Model", "Test set", *columns, "DICE_D, upper bound"),
        rows,
    )


def post_processing_section(diagnostics: pd.DataFrame) -> Section:
    """Every way of post-processing, each at its own greedy threshold."""
    rows = []
    greedy = diagnostics[diagnostics["threshold_from"] == GREEDY]
    keys = [*_KEY, "erosion_iterations", "median_size_voxels"]
    for key, of_variant in greedy.groupby(keys, sort=False):
        values = of_variant.set_index("metric")["value"]
        numbers = (
            _percent(values[name]) for name in ("dice_dataset", "dice_subject_mean", "average_precision")
        )
        rows.append((*_names(key[:3]), str(key[3]), f"{key[4]}³", f"{values['threshold']:.4f}", *numbers))
    return Section(
        "Post-processing",
        "The first row of each test set is the study's. Each way has a threshold of its own, from "
        "validation subjects.",
        ("Model", "Test set", "Erosions", "Median", "Threshold", "DICE_D", "DICE_S", "AUPRC"),
        rows,
    )


def transfer_section(diagnostics: pd.DataFrame, *, protocol: Mapping[str, int]) -> Section:
    """DICE_D of every test set at the thresholds of all data sets."""
    of_protocol = _of_variant(diagnostics, protocol)
    wanted = of_protocol[of_protocol["metric"] == "dice_dataset"]
    own = wanted["cohort"] + "-" + wanted["sequence"]
    source = wanted["threshold_from"].where(wanted["threshold_from"] != GREEDY, own)
    wanted = wanted.assign(source=source)
    sources = [name for name in dict.fromkeys(source) if name not in (EXHAUSTIVE, UPPER_BOUND)]
    rows = []
    for key, of_run in wanted.groupby(_KEY, sort=False):
        values = of_run.set_index("source")["value"]
        rows.append((*_names(key), *(_percent(values.get(name, np.nan)) for name in sources)))
    return Section(
        "Thresholds of other data",
        "DICE_D of a test set at the threshold that the validation subjects of each data set gave. A "
        "threshold that is good everywhere has equal numbers along its row.",
        ("Model", "Test set", *sources),
        rows,
    )


def lesion_section(
    detection: pd.DataFrame, *, limits: Mapping[str, tuple[float, float]], rule: Mapping[str, float]
) -> Section:
    """Which lesions are found, and what is marked where none is, by size."""
    share = rule["minimum_overlap_percent"]
    at_least = f"a voxel and {share:g} % of it" if share else "a voxel of it"
    note = (
        f"Lesions are connected components of the truth ({rule['connectivity']} neighbours). One is detected "
        f"if {at_least} scores at least the study's threshold. A false positive is a marked component "
        "without a single lesion voxel; it is sorted by its own size."
    )
    rows = []
    for key, of_run in detection.groupby(_KEY, sort=False):
        sizes = of_run.set_index("size")
        cells = []
        for name in SIZES:
            row = sizes.loc[name]
            found = f"{_percent(row['detected'])} of {row['lesions']}" if row["lesions"] else NO_NUMBER
            cells += [found, f"{row['false_positives_per_volume']:.2f}"]
        rows.append((*_names(key), *cells))
    ends = "; ".join(f"{cohort} {low:.0f} and {high:.0f} voxels" for cohort, (low, high) in limits.items())
    columns = tuple(
        f"{what}, {size}" for size in SIZES for what in ("detected %", "false positives a volume")
    )
    return Section(
        "Lesions one by one",
        f"{note} Small and middle ones end at: {ends}.",
        ("Model", "Test set", *columns),
        rows,
    )


def vanished_section(cohorts: Mapping[str, Sequence[Mapping[str, str]]]) -> Section:
    """Whose lesion is empty or vanished, and the rule applied to them."""
    return Section(
        "Empty and vanished lesions",
        "All subjects of a cohort that were preprocessed. A subject without a lesion voxel on the grid has "
        "no Dice of its own and is left out of DICE_S; its voxels stay in DICE_D and AUPRC, and its slices "
        "stay abnormal if the lesion touched them before downsampling.",
        ("Cohort", "Subjects", "Truth is empty", "Vanished on the grid"),
        vanished_lesions(cohorts),
    )


def _of_variant(diagnostics: pd.DataFrame, variant: Mapping[str, int]) -> pd.DataFrame:
    return diagnostics[(diagnostics[list(variant)] == list(variant.values())).all(axis=1)]


def _names(key: tuple[str, str, str]) -> tuple[str, str]:
    return key[0], f"{key[1]}-{key[2]}"


def _percent(fraction: float) -> str:
    return NO_NUMBER if np.isnan(fraction) else f"{100 * fraction:.1f}"


def write_sections(sections: Sequence[Section], *, markdown: str | Path, page: str | Path) -> None:
    """Write the tables with their notes, the warning above all of them."""
    filled = fill_template("diagnostics.html", warning=WARNING, sections=sections)
    write_text(page, filled)
    write_text(markdown, "\n\n".join([f"**{WARNING}**", *map(_markdown, sections)]) + "\n")


def _markdown(section: Section) -> str:
    titles, *rows = ([escape_markdown(cell) for cell in row] for row in (section.columns, *section.rows))
    return "\n\n".join([f"## {section.title}", escape_markdown(section.note), markdown_table(titles, rows)])
