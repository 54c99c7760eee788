"""A subject's scans to a standardised brain, in the paper's order: resample, strip, denoise, standardise."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spatial_erasing.preprocess.downsample import bounding_box
from spatial_erasing.preprocess.intensity import curvature_flow, intensity_range, rescale_to_percentiles
from spatial_erasing.preprocess.resample import Grid, isotropic_grid, require_same_grid, resample_to_grid
from spatial_erasing.preprocess.strip import brain_of_stripped_scan, require_plausible_brain, strip_skull
from spatial_erasing.volumes import Volume


@dataclass(frozen=True)
class BrainSettings:
    """How a brain is prepared; the `preprocess` section of config.yaml explains each value."""

    spacing_mm: float
    denoise_time_step: float
    denoise_iterations: int
    lower_percentile: float
    upper_percentile: float
    brain_range_ml: tuple[float, float]


@dataclass(frozen=True)
class PreparedBrain:
    """A brain cut out of its head, before padding and downsampling.

    Args:
        sequences: name ("t1", "t1ce") to intensities in [0, 1], background 0, float32.
        brain: bool mask of the same shape.
        lesion: bool mask of the same shape; may reach beyond the brain.
        grid: where the voxels lie in the world.
        measures: what the manifest says of this subject.
    """

    sequences: dict[str, np.ndarray]
    brain: np.ndarray
    lesion: np.ndarray
    grid: Grid
    measures: dict[str, float]


def prepare_brain(
    scans: dict[str, Volume],
    *,
    lesions: list[Volume],
    brain_mask: Volume | None,
    skull_strip: str,
    settings: BrainSettings,
) -> PreparedBrain:
    """Resample, strip, denoise and standardise the scans of a subject (Bengs et al. 2021, section 2.1).

    All sequences share the brain mask and the box that the T1 defines; each has percentiles of its own.
    Only the box is denoised: beyond the brain there is nothing but zeros, so the result is the same.

    Raises:
        ValueError: a scan, mask or lesion that cannot be used, with what was found and what to do.
    """
    for other in [scan for name, scan in scans.items() if name != "t1"] + lesions:
        require_same_grid(scans["t1"], other)
    grid = isotropic_grid(scans["t1"], spacing_mm=settings.spacing_mm)
    head = resample_to_grid(scans["t1"], grid, interpolation="cubic")
    brain = find_brain(scans["t1"], head, grid, brain_mask=brain_mask, skull_strip=skull_strip)
    voxel_ml = settings.spacing_mm**3 / 1000
    with _about(scans["t1"].path):
        require_plausible_brain(brain, voxel_ml=voxel_ml, range_ml=settings.brain_range_ml)
    lesion = unite_lesions(lesions, grid, brain=brain)

    start, stop = bounding_box(brain | lesion)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    box_grid, box_brain = grid.cropped(start, stop), brain[box]
    sequences, percentiles = {}, {}
    for name, scan in scans.items():
        intensities = head[box] if name == "t1" else resample_to_grid(scan, box_grid, interpolation="cubic")
        with _about(scan.path):
            sequences[name], percentiles[name] = standardise(intensities, box_brain, settings=settings)
    measures = measure_brain(box_brain, lesion[box], voxel_ml=voxel_ml) | percentiles.get("t1", {})
    return PreparedBrain(sequences, box_brain, lesion[box], box_grid, measures)


def find_brain(
    scan: Volume, head: np.ndarray, grid: Grid, *, brain_mask: Volume | None, skull_strip: str
) -> np.ndarray:
    """Brain mask on `grid`, bool, by the method that the scan asks for.

    Args:
        scan: as read; a stripped scan's mask is taken here, before a spline can ring around it.
        head: the scan on `grid`.
        brain_mask: the user's own, for "given".
        skull_strip: "deepbet", "given" or "none".
    """
    if skull_strip == "given":
        if brain_mask is None:
            raise ValueError(
                f"{scan.path}: skull_strip is given, but no brain_mask stands in its row. Add its path to "
                f"the cohort's table, or set skull_strip: deepbet."
            )
        require_same_grid(scan, brain_mask)
        return resample_to_grid(brain_mask, grid, interpolation="nearest") > 0.5
    with _about(scan.path):
        if skull_strip == "none":
            mask = Volume(brain_of_stripped_scan(scan.intensities).astype(np.float32), scan.affine, scan.path)
            return resample_to_grid(mask, grid, interpolation="nearest") > 0.5
        return strip_skull(head, affine=grid.affine)


@contextmanager
def _about(path: Path | None) -> Iterator[None]:
    """Findings in an array name the file that it came from."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def unite_lesions(lesions: list[Volume], grid: Grid, *, brain: np.ndarray) -> np.ndarray:
    """The union of a subject's lesion files on `grid`, bool; every label of 1 or more counts.

    Raises:
        ValueError: no labelled voxel, or none inside the brain.
    """
    united = np.zeros(grid.shape, dtype=bool)
    for lesion in lesions:
        labelled = Volume((lesion.intensities > 0.5).astype(np.float32), lesion.affine, lesion.path)
        united |= resample_to_grid(labelled, grid, interpolation="nearest") > 0.5
    if lesions and not (united & brain).any():
        found = "lies wholly outside the brain" if united.any() else "holds no labelled voxel"
        raise ValueError(
            f"{lesions[0].path}: the lesion {found}. Compare it with its scan in a viewer (a wrong affine or "
            f"a failed skull strip are the usual causes), or leave out this subject."
        )
    return united


def standardise(
    intensities: np.ndarray, brain: np.ndarray, *, settings: BrainSettings
) -> tuple[np.ndarray, dict[str, float]]:
    """Masked, denoised and scaled intensities in [0, 1], and the two percentiles that scaled them."""
    percentiles = {
        "lower_percentile": settings.lower_percentile,
        "upper_percentile": settings.upper_percentile,
    }
    masked = np.where(brain, np.clip(intensities, 0, None), 0).astype(np.float32)
    # denoising rounds off the rim even of a constant scan, which would then seem to have a range
    intensity_range(masked, brain, **percentiles)
    if settings.denoise_iterations:
        # each iteration looks one voxel further; zeros around the box stand for the empty background
        margin = settings.denoise_iterations + 1
        padded = np.pad(masked, margin)
        flowed = curvature_flow(
            padded, time_step=settings.denoise_time_step, iterations=settings.denoise_iterations
        )
        masked = flowed[(slice(margin, -margin),) * 3]
    low, high = intensity_range(masked, brain, **percentiles)
    scaled = rescale_to_percentiles(masked, brain, **percentiles)
    return scaled, {"lower_intensity": low, "upper_intensity": high}


def measure_brain(brain: np.ndarray, lesion: np.ndarray, *, voxel_ml: float) -> dict[str, float]:
    """Volumes and box of a brain, for the manifest: ml, percent, and voxels of the isotropic grid."""
    start, stop = bounding_box(brain)
    outside = lesion & ~brain
    return {
        "brain_ml": float(brain.sum() * voxel_ml),
        "lesion_ml": float(lesion.sum() * voxel_ml),
        "lesion_outside_brain_percent": float(100 * outside.sum() / max(lesion.sum(), 1)),
        **{f"box_{axis}_voxels": b - a for axis, a, b in zip("xyz", start, stop, strict=True)},
    }
