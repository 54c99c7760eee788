"""What lies around a brain: meninges, skull, scalp, face and neck, as smooth surfaces in template space."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spatial_erasing_phantoms.fields import Field, Grid, draw_noise, lattice, ramp, stretch
from spatial_erasing_phantoms.template import HEAD_BOX_MM

SOFT_TISSUES = ("meninges", "bone", "marrow", "fat", "muscle")
# centre and radii in mm of MNI space, symmetric in x: air in nose, sphenoid, maxilla and mastoid
AIR_MM = (
    ((0, 52, -58), (13, 28, 20)),
    ((0, 16, -36), (10, 9, 7)),
    ((25, 46, -64), (12, 14, 14)),
    ((50, -30, -44), (9, 9, 13)),
)
EYE_MM = ((32, 58, -40), (12.5, 12.5, 12.5))
FACE_MM = ((0, 22, -85), (62, 68, 80))
AIRWAY_MM = ((0, 8, -75), (0, -8, -200), 9)
NECK_MM = ((0, -30, -60), (0, -45, -220), 58)
CANAL_MM = ((0, -52, -70), (0, -62, -220), 9)
CORD_MM = ((0, -48, -64), (0, -62, -220), 6)


@dataclass(frozen=True)
class Surroundings:
    """Thickness of one person's shells and the texture of face and neck.

    Args:
        shells_mm: mean thickness of meninges with outer CSF, of skull and of scalp.
        variation: smooth noise of standard deviation 1 that varies these thicknesses, three channels.
        texture: smooth noise of standard deviation 1 that mixes fat, muscle and bone, two channels.
    """

    shells_mm: tuple[float, float, float]
    variation: Field
    texture: Field


def draw_surroundings(generator: np.random.Generator) -> Surroundings:
    """One person's shells: gap 2 to 3.5 mm, skull 4.5 to 7 mm, scalp 5 to 9 mm.

    Frontal, parietal and occipital bones measure 5.4 to 8.2 mm on CT and temporal ones less (Li et al. 2007,
    Int. J. Vehicle Safety 2(4)). Gap and scalp are estimated from public T1 scans, whose median signal is
    dark for 2 to 4 mm and falls to air some 15 mm outside the brain.
    """
    box = lattice(*HEAD_BOX_MM, 8.0)
    fine = lattice(*HEAD_BOX_MM, 4.0)
    return Surroundings(
        shells_mm=tuple(generator.uniform((2.0, 4.5, 5.0), (3.5, 7.0, 9.0)).tolist()),
        variation=Field(draw_noise(generator, 3, box.shape, sigma_nodes=3.0), box.affine),
        texture=Field(draw_noise(generator, 2, fine.shape, sigma_nodes=1.2), fine.affine),
    )


def apply_surroundings(
    surroundings: Surroundings, template_mm: Tensor, hull_mm: Tensor, grid: Grid
) -> dict[str, Tensor]:
    """Shares of the tissues around a brain, by name; the remainder of a voxel is brain or air.

    Args:
        template_mm: template coordinates of the points of a coarser grid with the same corners, shape
            (3, i, j, k).
        hull_mm: distance from the brain's hull at these points, in mm of the person, shape (1, i, j, k).
        grid: of the shares; surfaces are soft over one voxel.
    """
    smooth = torch.cat(
        [*_surfaces(surroundings, template_mm, hull_mm), *_fillings(surroundings, template_mm)]
    )
    beyond_meninges, beyond_skull, beyond_skin, fatness, void = stretch(smooth, grid.shape)
    voxel_mm = float(grid.voxel_sizes_mm.mean())
    in_skull, in_bone, in_skin = (
        ramp(-distance_mm, voxel_mm) for distance_mm in (beyond_meninges, beyond_skull, beyond_skin)
    )
    # subcutaneous fat, from 1 to some 5 mm deep
    under_skin = ((-1 - beyond_skin) / 2).clamp_(0, 1) * ((6 + beyond_skin) / 3).clamp_(0, 1)
    fatness = torch.maximum(fatness, under_skin)
    soft = (in_skin - in_bone).clamp_(min=0) * (1 - void)
    bone = in_bone - in_skull
    middle = 1.2 - 2 * (beyond_meninges / (beyond_meninges - beyond_skull).clamp(min=1) - 0.5).abs()
    marrow = bone * (middle * (0.4 + fatness)).clamp_(0, 1)
    shares = (in_skull, bone - marrow, marrow, soft * fatness, soft * (1 - fatness))
    return dict(zip(SOFT_TISSUES, shares, strict=True))


def _surfaces(surroundings: Surroundings, template_mm: Tensor, hull_mm: Tensor) -> list[Tensor]:
    """Distances beyond meninges, skull and skin in mm, each of shape (1, i, j, k)."""
    variation = surroundings.variation.sample(template_mm)
    gap, skull, scalp = (
        mean * torch.exp(0.2 * noise)[None]
        for mean, noise in zip(surroundings.shells_mm, variation, strict=True)
    )
    beyond_meninges = hull_mm - gap
    beyond_skull = beyond_meninges - skull
    head = [beyond_skull - scalp, _ellipsoid(template_mm, *FACE_MM), _capsule(template_mm, *NECK_MM)]
    return [beyond_meninges, beyond_skull, _smooth_minimum(head, 8.0)]


def _fillings(surroundings: Surroundings, template_mm: Tensor) -> tuple[Tensor, Tensor]:
    """Share of fat in the soft tissue, and share of air or bone in it, each of shape (1, i, j, k)."""
    texture = surroundings.texture.sample(template_mm)
    folded = torch.cat([template_mm[:1].abs(), template_mm[1:]])  # one shape for left and right
    cord, canal = _capsule(template_mm, *CORD_MM), _capsule(template_mm, *CANAL_MM)
    eyes = _ellipsoid(folded, *EYE_MM)
    air = [_ellipsoid(folded, *shape) for shape in AIR_MM] + [_capsule(template_mm, *AIRWAY_MM)]
    bones = 0.8 * torch.sigmoid(3 * texture[1:] - 3.5)
    void = torch.maximum(ramp(-torch.stack(air).amin(0) + 2 * texture[:1], 4.0), bones)
    void = torch.maximum(void * ramp(eyes - 6, 4.0), 0.7 * ramp(-canal, 2.0))
    void = torch.maximum(void * ramp(cord, 2.0), 0.55 * ramp(-eyes, 3.0))
    fatness = torch.maximum(torch.sigmoid(2.5 * texture[:1] - 1.2), 0.8 * ramp(6 - eyes, 4.0))
    return torch.maximum(fatness * ramp(eyes, 3.0), 0.7 * ramp(-cord, 2.0)), void


def _ellipsoid(points_mm: Tensor, centre_mm: tuple, radii_mm: tuple) -> Tensor:
    """Approximate distance to an ellipsoid, negative inside, shape (1, i, j, k)."""
    centre, radii = (torch.tensor(values).float().view(3, 1, 1, 1) for values in (centre_mm, radii_mm))
    return ((((points_mm - centre) / radii).square().sum(0).sqrt() - 1) * min(radii_mm))[None]


def _capsule(points_mm: Tensor, start_mm: tuple, end_mm: tuple, radius_mm: float) -> Tensor:
    """Distance to a rod with round ends, negative inside, shape (1, i, j, k)."""
    start, end = (torch.tensor(values).float().view(3, 1, 1, 1) for values in (start_mm, end_mm))
    along = (((points_mm - start) * (end - start)).sum(0) / (end - start).square().sum()).clamp(0, 1)
    return ((points_mm - start - along * (end - start)).square().sum(0).sqrt() - radius_mm)[None]


def _smooth_minimum(distances_mm: list[Tensor], blend_mm: float) -> Tensor:
    """The union of bodies with creases rounded over this length."""
    return -blend_mm * torch.logsumexp(-torch.stack(distances_mm) / blend_mm, dim=0)
