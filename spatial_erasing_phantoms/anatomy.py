"""Individual brains: random shape, ventricles, folds and cortical thickness, applied to the template."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spatial_erasing_phantoms.fields import Field, Grid, draw_noise, lattice, move, stretch
from spatial_erasing_phantoms.template import HEAD_BOX_MM, LATTICE_MM, Template

TEMPLATE_BRAIN_ML = 1887
TEMPLATE_CENTRE_MM = np.array([0.0, -18.0, 8.0])


@dataclass(frozen=True)
class Deformation:
    """The difference between one person's brain and the template.

    Args:
        template_from_world: pose, size and shear, world mm to template mm, shape (4, 4).
        displacement_mm: smooth displacement added in template space, three channels.
        ventricle_mm: outward displacement of the walls of the lateral ventricles.
        folds: logarithms of the factors on grey matter and on CSF, two channels.
    """

    template_from_world: np.ndarray
    displacement_mm: Field
    ventricle_mm: float
    folds: Field


def draw_deformation(generator: np.random.Generator, *, pose_spread: float = 1.0) -> Deformation:
    """One person's deformation.

    Brain volumes, CSF included, have mean 1,380 ml and standard deviation 120 ml, cut to 1,150 to 1,620 ml,
    before smooth displacements of some 3 mm: both sexes of UK Biobank (Ritchie et al. 2018, Cerebral Cortex
    28(8)) with their CSF. The walls of the ventricles move by -1 to 4 mm, mostly outwards, as they do with
    age. Factors on grey matter and on CSF, which differ by a quarter between people, make cortex and sulci
    thicker or thinner; their means undo the bias of a blurred average towards grey matter.

    Args:
        pose_spread: 1 for the pose in a scanner (2.5 degrees, 4 mm), less for registered heads.
    """
    box = lattice(*HEAD_BOX_MM, 8.0)
    # two length scales, so that brains differ in lobes and in gyri
    displacement = 2.7 * draw_noise(generator, 3, box.shape, sigma_nodes=4.0)
    displacement += 1.0 * draw_noise(generator, 3, box.shape, sigma_nodes=2.0)
    folding_box = lattice(*HEAD_BOX_MM, LATTICE_MM)
    folds = draw_noise(generator, 2, folding_box.shape, sigma_nodes=0.9)
    level = torch.from_numpy(generator.normal((-0.35, 0.2), (0.25, 0.3))).float().view(2, 1, 1, 1)
    return Deformation(
        template_from_world=_draw_affine(generator, pose_spread),
        displacement_mm=Field(displacement, box.affine),
        ventricle_mm=float(np.clip(generator.gamma(2.0, 1.0) - 1.0, -1.0, 4.0)),
        folds=Field(folds + level, folding_box.affine),
    )


def warp_points(deformation: Deformation, points_mm: Tensor, ventricle_pull: Field | None) -> Tensor:
    """Template coordinates of points in the person's head, in mm, shape (3, i, j, k)."""
    points_mm = move(deformation.template_from_world, points_mm)
    points_mm = points_mm + deformation.displacement_mm.sample(points_mm)
    if ventricle_pull is None:
        return points_mm
    return points_mm + deformation.ventricle_mm * ventricle_pull.sample(points_mm)


def fold_tissues(deformation: Deformation, template: Template) -> Field:
    """The template's tissue maps, sharpened and refolded for one person, still in template space.

    The average of 152 brains is blurred at variable folds. Its shares are squared and weighted with the
    person's smooth noise, which selects one tissue locally; the share of brain is unchanged.
    """
    tissues = template.tissues
    grid = Grid(tuple(tissues.values.shape[1:]), tissues.affine)
    folds = Field(deformation.folds.values * template.cortex.values, deformation.folds.affine)
    factors = stretch(folds.sample(grid.thinned(LATTICE_MM).points()), grid.shape).exp_()
    grey, white, csf = tissues.values.square()
    weights = torch.stack([grey * factors[0], white, csf * factors[1]])
    total = weights.sum(0).clamp_(min=1e-6)
    return Field(weights * (tissues.values.sum(0) / total), tissues.affine)


def _draw_affine(generator: np.random.Generator, pose_spread: float) -> np.ndarray:
    """World to template: size, shear and pose about the centre of the brain."""
    volume_ml = np.clip(generator.normal(1380, 120), 1150, 1620)
    scale = np.cbrt(volume_ml / TEMPLATE_BRAIN_ML) * np.exp(generator.normal(0, 0.02, 3))
    shear = np.eye(3) + np.triu(generator.normal(0, 0.02, (3, 3)), 1)
    pitch, roll, yaw = np.radians(generator.normal(0, 2.5, 3) * pose_spread)
    world_from_template = np.eye(4)
    world_from_template[:3, :3] = rotation(pitch, roll, yaw) @ shear @ np.diag(scale)
    centre_mm = TEMPLATE_CENTRE_MM + generator.normal(0, 4, 3) * pose_spread
    # size and pose change about the centre of the brain, not the origin of the world
    world_from_template[:3, 3] = centre_mm - world_from_template[:3, :3] @ TEMPLATE_CENTRE_MM
    return np.linalg.inv(world_from_template)


def rotation(pitch: float, roll: float, yaw: float) -> np.ndarray:
    """Rotation about the right, anterior and superior axes, in radians."""
    matrix = np.eye(3)
    for angle, (first, second) in ((pitch, (1, 2)), (roll, (2, 0)), (yaw, (0, 1))):
        turn = np.eye(3)
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix
