"""The quality of a cohort as one page: what happened, whom to look at, how to leave someone out."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.preprocess.curves import HealthyBand
from spatial_erasing.preprocess.quality import (
    EXCLUSION_HEADER,
    Counts,
    FlagRule,
    brain_spread,
    count_quality,
)
from spatial_erasing.report.curve_chart import STYLE, chart, sparkline

_STYLE = (
    """
:root { color-scheme: light dark; --line: #c8c8c8; --soft: #5c5c5c; --back: #fff; --tile: #f3f3f3;
        --bad: #a33b00; --mild: #7a5600 }
@media (prefers-color-scheme: dark) {
  :root { --line: #4a4a4a; --soft: #a8a8a8; --back: #161616; --tile: #242424;
          --bad: #ff9a5c; --mild: #f0c24b } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em; background: var(--back) }
h1 { font-size: 1.5em; margin: 0 0 .6em } h2 { font-size: 1.15em; margin: 1.8em 0 .4em }
h3 { font-size: 1em; margin: 1em 0 .3em }
p { max-width: 46em; margin: .5em 0 }
.tiles { display: flex; flex-wrap: wrap; gap: .6em; margin: 0 0 1em; padding: 0 }
.tiles div { background: var(--tile); border-radius: 6px; padding: .5em 1em }
.tiles b { display: block; font-size: 1.5em; line-height: 1.2; font-variant-numeric: tabular-nums }
.tiles span { color: var(--soft) }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25em .5em; text-align: right; vertical-align: top; white-space: nowrap }
th { border-bottom: 1px solid var(--line); font-weight: 600; vertical-align: bottom; white-space: normal }
tbody tr { border-bottom: 1px solid color-mix(in srgb, var(--line) 45%, transparent) }
.text { text-align: left } td.says { white-space: normal; min-width: 16em; max-width: 34em }
.bad { color: var(--bad) } .mild { color: var(--mild) }
code, pre { font: 13px/1.5 ui-monospace, monospace }
pre { background: var(--tile); border-radius: 6px; padding: .7em 1em; overflow-x: auto; max-width: 60em }
"""
    + STYLE
)

# Title of a column -> the quantity and its decimals; lesions only where the cohort has any.
_NUMBERS = {
    "brain, ml": ("brain_ml", 0),
    "robust SD from median": ("brain_deviations", 1),
    "intensity, lower": ("lower_intensity", 0),
    "median": ("median_intensity", 0),
    "upper": ("upper_intensity", 0),
    "beyond the healthy band": ("beyond_band", 2),
    "box, voxels": ("box_voxels", None),
}
_LESION_NUMBERS = {
    "lesion, ml": ("lesion_ml", 2),
    "downsampled, ml": ("lesion_downsampled_ml", 2),
    "outside brain, %": ("lesion_outside_brain_percent", 1),
}
_STATE_CLASSES = {"failed": "bad", "flagged": "bad", "warning": "mild", "done": ""}


@dataclass(frozen=True)
class Contrast:
    """The quantile curves of a cohort and the healthy band.

    Args:
        curves: subject to sequence to curve.
        band: of the healthy training brains.
    """

    curves: Mapping[str, Mapping[str, np.ndarray]]
    band: HealthyBand


def write_quality_page(
    rows: Sequence[Mapping[str, Any]], path: str | Path, *, cohort: str, rule: FlagRule, contrast: Contrast
) -> None:
    """Write the rows of `quality_rows` as one HTML page that needs no network and no script."""
    counts = count_quality(rows)
    numbers = _NUMBERS | (_LESION_NUMBERS if counts.lesions else {})
    parts = [
        f"<h1>{html.escape(cohort)}: quality of preprocessing</h1>",
        _tiles(counts),
        _rule_in_words(rows, rule=rule),
        *_suspects(rows),
        *_charts(rows, rule=rule, contrast=contrast),
        "<h2>Every subject</h2>",
        _table(
            ["subject", "scanner", "state", "contrast", *numbers, "intensity map"],
            (_cells(row, numbers, rule=rule, contrast=contrast) for row in rows),
        ),
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(cohort)}: quality</title><style>{_STYLE}</style>'
    page = f'<!doctype html>\n<html lang="en">{head}\n' + "\n".join(parts) + "\n</html>\n"
    write_text(path, page)


def _tiles(counts: Counts) -> str:
    """The numbers to see first; those that ask for a look are coloured."""
    tiles: list[tuple[str, int | str, str]] = [
        ("", counts.done, f"of {counts.subjects} subjects done"),
        ("bad", counts.failed, "failed"),
        ("bad", counts.flagged, "flagged"),
        ("mild", counts.warned, "with a warning"),
    ]
    if counts.lesions:
        change = f"{counts.lesion_ml:.1f} → {counts.lesion_downsampled_ml:.1f} ml"
        tiles += [
            ("bad", counts.vanished, f"of {counts.lesions} lesions vanished when downsampled"),
            ("", change, "all lesions, before → after downsampling"),
        ]
    return (
        '<div class="tiles">'
        + "".join(
            f'<div><b class="{kind if number else ""}">{number}</b><span>{text}</span></div>'
            for kind, number, text in tiles
        )
        + "</div>"
    )


def _rule_in_words(rows: Iterable[Mapping[str, Any]], *, rule: FlagRule) -> str:
    """When a brain is flagged, with this cohort's own numbers."""
    spread = brain_spread(float(row["brain_ml"]) for row in rows if row["status"] == "done")
    lowest_ml, highest_ml = rule.outside_ml
    words = f"A brain is flagged below {lowest_ml:g} ml or above {highest_ml:g} ml"
    if spread.deviation_ml > 0:
        words += (
            f", or further than {rule.beyond_deviations:g} robust standard deviations from the median of "
            f"its cohort (here {spread.median_ml:.0f} ml; 1.4826 × median absolute deviation is "
            f"{spread.deviation_ml:.0f} ml)."
        )
    else:
        words += (
            ". The distance from the median is not judged here: that takes 5 brains, of which fewer than "
            "half have the same volume."
        )
    return f"<p>{words} Flagged is not excluded: the study uses every subject that is done.</p>"


def _charts(rows: Sequence[Mapping[str, Any]], *, rule: FlagRule, contrast: Contrast) -> list[str]:
    """The quantile curves of each sequence against the healthy band, and how to read them."""
    sequences = dict.fromkeys(name for curves in contrast.curves.values() for name in curves)
    if not sequences:
        return []
    band = contrast.band
    words = (
        "A curve is the intensity of one brain at each percentile of its voxels. Grey: where the curves of "
        f"the {band.brains} healthy training brains lie ({band.sequence}; dashed: their median). The "
        "networks take a brain far outside for one large anomaly; more than "
        f"{rule.beyond_band:g} outside, it is flagged. A large lesion or another sequence can also move a "
        "curve outside."
    )
    parts = ["<h2>Contrast</h2>", f"<p>{words}</p>"]
    for name in sequences:
        drawn = [
            (curves[name], abs(band.distance(curves[name])[0]) > rule.beyond_band)
            for curves in contrast.curves.values()
        ]
        title = html.escape(f"{name}: {sum(odd for _, odd in drawn)} of {len(drawn)} outside the band")
        parts.append(f"<h3>{title}</h3>{chart(drawn, band, label=title)}")
    return parts


def _suspects(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whom to look at and why, and the lines that leave them out."""
    suspects = [row for row in rows if state_of(row) != "done"]
    if not suspects:
        return ["<p>All subjects passed: none failed, is flagged or has a warning.</p>"]
    parts = ["<h2>To look at</h2>", _table(["subject", "state", "what was found"], map(_finding, suspects))]
    lines = [str(row["exclude_line"]) for row in suspects if row["exclude_line"]]
    if lines:
        parts += [
            "<h2>To leave someone out</h2>",
            "<p>Look at the pictures first (quality.pdf beside this page). Then paste the line of whom you "
            "want to leave out into the table that <code>ingest.exclude</code> in config.yaml names, below "
            "its header:</p>",
            f"<pre>{html.escape(chr(10).join([EXCLUSION_HEADER, *lines]))}</pre>",
        ]
    return parts


def state_of(row: Mapping[str, Any]) -> str:
    """The most serious thing to say of a subject: failed, flagged, warning or done."""
    if row["status"] != "done":
        return "failed"
    return "flagged" if row["flag"] else "warning" if row["warning"] else "done"


def _finding(row: Mapping[str, Any]) -> list[str]:
    """A subject, its state and all that is to be said of it."""
    said = [str(row[name]) for name in ("reason", "flag", "warning") if row[name]]
    return [
        _cell(row["subject"], "text"),
        _cell(state_of(row), f"text {_STATE_CLASSES[state_of(row)]}"),
        _cell(" ".join(said), "text says"),
    ]


def _cells(
    row: Mapping[str, Any],
    numbers: Mapping[str, tuple[str, int | None]],
    *,
    rule: FlagRule,
    contrast: Contrast,
) -> list[str]:
    """A subject in numbers, with the picture of its quantile curves."""
    state = state_of(row)
    words = [_cell(row["subject"], "text"), _cell(row["scanner"], "text")]
    words.append(_cell(state, f"text {_STATE_CLASSES[state]}"))
    curves = contrast.curves.get(str(row["subject"]), {})
    picture = sparkline(curves, contrast.band, beyond_band=rule.beyond_band) if curves else ""
    words.append(f"<td>{picture}</td>")
    cells = [_cell(_printed(row[quantity], decimals)) for quantity, decimals in numbers.values()]
    return [*words, *cells, _cell(row["intensity_maps"], "text")]


def _printed(value: Any, decimals: int | None) -> str:
    """A number as read or as measured, rounded; what is missing stays empty."""
    if value == "" or decimals is None:
        return str(value)
    return f"{round(float(value), decimals) + 0.0:.{decimals}f}"  # no minus sign before a rounded 0


def _cell(text: object, kind: str = "") -> str:
    opening = f'<td class="{kind}">' if kind else "<td>"
    return f"{opening}{html.escape(str(text))}</td>"


def _table(titles: Sequence[str], rows: Iterable[list[str]]) -> str:
    """A table that scrolls sideways on a narrow screen; titles of words stand left like their cells."""
    words = ("subject", "scanner", "state", "what was found", "intensity map")
    head = "".join(f'<th class="text">{t}</th>' if t in words else f"<th>{t}</th>" for t in titles)
    body = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'
