"""Figure 4: subject-wise Dice over lesion size."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.polynomial import Polynomial

from spatial_erasing.models import Method, Methods
from spatial_erasing.report.style import (
    GRID_COLOUR,
    MM_PER_INCH,
    PAGE_HEIGHT_MM,
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    add_legend,
    add_panel,
    add_text,
    compared_pairs,
    families,
    in_house_style,
    model_style,
    new_figure,
    wrapped,
)

FEWEST_LESIONS = 8  # with fewer, a polynomial of four coefficients follows the noise
_DEGREE = 3  # "polynomial regression of order three" (Bengs et al. 2021, Figure 4)
Points = dict[str, dict[str, pd.DataFrame]]

_LEFT_MM, _RIGHT_MM, _GAP_MM, _TALLEST_MM = 11.0, 2.0, 5.0, 42.0
_HEAD_MM, _LEGEND_MM, _TICKS_MM, _FOOT_MM = 5.0, 5.5, 3.0, 25.0
_ML_AXIS_MM = 8.5  # from the axis of voxels down to that of millilitres
_SIZE_MARGIN = 1.25
_CURVE_POINTS = 300
_MARKER_EVERY, _MARKER_SHIFT = 60, 14  # points of a curve; the second keeps two models' markers apart
_LINE = {"linewidth": 1.6, "markersize": 4.0}  # of a regression
_FEW_DOTS = 30  # so few need no transparency


@in_house_style
def figure_lesion_size(subjects: pd.DataFrame, *, methods: Methods, voxel_ml: Mapping[str, float]) -> Figure:
    """DICE_S of every test subject over the size of its lesion, as Bengs et al. (2021), Figure 4.

    A column is a lesion cohort; rows compare 2-D, then 3-D, without and with erasing, then both dimensions
    with erasing. Unlike the paper's, the axis of sizes is logarithmic, as strokes span four decades; the
    regression is the paper's cubic in the size itself, drawn over the observed sizes.
    """
    points = lesion_points(subjects, models=list(methods))
    rows = _rows_of_methods(methods)
    space_mm = (PAGE_HEIGHT_MM - _HEAD_MM - _FOOT_MM) / len(rows)
    panel_mm = min(_TALLEST_MM, space_mm - _LEGEND_MM - _TICKS_MM)
    row_mm = _LEGEND_MM + panel_mm + _TICKS_MM
    width_mm = (PAGE_WIDTH_MM - _LEFT_MM - _RIGHT_MM + _GAP_MM) / len(points) - _GAP_MM

    figure = new_figure(PAGE_WIDTH_MM, _HEAD_MM + len(rows) * row_mm + _FOOT_MM)
    for rank, (title, compared) in enumerate(rows):
        top_mm = _HEAD_MM + rank * row_mm
        add_text(figure, title, left_mm=_LEFT_MM, top_mm=top_mm + 1.0)
        corner = {"left_mm": PAGE_WIDTH_MM - _RIGHT_MM, "top_mm": top_mm + 0.9}
        lines = {method.title: model_style(method).line | _LINE for method in compared}
        spacing = {"ncols": len(compared), "handlelength": 3.4, "columnspacing": 1.4}
        add_legend(figure, lines, **corner, loc="upper right", **spacing)
        for column, cohort in enumerate(points):
            left_mm = _LEFT_MM + column * (width_mm + _GAP_MM)
            place = {"left_mm": left_mm, "top_mm": top_mm + _LEGEND_MM}
            panel = add_panel(figure, **place, width_mm=width_mm, height_mm=panel_mm)
            _draw_dots(panel, {method: points[cohort][method.name] for method in compared})
            _scale_axes(panel, points, cohort=cohort, is_leftmost=column == 0)
            panel.tick_params(labelbottom=rank == len(rows) - 1)
            if rank == 0:
                count = len(next(iter(points[cohort].values())))
                add_text(figure, f"{cohort}: n = {count} test subjects", left_mm=left_mm, top_mm=0.8)
            if rank == len(rows) - 1:
                _add_size_axes(panel, voxel_ml[cohort], panel_mm=panel_mm)
    _add_note(figure, points, count_without_lesion(subjects, models=list(methods)))
    return figure


def _rows_of_methods(methods: Methods) -> list[tuple[str, list[Method]]]:
    """Title and methods of every row; with several kinds of erasing the legend has to do."""
    groups = families(methods.values())
    return [
        (title if len(groups) == 1 else "", compared)
        for members in groups.values()
        for title, compared in compared_pairs(members).items()
    ]


def _draw_dots(panel: Axes, compared: Mapping[Method, pd.DataFrame]) -> None:
    """Transparent dots, one a subject, and above them the regressions; a remark where there are too few."""
    count = max(map(len, compared.values()))
    alpha = 0.9 if count < _FEW_DOTS else 0.7 / len(compared)
    for method, frame in compared.items():
        dots = model_style(method).dots | {"s": 8, "linewidths": 0.5, "alpha": alpha, "label": method.name}
        panel.scatter(frame["lesion_voxels"], 100 * frame["dice"], **dots, zorder=2)
    for rank, (method, frame) in enumerate(compared.items()):
        cubic = cubic_regression(frame["lesion_voxels"], 100 * frame["dice"])
        if cubic is not None:
            _draw_curve(panel, cubic, frame["lesion_voxels"], method=method, rank=rank)
    if not panel.lines:
        remark = why_no_line(next(iter(compared.values()))["lesion_voxels"])
        panel.text(0.99, 0.99, remark, transform=panel.transAxes, ha="right", va="top", fontsize=SMALL_POINTS)


def _draw_curve(panel: Axes, cubic: Polynomial, sizes: pd.Series, *, method: Method, rank: int) -> None:
    """The polynomial over the sizes that were observed, lifted off the dots by a white line below it."""
    grid = np.geomspace(sizes.min(), sizes.max(), _CURVE_POINTS)
    every = {"markevery": (20 + _MARKER_SHIFT * rank, _MARKER_EVERY), "label": method.name}
    panel.plot(grid, cubic(grid), color="white", linewidth=3.2, zorder=2.5)
    panel.plot(grid, cubic(grid), **model_style(method).line | _LINE, **every, zorder=3)


def _scale_axes(panel: Axes, points: Points, *, cohort: str, is_leftmost: bool) -> None:
    """Sizes in logarithmic steps, the same for a cohort; Dice from zero, the same for all."""
    sizes = pd.concat(list(points[cohort].values()))["lesion_voxels"]
    frames = [frame for of_cohort in points.values() for frame in of_cohort.values()]
    highest = 100 * pd.concat(frames)["dice"].max()
    has_remark = any(why_no_line(frame["lesion_voxels"]) for frame in frames)
    smallest, largest = (sizes.min(), sizes.max()) if sizes.size else (1, 1)
    panel.set_xscale("log")
    panel.set_xlim(smallest / _SIZE_MARGIN, largest * _SIZE_MARGIN)
    panel.set_ylim(0, (1.2 if has_remark else 1.05) * highest if highest > 0 else 1)
    _set_size_ticks(panel, *panel.get_xlim())
    panel.tick_params(pad=1.5)
    panel.yaxis.set_major_locator(MaxNLocator(4))
    panel.grid(axis="y", color=GRID_COLOUR, linewidth=0.4)
    panel.set_axisbelow(True)
    panel.tick_params(axis="y", labelleft=is_leftmost)
    if is_leftmost:
        panel.set_ylabel("DICE$_S$ in %")


def _set_size_ticks(panel: Axes, low: float, high: float) -> None:
    """Round numbers in full: powers of ten, or also their 2 and 5 times, or whatever a narrow range holds."""
    factors = (1,) if high / low > 300 else (1, 2, 5)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    ticks = [factor * 10.0**decade for decade in decades for factor in factors]
    if sum(low <= tick <= high for tick in ticks) < 2:
        ticks = list(MaxNLocator(4).tick_values(low, high))
    panel.set_xticks([tick for tick in ticks if low <= tick <= high])
    panel.xaxis.set_major_formatter(FuncFormatter(_plain))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _plain(value: float, _position: int) -> str:
    """1000 as 1,000 and 0.1 as 0.1."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def _add_size_axes(panel: Axes, voxel_ml: float, *, panel_mm: float) -> None:
    """Name the axis, and say the same sizes in millilitres below it."""
    panel.set_xlabel("Lesion: labelled voxels on the network's grid", labelpad=1)
    scale = (lambda voxels: voxels * voxel_ml, lambda ml: ml / voxel_ml)
    below = panel.secondary_xaxis(-_ML_AXIS_MM / panel_mm, functions=scale)
    _set_size_ticks(below, *(voxel_ml * limit for limit in panel.get_xlim()))
    below.tick_params(pad=1.5)
    below.set_xlabel("Lesion in ml", labelpad=1)


