"""Cohorts of phantoms directly on the networks' grid, without scan files and preprocessing.

For rehearsals of the study at full size: anatomy, lesions and scanners are those of the other phantoms.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from spatial_erasing.jobs.parallel import map_in_processes
from spatial_erasing_phantoms.anatomy import draw_deformation
from spatial_erasing_phantoms.fields import Grid
from spatial_erasing_phantoms.head import Head, render_head
from spatial_erasing_phantoms.layouts import layout
from spatial_erasing_phantoms.lesions import apply_lesion, lesion_labels, lesion_signal
from spatial_erasing_phantoms.person import LESION_GRID, POSE_SPREAD, draw_lesion, generator_of, scanner_of
from spatial_erasing_phantoms.scanner import Acquisition, Scanner, apply_acquisition, draw_acquisition
from spatial_erasing_phantoms.template import Template

logger = logging.getLogger(__name__)

PERCENTILES = (1, 99)  # become 0 and 1, as in preprocessing


@dataclass(frozen=True)
class SmallSettings:
    """Settings common to all subjects.

    Args:
        seed: of all random draws.
        scanners: number of simulated scanners.
        minimum_lesion_ml: smallest lesion drawn.
        padded_grid_mm: field of view about the brain, left-right, posterior-anterior, inferior-superior.
        grid_voxels: of the networks, on the same axes.
    """

    seed: int
    scanners: int
    minimum_lesion_ml: float
    padded_grid_mm: tuple[float, float, float]
    grid_voxels: tuple[int, ...]


def make_small_cohort(
    kind: str, *, subjects: int, settings: SmallSettings, template: Template, workers: int
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """The arrays of `volumes.npz`, with subjects as first axis, and a manifest row per subject.

    Args:
        kind: healthy, brats or atlas.
        subjects: number of subjects.
        settings: common to all.
        template: at a spacing of about 3 mm.
        workers: processes.
    """
    make = partial(make_small_subject, kind, settings=settings, template=template)
    rows: list[dict[str, Any]] = [{}] * subjects
    stacked: dict[str, np.ndarray] = {}
    for done, (index, arrays, row) in enumerate(map_in_processes(make, range(subjects), workers=workers), 1):
        for name, array in arrays.items():
            if name not in stacked:
                stacked[name] = np.empty((subjects, *array.shape), dtype=array.dtype)
            stacked[name][index] = array
        rows[index] = row
        if done % 100 == 0 or done == subjects:
            logger.info("%s: %d of %d subjects made", kind, done, subjects)
    return {"subject": np.array([row["subject"] for row in rows], dtype=str)} | stacked, rows


def make_small_subject(
    kind: str, index: int, *, settings: SmallSettings, template: Template
) -> tuple[int, dict[str, np.ndarray], dict[str, Any]]:
    """One subject: its scans in [0, 1] (float16, 0 outside the brain), brain, lesion and lesion slices.

    The same kind, index, seed and settings give the same arrays, independent of other subjects.
    """
    files = layout(kind, index)
    draw = partial(generator_of, settings.seed, kind, files.subject)
    scanner = scanner_of(kind, index, seed=settings.seed, scanners=settings.scanners)
    person = draw_deformation(draw("anatomy"), pose_spread=POSE_SPREAD[kind])
    coarse = render_head(template, person, None, LESION_GRID)
    grid = _grid_about(coarse, settings)
    head = render_head(template, person, None, grid)
    # the coarse head was rendered already
    lesion = draw_lesion(files, lambda *_, **__: coarse, draw("lesion"), settings.minimum_lesion_ml)
    mask = np.zeros(grid.shape, dtype=bool)
    if lesion is not None:
        head = apply_lesion(lesion, head)
        mask = lesion_labels(lesion, head, dict.fromkeys(lesion.parts, 1)) > 0
    brain = (head.brain >= 0.5).numpy()
    lesion_voxels = mask & brain
    arrays = {"brain": brain, "lesion": lesion_voxels, "lesion_slices": lesion_voxels.any(axis=(0, 1))}
    arrays["affine"] = grid.affine
    for sequence in files.scans:
        acquisition = _averaged(draw_acquisition(draw("acquisition", sequence), scanner), grid)
        acquisition.signal.update(head.signal)
        if lesion is not None:
            acquisition.signal.update(lesion_signal(lesion, sequence, acquisition.signal))
        arrays[sequence] = _standardised(apply_acquisition(acquisition, head, skull_stripped=True), brain)
    return index, arrays, _row(files.subject, scanner, arrays, grid)


def _grid_about(coarse: Head, settings: SmallSettings) -> Grid:
    """The networks' grid, centred on the brain's box as in preprocessing."""
    inside = coarse.grid.points()[:, coarse.brain >= 0.5]
    centre_mm = ((inside.amin(1) + inside.amax(1)) / 2).double().numpy()
    voxel_mm = np.divide(settings.padded_grid_mm, settings.grid_voxels)
    affine = np.diag([*voxel_mm, 1.0])
    affine[:3, 3] = centre_mm - voxel_mm * (np.array(settings.grid_voxels) - 1) / 2
    return Grid(tuple(settings.grid_voxels), affine)


def _averaged(acquisition: Acquisition, grid: Grid) -> Acquisition:
    """The acquisition with the noise reduced as by averaging voxels of 1 mm to those of the grid."""
    return replace(acquisition, noise=acquisition.noise / np.sqrt(1000 * grid.voxel_ml))


def _standardised(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Percentiles 1 to 99 of the brain to [0, 1], zero outside."""
    low, high = np.percentile(image[brain], PERCENTILES)
    return np.where(brain, np.clip((image - low) / (high - low), 0, 1), 0).astype(np.float16)


def _row(subject: str, scanner: Scanner, arrays: Mapping[str, np.ndarray], grid: Grid) -> dict[str, Any]:
    """The manifest row of a subject."""
    lesion_ml = float(arrays["lesion"].sum() * grid.voxel_ml)
    return {
        "subject": subject,
        "scanner": scanner.name,
        "status": "done",
        "brain_ml": round(float(arrays["brain"].sum() * grid.voxel_ml), 3),
        "lesion_ml": round(lesion_ml, 3),
        "lesion_downsampled_ml": round(lesion_ml, 3),
        "lesion_outside_brain_percent": 0.0,
    }
