"""Warnings about a scan that is unlike the training scans of a model, each with number and healthy range.

A warning with `stop` means that the map says nothing about this scan.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import ndimage

from spatial_erasing.apply.advice import for_the_command
from spatial_erasing.apply.one_scan import Found, Model
from spatial_erasing.preprocess.oddities import (
    MINIMUM_DEPTH_CORRELATION,
    MINIMUM_NEIGHBOUR_CORRELATION,
    depth_correlation,
    neighbour_correlation,
)
from spatial_erasing.preprocess.quality import brain_spread, quantile_curves
from spatial_erasing.preprocess.zero import ringing_level

T1_DEPTH = (0.1, 0.9)  # rank correlation of intensity and depth: 0.29 to 0.78 in 62 real T1 scans at 5 mm
HEAD_PERCENT = (20.0, 1000.0)  # signal outside the brain, of the brain's volume: 60 to 400 in real heads
RIM_MM = 6.0  # beyond a brain mask still brain, as skull strips differ
HIGHEST_MEDIAN = 2.0  # times the highest median residual of a healthy scan; very large tumours exceed it too
STOP_TIMES = 2.0  # beyond so many times its limit a contrast is another scan's
FIELD_OF_VIEW = ("The brain touches", "The brain ends in a plane")

Warnings = list[dict[str, Any]]


def warnings_of(found: Found, model: Model, *, was_stripped: bool) -> Warnings:
    """All warnings about a scan, first those that forbid the use of its map.

    Args:
        found: of the scan.
        model: the applied model.
        was_stripped: whether the user gave the scan as already stripped.

    Returns:
        Dictionaries with name, text, value, low, high (None where a sentence says all) and stop.
    """
    warnings = [
        *_sequence(model),
        *_tissue(found, model),
        *_contrast(found, model),
        *_residual(found, model),
        *_volume(found, model),
        *([] if was_stripped else _skull(found)),
        *_preparation(found),
    ]
    return sorted(warnings, key=lambda warning: not warning["stop"])


def _warning(
    name: str,
    text: str,
    value: float | None = None,
    within: tuple[float | None, float | None] = (None, None),
    *,
    stop: bool = False,
) -> dict[str, Any]:
    return {"name": name, "text": text, "value": value, "low": within[0], "high": within[1], "stop": stop}


def _sequence(model: Model) -> Iterator[dict[str, Any]]:
    """A sequence that the user has named and the networks were not trained on."""
    named, trained_on = model.settings.sequence, model.settings.trained_on
    if named != trained_on:
        text = (
            f"The scan was given as {named}; networks, threshold and healthy scans of this model are "
            f"{trained_on}. Percentiles and marked volumes also reflect the difference of the sequences."
        )
        yield _warning("sequence of the training", text)


def _tissue(found: Found, model: Model) -> Iterator[dict[str, Any]]:
    """Not a head, or a scan of another sequence."""
    scan, brain = found.on_grid["scan"].astype(np.float32), found.on_grid["brain"]
    alike = neighbour_correlation(scan, brain)
    if alike < MINIMUM_NEIGHBOUR_CORRELATION:
        text = f"Neighbouring voxels correlate with {alike:.2f}, as in noise: this is no scan of a brain."
        yield _warning("not a head", text, alike, (MINIMUM_NEIGHBOUR_CORRELATION, 1.0), stop=True)
        return
    deeper = depth_correlation(scan, brain, tuple(found.grids["network"].voxel_sizes_mm))
    if model.settings.sequence.startswith("t1") and deeper < T1_DEPTH[0]:
        text = (
            f"The brain is not brighter inside than at its rim (rank correlation of intensity and depth "
            f"{deeper:.2f}; a T1 has {T1_DEPTH[0]:g} or more): this may be a T2, a FLAIR or another "
            "sequence. Give the T1."
        )
        yield _warning("another sequence", text, deeper, T1_DEPTH, stop=deeper < MINIMUM_DEPTH_CORRELATION)


def _contrast(found: Found, model: Model) -> Iterator[dict[str, Any]]:
    """Intensities that are distributed unlike those of the training brains."""
    curve = quantile_curves(found.on_grid["scan"][None], found.on_grid["brain"][None])[0]
    distance, percentile = model.brains.band.distance(curve)
    limit = model.settings.flags.beyond_band
    if abs(distance) > limit:
        side = "above" if distance > 0 else "below"
        text = (
            f"The contrast is unlike that of the training brains: percentile {percentile} of the intensities "
            f"lies {abs(distance):.2f} {side} theirs, limit {limit:g}. The map may show the scanner."
        )
        stop = abs(distance) > STOP_TIMES * limit
        yield _warning("intensity curve", text, distance, (-limit, limit), stop=stop)


def _residual(found: Found, model: Model) -> Iterator[dict[str, Any]]:
    """A brain whose ordinary voxel is reconstructed worse than any healthy one's."""
    healthy = model.brains.median_residuals
    highest = HIGHEST_MEDIAN * float(healthy.max())
    if found.median_residual > highest:
        text = (
            f"The model reconstructs this whole brain badly: median residual {found.median_residual:.3g}, at "
            f"most {highest:.3g} expected from {len(healthy)} healthy scans. It may not know such scans, or "
            "the lesion is very large."
        )
        stop = found.median_residual > STOP_TIMES * highest
        yield _warning("residual", text, found.median_residual, (0.0, highest), stop=stop)


