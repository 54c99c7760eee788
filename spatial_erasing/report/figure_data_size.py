"""Figure 5: AUPRC over the share of the training data."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spatial_erasing.cohorts import members
from spatial_erasing.models import Method, Methods
from spatial_erasing.report.estimates import Estimate, Intervals, draw_estimate, limits_around, seeds_note
from spatial_erasing.report.style import (
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    PageFigure,
    families,
    in_house_style,
    model_style,
)

_LEFT_MM, _RIGHT_MM, _GAP_MM, _HEAD_MM = 12.0, 2.0, 5.0, 6.0
_WIDEST_PANEL_MM, _PANEL_MM, _AXIS_MM, _LEGEND_LINE_MM = 130.0, 68.0, 9.5, 3.6
_DODGE_PERCENT = 0.9  # between models at the same share
_LINE = {"linewidth": 1.4}
_SPACING = {"labelspacing": 0.35, "handlelength": 3.6}  # of a legend, a model a line

Curves = dict[str, dict[int, Estimate]]


@in_house_style
def figure_data_size(
    intervals: Intervals, *, methods: Methods, cohorts: Sequence[str], training_subjects: Mapping[int, int]
) -> Figure:
    """AUPRC, mean of the test sets, over the share of the training data, as Bengs et al. (2021), Figure 5.

    Each kind of erasing has a panel; the methods without erasing stand in all of them. Drawn are the
    shares in percent that `training_subjects` has, each with its subjects.
    """
    curves = {
        model: {
            percent: intervals.estimate(model=model, metric="average_precision", fraction_percent=percent)
            for percent in sorted(training_subjects)
        }
        for model in methods
    }
    groups = families(methods.values())
    note = _note(curves, cohorts, training_subjects, intervals.confidence_percent)
    legend_lines = max(map(len, groups.values())) if len(groups) > 1 else 0
    width_mm = (PAGE_WIDTH_MM - _LEFT_MM - _RIGHT_MM + _GAP_MM) / len(groups) - _GAP_MM
    width_mm = min(width_mm, _WIDEST_PANEL_MM)
    figure = PageFigure.noted(_HEAD_MM + _PANEL_MM + _AXIS_MM + legend_lines * _LEGEND_LINE_MM, note)
    for column, (title, peers) in enumerate(groups.items()):
        left_mm = _LEFT_MM + column * (width_mm + _GAP_MM)
        panel = figure.add_panel((left_mm, _HEAD_MM), (width_mm, _PANEL_MM))
        _draw_curves(panel, peers, curves)
        _scale_axes(panel, curves)
        panel.tick_params(labelleft=column == 0)
        if column == 0:
            panel.set_ylabel("AUPRC in %" + (", mean of the test sets" if len(cohorts) > 1 else ""))
        if len(groups) > 1:
            panel.set_title(title)
            below_mm = (left_mm + width_mm / 2, _HEAD_MM + _PANEL_MM + _AXIS_MM)
            figure.add_legend(peers, below_mm, line=_LINE, loc="upper center", **_SPACING)
    if len(groups) == 1:
        by_value = sorted(methods.values(), key=lambda method: -list(curves[method.name].values())[-1].mean)
        figure.add_legend(by_value, (_LEFT_MM + width_mm + 2.0, _HEAD_MM), line=_LINE, **_SPACING)
    return figure


def _draw_curves(panel: Axes, methods: Sequence[Method], curves: Curves) -> None:
    """Lines through the means, with what is uncertain about them; a remark where there is one share only."""
    for rank, method in enumerate(methods):
        curve = curves[method.name]
        shift = (rank - (len(methods) - 1) / 2) * _DODGE_PERCENT
        places = [percent + shift for percent in curve]
        style = model_style(method)
        line = {"color": style.colour, "linestyle": style.dashes, "label": method.name, **_LINE}
        panel.plot(places, [estimate.mean for estimate in curve.values()], **line, zorder=2.2)
        for place, estimate in zip(places, curve.values(), strict=True):
            draw_estimate(panel, estimate, place, method=method)
    percents = list(next(iter(curves.values())))
    if len(percents) == 1:
        remark = (
            f"This study trains on {percents[0]} % of the data only:\nadd shares to study.fractions_percent."
        )
        panel.text(0.05, 0.95, remark, transform=panel.transAxes, va="top", fontsize=SMALL_POINTS)


def _scale_axes(panel: Axes, curves: Curves) -> None:
    percents = sorted(next(iter(curves.values())))
    panel.set_xlim(0, 1.06 * percents[-1])
    panel.set_xticks(percents, list(map(str, percents)))
    panel.set_xlabel("Training data in %", labelpad=1)
    estimates = [estimate for curve in curves.values() for estimate in curve.values()]
    panel.set_ylim(limits_around(value for estimate in estimates for value in estimate.drawn))
    panel.yaxis.set_major_locator(MaxNLocator(6))
    panel.grid(axis="y")


def _note(
    curves: Curves, cohorts: Sequence[str], training_subjects: Mapping[int, int], confidence_percent: float
) -> str:
    """The footnote: test subjects, points and bars."""
    where = f"averaged over {' and '.join(cohorts)}" if len(cohorts) > 1 else f"on {cohorts[0]}"
    estimates = [estimate for curve in curves.values() for estimate in curve.values()]
    shares = (f"{count:,} ({percent} %)" for percent, count in sorted(training_subjects.items()))
    return (
        f"Average precision over all voxels, {where}. "
        f"{seeds_note(estimates, confidence_percent=confidence_percent)} "
        f"Training subjects: {', '.join(shares)}; models stand side by side at the same share."
    )


def count_training_subjects(
    subject_rows: Sequence[Mapping[str, str]], *, percents: Sequence[int]
) -> dict[int, int]:
    """How many healthy subjects each share of the training split holds, of those that were preprocessed."""
    done = [row for row in subject_rows if row["status"] == "done"]
    return {percent: len(members(done, split="training", fraction_percent=percent)) for percent in percents}
