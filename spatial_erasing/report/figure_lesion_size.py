"""Figure 4: subject-wise Dice over lesion size."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.polynomial import Polynomial

from spatial_erasing.models import Method, Methods
from spatial_erasing.report.style import (
    PAGE_HEIGHT_MM,
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    PageFigure,
    compared_pairs,
    families,
    in_house_style,
    model_style,
    wrapped,
)
from spatial_erasing.report.table_layout import count_range

FEWEST_LESIONS = 8  # with fewer, a polynomial of four coefficients follows the noise
_DEGREE = 3  # "polynomial regression of order three" (Bengs et al. 2021, Figure 4)
Points = dict[str, dict[str, pd.DataFrame]]

_LEFT_MM, _RIGHT_MM, _GAP_MM, _TALLEST_MM = 11.0, 2.0, 5.0, 42.0
_HEAD_MM, _LEGEND_MM, _TICKS_MM, _AXES_MM, _FOOT_MM = 5.0, 5.5, 3.0, 17.0, 25.0  # the axes lie in the foot
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
    groups = families(methods.values())
    # with several kinds of erasing the legends are the only titles
    rows = [
        (title if len(groups) == 1 else "", compared)
        for members in groups.values()
        for title, compared in compared_pairs(members).items()
    ]
    space_mm = (PAGE_HEIGHT_MM - _HEAD_MM - _FOOT_MM) / len(rows)
    panel_mm = min(_TALLEST_MM, space_mm - _LEGEND_MM - _TICKS_MM)
    row_mm = _LEGEND_MM + panel_mm + _TICKS_MM
    width_mm = (PAGE_WIDTH_MM - _LEFT_MM - _RIGHT_MM + _GAP_MM) / len(points) - _GAP_MM

    figure = PageFigure(PAGE_WIDTH_MM, _HEAD_MM + len(rows) * row_mm + _FOOT_MM)
    for rank, (title, compared) in enumerate(rows):
        top_mm = _HEAD_MM + rank * row_mm
        figure.add_text(title, (_LEFT_MM, top_mm + 1.0))
        corner_mm = (PAGE_WIDTH_MM - _RIGHT_MM, top_mm + 0.9)
        spacing = {"ncols": len(compared), "handlelength": 3.4, "columnspacing": 1.4}
        figure.add_legend(compared, corner_mm, line=_LINE, loc="upper right", **spacing)
        for column, cohort in enumerate(points):
            left_mm = _LEFT_MM + column * (width_mm + _GAP_MM)
            panel = figure.add_panel((left_mm, top_mm + _LEGEND_MM), (width_mm, panel_mm))
            _draw_dots(panel, {method: points[cohort][method.name] for method in compared})
            _scale_axes(panel, points, cohort=cohort, is_leftmost=column == 0)
            panel.tick_params(labelbottom=rank == len(rows) - 1)
            if rank == 0:
                count = len(next(iter(points[cohort].values())))
                figure.add_text(f"{cohort}: n = {count} test subjects", (left_mm, 0.8))
            if rank == len(rows) - 1:
                _add_size_axes(panel, voxel_ml[cohort], panel_mm=panel_mm)
    lost = count_without_lesion(subjects, models=list(methods))
    note = _note(points, lost, has_lines=any(panel.lines for panel in figure.axes))
    note_mm = _HEAD_MM + len(rows) * row_mm + _AXES_MM
    figure.add_text(wrapped(note, PAGE_WIDTH_MM), (0, note_mm), fontsize=SMALL_POINTS)
    return figure


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
            sizes = np.geomspace(frame["lesion_voxels"].min(), frame["lesion_voxels"].max(), _CURVE_POINTS)
            every = {"markevery": (20 + _MARKER_SHIFT * rank, _MARKER_EVERY), "label": method.name}
            # a white line below lifts the curve off the dots
            panel.plot(sizes, cubic(sizes), color="white", linewidth=3.2, zorder=2.5)
            panel.plot(sizes, cubic(sizes), **model_style(method).line | _LINE, **every, zorder=3)
    if not panel.lines:
        remark = why_no_line(next(iter(compared.values()))["lesion_voxels"])
        panel.text(0.99, 0.99, remark, transform=panel.transAxes, ha="right", va="top", fontsize=SMALL_POINTS)


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
    panel.yaxis.set_major_locator(MaxNLocator(4))
    panel.grid(axis="y")
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
    panel.xaxis.set_major_formatter("{x:,.12g}")  # 1,000 and 0.1
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.tick_params(pad=1.5)


def _add_size_axes(panel: Axes, voxel_ml: float, *, panel_mm: float) -> None:
    """Name the axis, and say the same sizes in millilitres below it."""
    panel.set_xlabel("Lesion: labelled voxels on the network's grid", labelpad=1)
    scale = (lambda voxels: voxels * voxel_ml, lambda ml: ml / voxel_ml)
    below = panel.secondary_xaxis(-_ML_AXIS_MM / panel_mm, functions=scale)
    _set_size_ticks(below, *(voxel_ml * limit for limit in panel.get_xlim()))
    below.set_xlabel("Lesion in ml", labelpad=1)


def _note(points: Points, without_lesion: Mapping[str, int], *, has_lines: bool) -> str:
    seeds = {count for frames in points.values() for frame in frames.values() for count in frame["seeds"]}
    count = count_range(seeds or {1})
    sentences = [f"Dots: one a test subject, {'one seed' if count == '1' else f'mean of {count} seeds'}."]
    if has_lines:
        sentences.append("Lines: least-squares polynomials of order three in the lesion size.")
    for cohort, lost in without_lesion.items():
        sentences.append(f"Subjects of {cohort} whose lesion has no voxel on the grid, not shown: {lost}.")
    return " ".join(sentences)


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
            of_subjects = of_model.groupby("subject").agg(
                lesion_voxels=("lesion_voxels", "first"), dice=("dice", "mean"), seeds=("seed", "nunique")
            )
            # without a lesion on the grid there is no Dice and no place on a log axis
            points[cohort][model] = of_subjects[of_subjects["lesion_voxels"] > 0]
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