def _add_note(figure: Figure, points: Points, without_lesion: Mapping[str, int]) -> None:
    seeds = {count for frames in points.values() for frame in frames.values() for count in frame["seeds"]}
    fewest, most = min(seeds, default=1), max(seeds, default=1)
    count = f"{most}" if fewest == most else f"{fewest} to {most}"
    sentences = [f"Dots: one a test subject, {f'mean of {count} seeds' if most > 1 else 'one seed'}."]
    if any(panel.lines for panel in figure.axes):
        sentences.append("Lines: least-squares polynomials of order three in the lesion size.")
    for cohort, lost in without_lesion.items():
        sentences.append(f"Subjects of {cohort} whose lesion has no voxel on the grid, not shown: {lost}.")
    top_mm = figure.get_size_inches()[1] * MM_PER_INCH - _FOOT_MM
    note = wrapped(" ".join(sentences), PAGE_WIDTH_MM)
    add_text(figure, note, left_mm=0, top_mm=top_mm + 17, fontsize=SMALL_POINTS)


def lesion_points(subjects: pd.DataFrame, *, models: Sequence[str]) -> Points:
    """Cohort -> model -> one row a test subject that has a lesion on the grid: lesion_voxels, dice.

    Dice is the mean of the seeds, from training on all subjects.

    Raises:
        ValueError: a model was not evaluated on the test subjects of the others, once a seed.
    """
    rows = subjects[(subjects["fraction_percent"] == 100) & subjects["model"].isin(models)]
    if rows.empty:
        raise ValueError(
            f"subjects.csv has no row of {', '.join(models)} (100 % of the training data). Evaluate "
            "these models, or name others in study.models."
        )
    points: Points = {}
    for cohort, of_cohort in rows.groupby("cohort", sort=False):
        names = set(of_cohort["subject"])
        points[cohort] = {}
        for model in models:
            of_model = of_cohort[of_cohort["model"] == model]
            _require_all(of_model, names, model=model, cohort=cohort)
            points[cohort][model] = _mean_of_seeds(of_model)
    return points