def _volume(found: Found, model: Model) -> Iterator[dict[str, Any]]:
    """A brain larger or smaller than those of the training."""
    volume_ml, (low, high) = found.prepared.measures["brain_ml"], healthy_volumes(model)
    if not low <= volume_ml <= high:
        size = "small" if volume_ml < low else "large"
        why = "a child's, an atrophied or a cut brain" if volume_ml < low else "skull within the brain mask"
        text = (
            f"A {size} brain of {volume_ml:.0f} ml; the healthy brains of the training make {low:.0f} to "
            f"{high:.0f} ml expected. It may be {why}. Look at the brain mask."
        )
        yield _warning("brain volume", text, volume_ml, (low, high))


def healthy_volumes(model: Model) -> tuple[float, float]:
    """Lowest and highest volume in ml that is not unusual: robust standard deviations around the median."""
    volumes, flags = model.brains.brain_ml, model.settings.flags
    spread = brain_spread(volumes)
    if np.isnan(spread.deviation_ml):
        return float(volumes.min()), float(volumes.max())
    reach_ml = flags.beyond_deviations * spread.deviation_ml
    return spread.median_ml - reach_ml, spread.median_ml + reach_ml


def _skull(found: Found) -> Iterator[dict[str, Any]]:
    """A scan that was said to be a head, and has nothing around its brain."""
    percent = signal_outside_percent(found)
    low, high = HEAD_PERCENT
    if percent < low:
        text = (
            f"Hardly anything surrounds the brain ({percent:.0f} % of its volume, a head has {low:.0f} % or "
            "more): the skull may be gone already. Then say --stripped."
        )
        yield _warning("already stripped", text, percent, (low, high))


def signal_outside_percent(found: Found) -> float:
    """Volume of the voxels with signal outside the brain, in percent of the brain's."""
    brain = found.brain_on_scan
    step = tuple(max(1, round(4 / size)) for size in found.scan.grid.voxel_sizes_mm)
    coarse = tuple(slice(None, None, size) for size in step)
    signal, brain = found.scan.intensities[coarse], brain[coarse]
    rim = max(1, round(RIM_MM / 4))
    near = ndimage.binary_dilation(brain, iterations=rim)
    level = 10 * ringing_level(signal)  # noise in the air is no tissue
    return 100 * float(((signal > level) & ~near).sum() / max(brain.sum(), 1))


def _preparation(found: Found) -> Iterator[dict[str, Any]]:
    """Sentences of the preparation: a cut field of view, parts of the mask, empty slices, a doubtful map."""
    for text in found.doubts:
        is_cut = text.startswith(FIELD_OF_VIEW)
        yield _warning("field of view" if is_cut else "preparation", for_the_command(text))
