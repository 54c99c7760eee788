"""Figure 6: which axial slices hold a lesion, on all test sets together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatial_erasing.evaluate.slices import slice_average_precision
from spatial_erasing.models import Method, Methods
from spatial_erasing.report.estimates import (
    Estimate,
    Intervals,
    draw_estimate,
    find_interval,
    limits_around,
    seeds_note,
)
from spatial_erasing.report.style import (
    GRID_COLOUR,
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    add_panel,
    add_text,
    in_house_style,
    new_figure,
    wrapped,
)

_METRIC = "slice_average_precision"
_NAMES_MM = 34.0
_VALUES_MM, _HEAD_MM, _ROW_MM, _AXIS_MM, _LINE_MM = 30.0, 6.0, 6.0, 9.5, 3.6


@dataclass(frozen=True)
class Slices:
    """How well models find the abnormal slices of all test sets together.

    Args:
        average_precision: model -> one value a seed, as fractions.
        subjects: cohort -> test subjects.
        slices: how many, of all subjects.
        abnormal: how many of them hold a lesion.
        fraction_percent: share of the training data.
    """

    average_precision: dict[str, list[float]]
    subjects: dict[str, int]
    slices: int
    abnormal: int
    fraction_percent: float


def read_slices(paths: Iterable[str | Path]) -> Slices:
    """Pool each run's slices of all cohorts into one ranking, as Bengs et al. (2021), Figure 6.

    Args:
        paths: `slices.npz` of every model, seed and cohort.

    Raises:
        ValueError: a path does not say whose it is, or runs have different test subjects.
    """
    shared: set[tuple[float, str]] = set()
    scores: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    labels: dict[str, np.ndarray] = {}
    for path in map(Path, paths):
        model, fraction_percent, seed, cohort, sequence = _run_of(path)
        shared.add((fraction_percent, sequence))
        with np.load(path) as arrays:
            scores.setdefault((model, seed), {})[cohort] = arrays["score"]
            abnormal = labels.setdefault(cohort, arrays["abnormal"])
            _require_same(abnormal, arrays["abnormal"], path)
    if len(shared) != 1:
        found = ", ".join(f"{percent:g} % and {sequence}" for percent, sequence in sorted(shared))
        raise ValueError(f"the slices are of {found or 'no evaluation'}. {_EXPECTED}")
    average_precision: dict[str, list[float]] = {}
    for (model, seed), of_run in scores.items():
        if set(of_run) != set(labels):
            raise ValueError(
                f"{model}, seed {seed}, has slices of {', '.join(of_run)}; expected {', '.join(labels)}. "
                "Evaluate it on all of them."
            )
        pooled = slice_average_precision([of_run[cohort] for cohort in labels], list(labels.values()))
        average_precision.setdefault(model, []).append(pooled)
    return Slices(
        average_precision=average_precision,
        subjects={cohort: len(abnormal) for cohort, abnormal in labels.items()},
        slices=sum(abnormal.size for abnormal in labels.values()),
        abnormal=sum(int(abnormal.sum()) for abnormal in labels.values()),
        fraction_percent=shared.pop()[0],
    )


_EXPECTED = (
    "Expected …/{model}/fraction-{percent}/seed-{seed}/{cohort}-{sequence}/slices.npz, all of one fraction "
    "and one sequence. Give the files of rule evaluate_dataset."
)


def _run_of(path: Path) -> tuple[str, float, str, str, str]:
    """Model, share of the training data, seed, cohort and sequence, from the folders."""
    model, fraction, seed, dataset = ("", "", "", "", *path.parts[:-1])[-4:]
    cohort, _, sequence = dataset.rpartition("-")
    is_named = fraction.startswith("fraction-") and seed.startswith("seed-") and cohort
    if not is_named:
        raise ValueError(f"{path} does not say whose slices it holds. {_EXPECTED}")
    percent, seed = fraction.removeprefix("fraction-"), seed.removeprefix("seed-")
    return model, float(percent), seed, cohort, sequence


def _require_same(first: np.ndarray, abnormal: np.ndarray, path: Path) -> None:
    """Refuse slices of other test subjects."""
    if not np.array_equal(first, abnormal):
        raise ValueError(
            f"{path} holds slices of shape {abnormal.shape}, {int(abnormal.sum())} of them abnormal; another "
            f"run on this cohort has {first.shape}, {int(first.sum())} abnormal, or not the same ones. "
            "Expected the same test subjects, or models cannot be compared. Evaluate all of them again."
        )


@in_house_style
def figure_slices(
    slices: Slices,
    *,
    methods: Methods,
    intervals: Intervals | None = None,
    paper_percent: Mapping[str, float] | None = None,
) -> Figure:
    """Slice-wise AUPRC of every model and baseline, as Bengs et al. (2021), Figure 6, one row each.

    Args:
        slices: of `read_slices`.
        methods: those of the slices, by name.
        intervals: drawn as whiskers.
        paper_percent: model -> what the paper states, drawn as a star.
    """
    paper_percent = paper_percent or {}
    rows = _in_rows(methods[name] for name in slices.average_precision)
    estimates = {method.name: _estimate(slices, method.name, intervals) for method in rows}
    has_star = bool(set(paper_percent) & set(estimates))
    note = wrapped(_note(slices, estimates.values(), intervals=intervals, has_star=has_star), PAGE_WIDTH_MM)
    panel_mm = _ROW_MM * len(estimates)
    note_mm = _HEAD_MM + panel_mm + _AXIS_MM
    figure = new_figure(PAGE_WIDTH_MM, note_mm + (note.count("\n") + 1) * _LINE_MM + 1.0)
    size = {"width_mm": PAGE_WIDTH_MM - _NAMES_MM - _VALUES_MM, "height_mm": panel_mm}
    panel = add_panel(figure, left_mm=_NAMES_MM, top_mm=_HEAD_MM, **size)
    beside = {"transform": panel.get_yaxis_transform(), "va": "center", "fontsize": SMALL_POINTS}
    for row, (model, estimate) in enumerate(estimates.items()):
        draw_estimate(panel, estimate, row, method=methods[model], horizontal=True)
        panel.text(1.03, row, _value_text(estimate), **beside)
        if model in paper_percent:
            star = {"marker": "*", "markersize": 9, "markerfacecolor": "white", "color": "black"}
            panel.plot([paper_percent[model]], [row], **star, linestyle="none", zorder=3)
    _draw_prevalence(panel, 100 * slices.abnormal / slices.slices)
    _scale_axes(panel, [method.title for method in rows])
    add_text(figure, note, left_mm=0, top_mm=note_mm + 0.3, fontsize=SMALL_POINTS)
    return figure


def _in_rows(methods: Iterable[Method]) -> list[Method]:
    """2-D above 3-D, baselines last."""
    return sorted(methods, key=lambda method: (method.is_baseline, method.dims))


def _estimate(slices: Slices, model: str, intervals: Intervals | None) -> Estimate:
    """In percent."""
    seeds = tuple(100 * value for value in slices.average_precision[model])
    percent = slices.fraction_percent
    return Estimate(seeds, find_interval(intervals, model=model, metric=_METRIC, fraction_percent=percent))


def _value_text(estimate: Estimate) -> str:
    """The mean, and in brackets the range of several seeds."""
    if len(estimate.seeds) == 1:
        return f"{estimate.mean:.1f}"
    return f"{estimate.mean:.1f} ({min(estimate.seeds):.1f}–{max(estimate.seeds):.1f})"


def _draw_prevalence(panel: Axes, percent: float) -> None:
    """Chance level: the share of slices that hold a lesion."""
    panel.axvline(percent, color="0.3", linestyle="--", linewidth=1.0, zorder=1)
    above = {"xycoords": panel.get_xaxis_transform(), "xytext": (0, 4), "textcoords": "offset points"}
    label = f"abnormal slices: {percent:.1f} %"
    panel.annotate(label, (percent, 1), **above, ha="center", va="bottom", fontsize=SMALL_POINTS)


def _scale_axes(panel: Axes, titles: list[str]) -> None:
    """All that is drawn, names at the rows, a grid."""
    drawn = np.concatenate([np.asarray(line.get_xdata(), dtype=float) for line in panel.lines])
    panel.set_xlim(limits_around(drawn[np.isfinite(drawn)]))
    panel.xaxis.set_major_locator(MaxNLocator(8, steps=(1, 2, 5, 10)))
    panel.set_xlabel("Slice-wise AUPRC in %", labelpad=1)
    panel.set_ylim(len(titles) - 0.5, -0.5)
    panel.set_yticks(range(len(titles)), titles)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color=GRID_COLOUR, linewidth=0.4)
    panel.set_axisbelow(True)


def _note(
    slices: Slices, estimates: Iterable[Estimate], *, intervals: Intervals | None, has_star: bool
) -> str:
    """On whom, and what is drawn."""
    counts = " and ".join(f"{cohort} n = {count}" for cohort, count in slices.subjects.items())
    together = " together" if len(slices.subjects) > 1 else ""
    sentences = [
        f"Test subjects of {counts}{together}: {slices.slices:,} axial slices.",
        seeds_note(estimates, intervals=intervals, also=", and in brackets"),
        "Dashed line: chance level, the share of abnormal slices.",
    ]
    if has_star:
        sentences.append("Star: Bengs et al. (2021) on their own data.")
    return " ".join(sentences)
