"""How the volumes of a cohort's brains are distributed, in a strip above its contact sheet."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatial_erasing.preprocess.quality import FlagRule, brain_spread, count_quality
from spatial_erasing.report.style import (
    PAGE_WIDTH_MM,
    SMALL_POINTS,
    VERMILION,
    add_panel,
    add_text,
    in_house_style,
)

STRIP_HEIGHT_MM = 34.0
_PLOT_LEFT_MM, _PLOT_TOP_MM, _PLOT_HEIGHT_MM = 50.0, 6.0, 16.0
_LINE_MM = 3.6
_BIN_ML = 50.0  # the same in every cohort, so that two strips compare
_BAR, _BAND, _TICK = "0.72", "0.93", "0.35"


@in_house_style
def draw_strip(
    figure: Figure, quality: Sequence[Mapping], *, rule: FlagRule, corner_mm: tuple[float, float]
) -> Axes:
    """Draw a histogram of the brains' volumes with the limits, a tick for each subject, and the counts.

    Args:
        quality: rows of `quality_rows`, or of their file.
        rule: the limits.
        corner_mm: left and top of the strip on the page.
    """
    left_mm, top_mm = corner_mm
    for line, words in enumerate([*_count_lines(quality), *_median_lines(quality, rule)]):
        place = {"left_mm": left_mm, "top_mm": top_mm + _PLOT_TOP_MM + line * _LINE_MM}
        colour = VERMILION if words.endswith(("failed", "flagged")) else "black"
        add_text(figure, words, fontsize=SMALL_POINTS, color=colour, **place)
    axes = add_panel(
        figure,
        left_mm=left_mm + _PLOT_LEFT_MM,
        top_mm=top_mm + _PLOT_TOP_MM,
        width_mm=PAGE_WIDTH_MM - _PLOT_LEFT_MM,
        height_mm=_PLOT_HEIGHT_MM,
    )
    done = [row for row in quality if row["status"] == "done"]
    volumes_ml = np.array([float(row["brain_ml"]) for row in done])
    _draw_limits(axes, volumes_ml, rule)
    _draw_volumes(axes, volumes_ml, np.array([bool(row["flag"]) for row in done]))
    axes.set_xlabel("volume of the brain / ml", labelpad=1)
    axes.set_ylabel("subjects")
    return axes


def _count_lines(quality: Sequence[Mapping]) -> list[str]:
    """How many subjects there are, and what asks for a look."""
    counts = count_quality(quality)
    lines = [f"n = {counts.done} of {counts.subjects} subjects done"]
    others = {"failed": counts.failed, "flagged": counts.flagged, "with a warning": counts.warned}
    lines += [f"{number} {what}" for what, number in others.items() if number]
    if counts.vanished:
        lines.append(f"{counts.vanished} of {counts.lesions} lesions vanished")
    return lines


def _median_lines(quality: Sequence[Mapping], rule: FlagRule) -> list[str]:
    """The cohort's median, and what the grey band is where there is one."""
    spread = brain_spread(float(row["brain_ml"]) for row in quality if row["status"] == "done")
    band = [f"grey: ± {rule.beyond_deviations:g} robust SD"] if spread.deviation_ml > 0 else []
    return [f"median {spread.median_ml:.0f} ml", *band]


def _draw_limits(axes: Axes, volumes_ml: np.ndarray, rule: FlagRule) -> None:
    """Dashed: the fixed limits. Grey: the band around the median, where it is defined."""
    label = {"fontsize": SMALL_POINTS, "va": "bottom", "transform": axes.get_xaxis_transform()}
    for limit_ml in rule.outside_ml:
        axes.axvline(limit_ml, color=VERMILION, linestyle=(0, (3, 2)), linewidth=0.8)
        axes.text(limit_ml, 1.02, f"{limit_ml:g} ml", color=VERMILION, ha="center", **label)
    spread = brain_spread(volumes_ml)
    half_ml = rule.beyond_deviations * spread.deviation_ml
    if half_ml > 0:
        axes.axvspan(spread.median_ml - half_ml, spread.median_ml + half_ml, color=_BAND, zorder=0, lw=0)


def _draw_volumes(axes: Axes, volumes_ml: np.ndarray, is_flagged: np.ndarray) -> None:
    """Bars of 50 ml, and below them one tick a subject, flagged ones in colour."""
    first, last = np.floor(volumes_ml.min() / _BIN_ML), np.floor(volumes_ml.max() / _BIN_ML) + 1
    edges_ml = _BIN_ML * np.arange(first, last + 1)
    counts, *_ = axes.hist(volumes_ml, bins=edges_ml, color=_BAR, edgecolor="white", linewidth=0.4)
    axes.set_ylim(-0.22 * counts.max(), 1.05 * counts.max())
    axes.set_yticks([0, int(counts.max())])
    axes.spines["left"].set_bounds(0, counts.max())
    for chosen, colour, width in ((~is_flagged, _TICK, 0.5), (is_flagged, VERMILION, 1.4)):
        axes.vlines(volumes_ml[chosen], -0.18 * counts.max(), -0.04 * counts.max(), colour, linewidth=width)
