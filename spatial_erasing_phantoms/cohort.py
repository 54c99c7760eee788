"""Cohorts of phantoms: one subject at a time, each from its own random numbers."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from spatial_erasing.cohorts import write_rows
from spatial_erasing.images.volumes import write_volume
from spatial_erasing_phantoms.anatomy import Deformation, draw_deformation
from spatial_erasing_phantoms.fields import Grid
from spatial_erasing_phantoms.head import Head, render_head
from spatial_erasing_phantoms.label_maps import LabelMap, draw_contrast, load_label_map, render_label_head
from spatial_erasing_phantoms.layouts import Layout, atlas_grid, brats_grid, layout, subject_name
from spatial_erasing_phantoms.lesions import Lesion, apply_lesion, lesion_labels, lesion_signal
from spatial_erasing_phantoms.mni152 import load_template
from spatial_erasing_phantoms.person import POSE_SPREAD, draw_lesion, generator_of, scanner_of
from spatial_erasing_phantoms.scanner import (
    Scanner,
    apply_acquisition,
    draw_acquisition,
    draw_grid,
)
from spatial_erasing_phantoms.surroundings import draw_surroundings
from spatial_erasing_phantoms.tumours import LABELS

__all__ = ["PhantomSettings", "finish_cohort", "make_subject", "subject_name"]


@dataclass(frozen=True)
class PhantomSettings:
    """Settings common to all phantoms of a run.

    Args:
        spacing_mm: 1 for the voxels of the real data sets; 2 for heads with an eighth of the voxels.
        scanners: number of simulated scanners in the healthy and the BraTS-like cohort; an ATLAS-like cohort
            always has the three sites R001 to R003.
        label_maps: folder of label maps for the heads; None for the template.
        minimum_lesion_ml: smallest lesion drawn; the rest of the distribution keeps its shape. ATLAS has
            lesions of 0.01 ml, which a coarse grid cannot show: a demo with a larger minimum is easier than
            the real data.
    """

    spacing_mm: float = 1.0
    scanners: int = 4
    minimum_lesion_ml: float = 0.1
    label_maps: str | None = None

    def __post_init__(self) -> None:
        if not 0.5 <= self.spacing_mm <= 4:
            raise ValueError(
                f"phantom spacing_mm is {self.spacing_mm}; expected 0.5 to 4. "
                "Write 1 for the voxels of the real data sets or 2 for a quick demo."
            )
        if self.scanners < 1:
            raise ValueError(f"phantom scanners is {self.scanners}; expected at least 1. Write 4.")
        smallest_ml = 8 * self.spacing_mm**3 / 1000
        if not smallest_ml <= self.minimum_lesion_ml <= 50:
            raise ValueError(
                f"phantom minimum_lesion_ml is {self.minimum_lesion_ml}; expected {smallest_ml:.3g}, "
                f"which is 8 voxels at spacing_mm {self.spacing_mm}, to 50. "
                f"Write {max(0.1, smallest_ml):.3g}."
            )


def make_subject(kind: str, folder: str | Path, index: int, *, seed: int, settings: PhantomSettings) -> dict:
    """Write one subject's scans, lesion and exact masks, and return its row of the truth table.

    The same kind, index, seed and settings give the same bytes, independent of other subjects.

    Args:
        kind: healthy, brats or atlas.
        folder: of the cohort; the paths in the row are relative to it.
        index: number of the subject, from 0.
    """
    files = layout(kind, index)
    # one generator per purpose, so that a changed step leaves the other draws as they are
    draw = partial(generator_of, seed, kind, files.subject)
    scanner = scanner_of(kind, index, seed=seed, scanners=settings.scanners)
    grid, affine = _grid(kind, scanner, draw("grid"), settings.spacing_mm)
    deformation = draw_deformation(draw("anatomy"), pose_spread=POSE_SPREAD[kind])
    label_map = None if settings.label_maps is None else load_label_map(settings.label_maps, index)
    if label_map is None:
        render = partial(_template_head, deformation, draw)
    else:
        render = partial(_label_head, label_map, deformation, draw)
    head = render(grid, spacing_mm=settings.spacing_mm, is_whole=not files.skull_stripped)
    lesion = draw_lesion(files, render, draw("lesion"), settings.minimum_lesion_ml)
    if lesion is not None:
        head = apply_lesion(lesion, head)
    masks = _masks(files, head, lesion)
    for path, image in (_scans(files, scanner, head, lesion, draw) | masks).items():
        # in NIfTI's order (first axis fastest) nibabel writes twice as fast
        write_volume(Path(folder) / path, np.asfortranarray(image), affine)
    lesion_voxels = masks[files.truth_lesion].sum() if files.truth_lesion else 0
    return {
        "subject": files.subject,
        "scanner": scanner.name,
        "label_map": label_map.path.name if label_map else "",
        "brain_ml": round(float(masks[files.truth_brain].sum() * grid.voxel_ml), 3),
        "lesion_ml": round(float(lesion_voxels * grid.voxel_ml), 3),
    } | _paths(files)


def finish_cohort(kind: str, folder: str | Path, rows: list[dict]) -> None:
    """Write the truth table of all subjects and, for a healthy cohort, the table for its reader."""
    folder = Path(folder)
    write_rows(folder / "truth" / "truth.csv", rows, columns=rows[0])
    if kind == "healthy":
        write_rows(folder / "participants.csv", rows, columns=("subject", "scanner", "t1"))


def _grid(
    kind: str, scanner: Scanner, generator: np.random.Generator, spacing_mm: float
) -> tuple[Grid, np.ndarray]:
    """The voxel grid of the scan, and the affine to store."""
    if kind == "brats":
        return brats_grid(spacing_mm)
    grid = atlas_grid(spacing_mm) if kind == "atlas" else draw_grid(generator, scanner, spacing_mm)
    return grid, grid.affine


def _template_head(
    deformation: Deformation, draw: partial, grid: Grid, *, spacing_mm: float, is_whole: bool
) -> Head:
    """A head deformed from the template; only the brain unless `is_whole`."""
    surroundings = draw_surroundings(draw("surroundings")) if is_whole else None
    return render_head(load_template(spacing_mm), deformation, surroundings, grid)


def _label_head(
    label_map: LabelMap,
    deformation: Deformation,
    draw: partial,
    grid: Grid,
    *,
    spacing_mm: float,
    is_whole: bool,
) -> Head:
    """A head from a label map, whose resolution does not depend on the spacing."""
    contrast = draw_contrast(draw("contrast"), label_map)
    seed = int(draw("texture").integers(2**62))
    head = render_label_head(label_map, deformation, grid, contrast=contrast, noise_seed=seed)
    return head if is_whole else replace(head, surroundings={})


def _scans(
    files: Layout, scanner: Scanner, head: Head, lesion: Lesion | None, draw: partial
) -> dict[str, np.ndarray]:
    """Image by path, one for each sequence."""
    scans = {}
    for sequence, path in files.scans.items():
        acquisition = draw_acquisition(draw("acquisition", sequence), scanner)
        acquisition.signal.update(head.signal)
        if lesion is not None:
            acquisition.signal.update(lesion_signal(lesion, sequence, acquisition.signal))
        scans[path] = apply_acquisition(acquisition, head, skull_stripped=files.skull_stripped)
    return scans


def _masks(files: Layout, head: Head, lesion: Lesion | None) -> dict[str, np.ndarray]:
    """Exact masks by path: voxels filled by at least half, on the grid of the scan."""
    masks = {files.truth_brain: (head.brain >= 0.5).numpy()}
    if lesion is not None and files.lesion and files.truth_lesion:
        masks[files.lesion] = lesion_labels(
            lesion, head, LABELS if files.grade else dict.fromkeys(lesion.parts, 1)
        )
        masks[files.truth_lesion] = masks[files.lesion] > 0
    return masks


def _paths(files: Layout) -> dict[str, str]:
    """The subject's files as columns of the truth table; empty text for missing files."""
    return {
        "t1": files.scans["t1"],
        "t1ce": files.scans.get("t1ce", ""),
        "lesion": files.lesion or "",
        "truth_brain": files.truth_brain,
        "truth_lesion": files.truth_lesion or "",
    }
