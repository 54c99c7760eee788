"""A contact sheet of all preprocessed subjects for visual inspection; flagged subjects come first."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spatial_erasing.preprocess.quality import FlagRule, brain_spread, count_quality
from spatial_erasing.report.planes import VIEW_NOTE, PlaneRow, mark_sides
from spatial_erasing.report.style import (
    ORANGE,
    PAGE_WIDTH_MM,
    SKY,
    SMALL_POINTS,
    VERMILION,
    PageFigure,
    in_house_style,
    shortened,
)

A4_MM = (210.0, 297.0)
_LEFT_MM = (A4_MM[0] - PAGE_WIDTH_MM) / 2
_COLUMNS, _COLUMN_GAP_MM = 3, 4.0
_MARGIN_TOP_MM, _HEADER_MM, _NAME_MM, _LINE_MM = 14.0, 5.0, 5.0, 3.1
_NAME_LETTERS, _LINE_LETTERS, _FLAG_LINES = 26, 38, 3

STRIP_HEIGHT_MM = 34.0  # of the distribution of volumes, above the first page
_PLOT_LEFT_MM, _PLOT_TOP_MM, _PLOT_HEIGHT_MM = 50.0, 6.0, 16.0
_COUNT_LINE_MM = 3.6
_BIN_ML = 50.0  # the same in every cohort, so that two strips compare
_BAR, _BAND, _TICK = "0.72", "0.93", "0.35"

Quality = Mapping[str, Any]  # a row of `quality_rows`


@dataclass(frozen=True)
class _Place:
    """Where a subject's sections stand on its page; sides are marked in the first row."""

    subject: int
    corner_mm: tuple[float, float]
    is_marked: bool


def figure_quality(
    quality: Sequence[Quality],
    subjects: Sequence[str],
    volumes: tuple[np.ndarray, np.ndarray, np.ndarray],
    *,
    voxel_size_mm: tuple[float, float, float],
    rule: FlagRule,
) -> Iterator[Figure]:
    """Pages that show three planes of every subject with the outlines of its brain and its lesion.

    Subjects follow in the order of the table of quality, flagged ones first. They are cut where the lesion
    is largest, or the brain if there is none; the whole grid is shown. Above the first page stands how the
    volumes of the brains are distributed.

    Args:
        quality: rows of `quality_rows`, or of their file; failed subjects have no picture.
        volumes: scans in [0, 1], brain masks and lesions, each (n, X, Y, Z).
    """
    drawn = [row for row in quality if row["status"] == "done"]
    _require_same_subjects(quality, drawn, subjects, volumes)
    index = {name: place for place, name in enumerate(subjects)}
    width_mm = (PAGE_WIDTH_MM + _COLUMN_GAP_MM) / _COLUMNS - _COLUMN_GAP_MM
    row = PlaneRow.of_width(width_mm, volumes[0].shape[1:], voxel_size_mm)
    pages = _paged(drawn, sections_mm=row.height_mm)
    for number, places in enumerate(pages, start=1):
        figure = _new_page(f"{quality[0]['cohort']}, page {number} of {len(pages)}")
        if number == 1:
            draw_strip(figure, quality, rule=rule, corner_mm=(_LEFT_MM, _MARGIN_TOP_MM + _HEADER_MM))
        for place in places:
            subject = drawn[place.subject]
            scans = tuple(volume[index[subject["subject"]]] for volume in volumes)
            _draw_subject(figure, subject, scans, place, row=row)
        yield figure


def _require_same_subjects(
    quality: Sequence[Quality], drawn: Sequence[Quality], subjects: Sequence[str], volumes: tuple
) -> None:
    in_table, cohort = {row["subject"] for row in drawn}, quality[0]["cohort"] if quality else "no cohort"
    if in_table == set(subjects) and len({len(subjects), *map(len, volumes)}) == 1:
        return
    raise ValueError(
        f"{cohort}: quality.csv has {len(in_table)} subjects that are done, volumes.npz has {len(subjects)} "
        f"names and {[len(v) for v in volumes]} scans, brains and lesions; expected one of each for the same "
        f"subjects. Preprocess this cohort again:\n"
        f"    snakemake --cores 8 --forcerun stack_cohort -- results/preprocess/{cohort}/quality.pdf"
    )


