"""One head on one grid: the share of every tissue in every voxel, for all sources of anatomy."""

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.ndimage import find_objects
from torch import Tensor

from spatial_erasing_phantoms.anatomy import Deformation, fold_tissues, warp_points
from spatial_erasing_phantoms.fields import Grid
from spatial_erasing_phantoms.surroundings import Surroundings, apply_surroundings
from spatial_erasing_phantoms.template import BRAIN_TISSUES, Template

SURROUNDINGS_STEP_MM = 2.0


@dataclass(frozen=True)
class Head:
    """Tissue shares on a grid, the input of lesions, contrast and noise.

    Args:
        grid: the voxels of the scan.
        tissues: share of each tissue of the brain in [0, 1] by name, ventricles and sulci included.
        surroundings: share of each tissue outside the brain, by name; on any grid with the same corners,
            since soft tissue does not need full resolution. The remainder is air.
        brain: share of brain, the sum of its tissues.
        signal: mean of tissues relative to white matter, if specific to the person and not the scanner.
        relief: difference of structures from the mean of their tissue; removed inside a lesion.
        texture: added to the signal of every voxel, if the anatomy defines one.
    """

    grid: Grid
    tissues: dict[str, Tensor]
    surroundings: dict[str, Tensor]
    brain: Tensor
    signal: dict[str, float] = field(default_factory=dict)
    relief: Tensor | None = None
    texture: Tensor | None = None


def render_head(
    template: Template, deformation: Deformation, surroundings: Surroundings | None, grid: Grid
) -> Head:
    """The head of one person on a grid; only the brain if surroundings are None.

    All shapes are functions of world coordinates, so the head does not depend on the grid.
    """
    points = grid.thinned(4.0).points()
    template_mm = warp_points(deformation, points, template.ventricle_pull)
    # hull distances are in mm of the template, the shells around it in mm of the person
    scale = np.cbrt(1 / np.linalg.det(deformation.template_from_world))
    hull_mm = template.hull_mm.sample(template_mm) * float(scale)
    box = _box_of_brain(hull_mm, grid.shape)
    block = grid.block(box)
    warped = warp_points(deformation, block.thinned(4.0).points(), template.ventricle_pull)
    shares = torch.zeros(len(BRAIN_TISSUES), *grid.shape)
    shares[:, *box] = fold_tissues(deformation, template).sample(warped, block.shape)
    around = {}
    if surroundings is not None:
        thinned = grid.thinned(SURROUNDINGS_STEP_MM)
        around = apply_surroundings(surroundings, template_mm, hull_mm, thinned)
    return Head(grid, dict(zip(BRAIN_TISSUES, shares, strict=True)), around, shares.sum(0))


def _box_of_brain(hull_mm: Tensor, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The voxels of the full grid near the brain, found on a thinned grid."""
    near = (hull_mm[0] < 8).numpy().astype(np.int8)
    return tuple(
        slice(
            int(max(axis.start - 1, 0) * (full - 1) / (thin - 1)),
            min(int(np.ceil(axis.stop * (full - 1) / (thin - 1))) + 1, full),
        )
        for axis, thin, full in zip(find_objects(near)[0], near.shape, shape, strict=True)
    )
