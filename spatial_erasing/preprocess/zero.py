"""Where the zero of a scan lies: z-scored and shifted scans get a background of 0 and a brain above it.

All later steps take 0 as "no signal". Magnitude images keep to that; z-scoring and offsets do not.
"""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.resample import resample_to_grid

# Interpolation rings around the brain: at most 0.23 % of the voxels of 55 real stripped scans are negative.
NEGATIVE_SHARE = 0.01
# What lies below this share of the 99th percentile is ringing, not signal.
RINGING_SHARE = 0.01
BACKGROUND_SHARE = 0.5  # of the voxels on the faces of a scan; 0.99 or more in real stripped scans
LOWEST_PERCENTILE = 0.1  # a single hot voxel is no zero


def stripped_above_zero(scan: Volume) -> Volume:
    """A stripped scan with a background of 0 and its brain above it; the scan itself if it is so already.

    A background of another value is subtracted, or set to 0 where it is a marker beside positive intensities.
    A brain with both signs around its background is shifted as a whole.
    """
    values = scan.intensities
    background, lowest = face_value(values) or 0.0, values.min()
    if (background == 0 and lowest >= 0) or lowest == values.max():
        return scan
    said = []
    if background < 0 or background > ringing_level(values):
        if background < 0 and _is_apart(background, values[values != background]):
            values = np.where(values == background, 0, values).astype(np.float32)
            said.append(f"its background of {background:.4g} was set to 0")
        else:
            values = values - np.float32(background)
            said.append(f"its background of {background:.4g} was subtracted")
    if (share := negative_share(values)) >= NEGATIVE_SHARE:
        values, zero = _shifted(values)
        said.append(
            f"{100 * share:.0f} % of the voxels with signal lie below the background, as after z-scoring: "
            f"inside the brain {zero:.4g} was taken as 0"
        )
    return _with_warning(scan, values, said)


def _is_apart(background: float, others: np.ndarray) -> bool:
    """Whether a negative background is a marker such as -1000 beside intensities that keep their zero."""
    return bool(-background > np.percentile(others, 99) and negative_share(others) < NEGATIVE_SHARE)


def head_above_zero(scan: Volume, grid: Grid, brain: np.ndarray) -> Volume:
    """A head with its zero moved below its brain; the scan itself where its zero cuts nothing off."""
    if scan.intensities.min() >= 0:
        return scan
    share = negative_share(resample_to_grid(scan, grid, interpolation="nearest")[brain])
    if share < NEGATIVE_SHARE:
        return scan
    background, lowest = face_value(scan.intensities), np.percentile(scan.intensities, LOWEST_PERCENTILE)
    if background is None or background <= lowest:  # air is the darkest of all
        zero = float(lowest)
        values = (scan.intensities - np.float32(zero)).clip(0)
    else:
        values, zero = _shifted(scan.intensities - np.float32(background))
        zero += background
    said = f"{100 * share:.0f} % of its brain's voxels are negative, as after z-scoring: {zero:.4g} was taken"
    return _with_warning(scan, values, [f"{said} as 0"])


def face_value(scan: np.ndarray) -> float | None:
    """The value that most voxels on the six faces of a scan share, or None."""
    faces = np.concatenate([scan.take(end, axis).ravel() for axis in range(3) for end in (0, -1)])
    middle = np.median(faces)
    return float(middle) if (faces == middle).mean() > BACKGROUND_SHARE else None


def ringing_level(scan: np.ndarray) -> float:
    """Below it lies ringing: 1 % of the 99th percentile of the positive values, 0 where there are none."""
    positive = scan[scan > 0]
    return RINGING_SHARE * float(np.percentile(positive, 99)) if positive.size else 0.0


def negative_share(values: np.ndarray) -> float:
    """How many of the voxels with signal are negative, from 0 to 1."""
    level = ringing_level(np.abs(values))
    return float((values < -level).sum() / max((np.abs(values) > level).sum(), 1))


def _shifted(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Values of both signs around a background of 0, moved above it as a whole, and what became 0.

    The darkest voxel comes to lie twice as high as ringing, so that it is not taken for background.
    """
    signal = ndimage.binary_fill_holes(np.abs(values) > ringing_level(np.abs(values)))
    low, high = np.percentile(values[signal], [LOWEST_PERCENTILE, 99])
    margin = 2 * RINGING_SHARE * (high - low) / (1 - 2 * RINGING_SHARE)
    zero = np.float32(low - margin)
    return np.where(signal, (values - zero).clip(margin), 0).astype(np.float32), float(zero)


def _with_warning(scan: Volume, values: np.ndarray, said: list[str]) -> Volume:
    if not said:
        return scan
    advice = "Look at the brain; better give the scan as it was measured."
    warnings = (*scan.warnings, f"{scan.path}: {', and '.join(said)}. {advice}")
    return replace(scan, intensities=values, warnings=warnings)