def _paged(drawn: Sequence[Quality], *, sections_mm: float) -> list[list[_Place]]:
    """Put subjects into rows of three and rows onto pages; each page holds at least one row."""
    width_mm = (PAGE_WIDTH_MM + _COLUMN_GAP_MM) / _COLUMNS
    pages: list[list[_Place]] = [[]]
    top_mm = _MARGIN_TOP_MM + _HEADER_MM + STRIP_HEIGHT_MM
    for first in range(0, len(drawn), _COLUMNS):
        in_row = range(first, min(first + _COLUMNS, len(drawn)))
        title_mm = _NAME_MM + _LINE_MM * max(len(_flag_lines(drawn[subject])) for subject in in_row)
        if pages[-1] and top_mm + title_mm + sections_mm > A4_MM[1] - _MARGIN_TOP_MM:
            pages.append([])
            top_mm = _MARGIN_TOP_MM + _HEADER_MM
        top_mm += title_mm
        is_marked = not pages[-1]
        pages[-1] += [
            _Place(subject, (_LEFT_MM + (subject - first) * width_mm, top_mm), is_marked)
            for subject in in_row
        ]
        top_mm += sections_mm
    return pages


def _flag_lines(subject: Quality) -> list[str]:
    """The flag, broken to fit above the sections."""
    return textwrap.wrap(str(subject["flag"]), _LINE_LETTERS, max_lines=_FLAG_LINES, placeholder=" …")


@in_house_style
def _new_page(title: str) -> PageFigure:
    """An empty page with its title and a legend of its colours."""
    figure = PageFigure(*A4_MM)
    figure.add_text(title, (_LEFT_MM, _MARGIN_TOP_MM), weight="bold", parse_math=False)
    note = f"Blue: brain mask. Orange: lesion. {VIEW_NOTE}"
    corner_mm = (_LEFT_MM + PAGE_WIDTH_MM, _MARGIN_TOP_MM + 0.2)
    figure.add_text(note, corner_mm, ha="right", fontsize=SMALL_POINTS)
    return figure


@in_house_style
def _draw_subject(
    figure: PageFigure, subject: Quality, scans: tuple, place: _Place, *, row: PlaneRow
) -> None:
    scan, brain, lesion = scans
    name = shortened(str(subject["subject"]), _NAME_LETTERS)
    if volume_ml := float(subject["lesion_ml"] or 0):
        name += f", lesion {volume_ml:.1f} ml"
    if subject["warning"]:
        name += ", warning"
    flag = _flag_lines(subject)
    look: dict[str, Any] = {"color": VERMILION, "weight": "bold"} if flag else {}
    left_mm, top_mm = place.corner_mm
    for lines_above, words in enumerate(reversed([name, *flag]), start=1):
        corner_mm = (left_mm, top_mm - lines_above * _LINE_MM)
        figure.add_text(words, corner_mm, fontsize=SMALL_POINTS, parse_math=False, **look)
    region, outlines = lesion if lesion.any() else brain, {SKY: brain, ORANGE: lesion}
    panels = row.draw(figure, scan.astype(np.float32), region, corner_mm=place.corner_mm, outlines=outlines)
    if place.is_marked:
        mark_sides(panels)


@in_house_style
def draw_strip(
    figure: PageFigure, quality: Sequence[Mapping], *, rule: FlagRule, corner_mm: tuple[float, float]
) -> Axes:
    """Draw a histogram of the brains' volumes with the limits, a tick for each subject, and the counts."""
    left_mm, top_mm = corner_mm
    for line, words in enumerate(_strip_lines(quality, rule)):
        line_mm = top_mm + _PLOT_TOP_MM + line * _COUNT_LINE_MM
        colour = VERMILION if words.endswith(("failed", "flagged")) else "black"
        figure.add_text(words, (left_mm, line_mm), fontsize=SMALL_POINTS, color=colour)
    plot_mm = (left_mm + _PLOT_LEFT_MM, top_mm + _PLOT_TOP_MM)
    axes = figure.add_panel(plot_mm, (PAGE_WIDTH_MM - _PLOT_LEFT_MM, _PLOT_HEIGHT_MM))
    done = [row for row in quality if row["status"] == "done"]
    volumes_ml = np.array([float(row["brain_ml"]) for row in done])
    _draw_limits(axes, volumes_ml, rule)
    _draw_volumes(axes, volumes_ml, np.array([bool(row["flag"]) for row in done]))
    axes.set_xlabel("volume of the brain / ml", labelpad=1)
    axes.set_ylabel("subjects")
    return axes


def _strip_lines(quality: Sequence[Mapping], rule: FlagRule) -> list[str]:
    """Counts, the cohort's median, and the meaning of the grey band where there is one."""
    counts = count_quality(quality)
    lines = [f"n = {counts.done} of {counts.subjects} subjects done"]
    others = {"failed": counts.failed, "flagged": counts.flagged, "with a warning": counts.warned}
    lines += [f"{number} {what}" for what, number in others.items() if number]
    if counts.vanished:
        lines.append(f"{counts.vanished} of {counts.lesions} lesions vanished")
    spread = brain_spread(float(row["brain_ml"]) for row in quality if row["status"] == "done")
    lines.append(f"median {spread.median_ml:.0f} ml")
    if spread.deviation_ml > 0:
        lines.append(f"grey: ± {rule.beyond_deviations:g} robust SD")
    return lines


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