def _require_all(rows: pd.DataFrame, names: set[str], *, model: str, cohort: str) -> None:
    """Refuse a model that lacks a subject, or has one twice, with some seed."""
    found = rows.groupby(["subject", "seed"]).size().unstack(fill_value=0)
    if set(found.index) != names or (found != 1).any(axis=None):
        raise ValueError(
            f"subjects.csv has {len(rows)} rows of {len(found)} subjects of {cohort} for {model} (100 % "
            f"of the training data); expected each of the {len(names)} test subjects that the models have "
            "together, once a seed. Evaluate this model again, or take it out of study.models."
        )


def _mean_of_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a subject; those without a lesion on the grid have no Dice and no place on a log axis."""
    points = rows.groupby("subject").agg(
        lesion_voxels=("lesion_voxels", "first"), dice=("dice", "mean"), seeds=("seed", "nunique")
    )
    return points[points["lesion_voxels"] > 0]


def count_without_lesion(subjects: pd.DataFrame, *, models: Sequence[str]) -> dict[str, int]:
    """Cohort -> test subjects whose lesion has no voxel on the grid, where there are any."""
    rows = subjects[subjects["model"].isin(models)]
    lost = rows[rows["lesion_voxels"] == 0]
    return lost.groupby("cohort", sort=False)["subject"].nunique().to_dict()


def cubic_regression(sizes: Sequence[float], percent: Sequence[float]) -> Polynomial | None:
    """The least-squares polynomial of order three in the lesion size; None where `why_no_line` objects."""
    if why_no_line(sizes):
        return None
    return Polynomial.fit(np.asarray(sizes, dtype=float), np.asarray(percent, dtype=float), deg=_DEGREE)


def why_no_line(sizes: Sequence[float]) -> str:
    """What to say where lesions are too few, or too alike, for a cubic; "" where they are not."""
    different = len(np.unique(sizes))
    if len(sizes) < FEWEST_LESIONS:
        return f"no regression: {len(sizes)} lesions, at least {FEWEST_LESIONS} needed"
    if different <= _DEGREE:
        return f"no regression: {different} different sizes, at least {_DEGREE + 1} needed"
    return ""
