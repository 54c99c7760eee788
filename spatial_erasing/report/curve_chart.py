"""Quantile curves as small pictures in a page: a cohort against the healthy band, and each subject."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from spatial_erasing.preprocess.curves import PERCENTILES, HealthyBand

WIDTH, HEIGHT = 420.0, 230.0
_LEFT, _BOTTOM, _TOP, _RIGHT = 44.0, 34.0, 10.0, 10.0
_SMALL = (72.0, 26.0)  # width and height in the table

STYLE = """
svg { vertical-align: middle } svg text { font-size: 12px; fill: var(--soft) }
.band { fill: var(--line); opacity: .55 } .middle, .curve { fill: none; stroke: var(--soft) }
.middle { stroke-dasharray: 4 3 } .curve { stroke-width: .8; opacity: .7 }
.curve.odd { stroke: var(--bad); stroke-width: 1.6; opacity: 1 } .axis { stroke: var(--line) }
"""


def chart(curves: Iterable[tuple[np.ndarray, bool]], band: HealthyBand, *, label: str) -> str:
    """The quantile curves of a cohort and the healthy band as SVG.

    Args:
        curves: each with whether it is flagged; flagged ones are drawn last.
        band: of the healthy training brains.
        label: what the picture shows, for readers who do not see it.
    """
    right, top = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    box = (_LEFT, _TOP, right, top)
    ticks = [
        *(_text(_x(percent, box), HEIGHT - 18, f"{percent}", "middle") for percent in (1, 25, 50, 75, 99)),
        *(_text(_LEFT - 6, _y(value, box) + 4, f"{value:g}", "end") for value in (0, 0.5, 1)),
        _text((_LEFT + right) / 2, HEIGHT - 3, "percentile of the brain's voxels", "middle"),
        f'<text x="12" y="{(top + _TOP) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 12 {(top + _TOP) / 2})">intensity</text>',
    ]
    lines = [_curve(curve, box, is_odd=odd) for curve, odd in sorted(curves, key=lambda pair: pair[1])]
    axes = f'<path class="axis" fill="none" d="M{_LEFT} {_TOP}V{top}H{right}"/>'
    return _svg((WIDTH, HEIGHT), [_band(band, box), _middle(band, box), *lines, axes, *ticks], label=label)


def sparkline(curves: Mapping[str, np.ndarray], band: HealthyBand, *, beyond_band: float) -> str:
    """The curves of one subject over the band, in the height of a line of text; those beyond it stand out."""
    box = (1.0, 1.0, _SMALL[0] - 1, _SMALL[1] - 1)
    lines = [
        _curve(curve, box, is_odd=abs(band.distance(curve)[0]) > beyond_band) for curve in curves.values()
    ]
    return _svg(_SMALL, [_band(band, box), *lines], label=f"quantile curve of {', '.join(curves)}")


def _x(percent: float, box: Sequence[float]) -> float:
    left, _, right, _ = box
    return left + (right - left) * (percent - PERCENTILES[0]) / (PERCENTILES[-1] - PERCENTILES[0])


def _y(value: float, box: Sequence[float]) -> float:
    _, top, _, bottom = box
    return bottom - (bottom - top) * value


def _points(values: Iterable[float], box: Sequence[float]) -> list[str]:
    pairs = zip(PERCENTILES, values, strict=True)
    return [f"{_x(percent, box):.1f},{_y(value, box):.1f}" for percent, value in pairs]


def _band(band: HealthyBand, box: Sequence[float]) -> str:
    outline = [*_points(band.lowest, box), *reversed(_points(band.highest, box))]
    return f'<polygon class="band" points="{" ".join(outline)}"/>'


def _middle(band: HealthyBand, box: Sequence[float]) -> str:
    return f'<polyline class="middle" points="{" ".join(_points(band.middle, box))}"/>'


def _curve(curve: Iterable[float], box: Sequence[float], *, is_odd: bool) -> str:
    kind = "curve odd" if is_odd else "curve"
    return f'<polyline class="{kind}" points="{" ".join(_points(curve, box))}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def _svg(size: tuple[float, float], parts: Iterable[str], *, label: str) -> str:
    width, height = size
    opening = f'<svg role="img" aria-label="{label}" width="{width:g}" height="{height:g}">'
    return opening + "".join(parts) + "</svg>"
