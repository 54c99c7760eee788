"""The template of the phantoms: tissue fractions and distances in MNI space."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import binary_closing, distance_transform_edt, gaussian_filter, label
from torch import Tensor
from torch.nn import functional

from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing_phantoms.fields import Field, Grid, lattice

BRAIN_TISSUES = ("grey", "white", "csf")
HEAD_BOX_MM = ((-120.0, -150.0, -200.0), (120.0, 130.0, 130.0))
LATERAL_VENTRICLES_MM = ((-37.0, -60.0, -6.0), (37.0, 33.0, 30.0))
LATTICE_MM = 3.0


@dataclass(frozen=True)
class Template:
    """MNI152, symmetric 2009a (Fonov et al. 2011, NeuroImage 54(1)), from nilearn, cut to the brain.

    Args:
        tissues: shares of grey matter, white matter and CSF, which add up to the share of brain in the voxel.
        hull_mm: distance to the brain's smooth hull, negative inside.
        ventricle_pull: unit steps towards the lateral ventricles, largest at their walls, shape (3, i, j, k).
        cortex: 1 in regions of variable folding, 0 in deep nuclei, stem and white matter.
    """

    tissues: Field
    hull_mm: Field
    ventricle_pull: Field
    cortex: Field


def make_template(fractions: Tensor, grid: Grid, *, spacing_mm: float) -> Template:
    """The template with its tissue maps averaged to about this voxel size.

    Args:
        fractions: of grey matter, white matter and CSF at 1 mm, three channels.
        grid: of their voxels.
    """
    factor = max(1, round(spacing_mm))
    tissues = Field(*_average(fractions, grid, factor))
    coarse = Field(*_average(fractions, grid, 2))
    hull_mm = _hull_distance(coarse)
    return Template(tissues, hull_mm, _ventricle_pull(coarse), _cortex(coarse, hull_mm))


def save_template(template: Template, path: str | Path) -> None:
    """Write a template to one file, for machines without nilearn."""
    fields = {name: getattr(template, name) for name in Template.__dataclass_fields__}
    arrays = {f"{name}_values": field.values.numpy() for name, field in fields.items()}
    with replaced_when_complete(path) as unfinished:
        np.savez_compressed(
            unfinished, **arrays, **{f"{name}_affine": field.affine for name, field in fields.items()}
        )


def read_template(path: str | Path) -> Template:
    """The template that `save_template` wrote."""
    with np.load(path) as arrays:
        return Template(
            *(
                Field(torch.from_numpy(arrays[f"{name}_values"]), arrays[f"{name}_affine"])
                for name in Template.__dataclass_fields__
            )
        )


def _average(fractions: Tensor, grid: Grid, factor: int) -> tuple[Tensor, np.ndarray]:
    """Means over cubes of voxels and the affine of the cubes' centres."""
    affine = grid.affine @ np.diag([factor, factor, factor, 1.0])
    affine[:3, 3] += grid.affine[:3, :3] @ np.full(3, (factor - 1) / 2)
    return functional.avg_pool3d(fractions, factor), affine


def _on_head_lattice(field: Field, values: Tensor) -> Field:
    """Values on the field's lattice, sampled on a lattice of the whole head; zero outside."""
    head = lattice(*HEAD_BOX_MM, LATTICE_MM)
    return Field(Field(values, field.affine).sample(head.points()), head.affine)


def _hull_distance(field: Field) -> Field:
    """Signed distance to the closed and smoothed brain, which bridges fissures as the skull does."""
    brain = _on_head_lattice(field, field.values.sum(0, keepdim=True))
    # room for the closing at the border of the lattice
    hull = np.pad(brain.values[0].numpy() > 0.5, 8)
    hull = binary_closing(hull, iterations=4)[8:-8, 8:-8, 8:-8]
    distance_mm = LATTICE_MM * (distance_transform_edt(~hull) - distance_transform_edt(hull))
    distance_mm -= LATTICE_MM / 2 * np.sign(distance_mm)  # distance to the surface between lattice points
    return Field(torch.from_numpy(gaussian_filter(distance_mm, 1.0).astype(np.float32))[None], brain.affine)


def _ventricle_pull(field: Field) -> Field:
    """Gradient of the blurred lateral ventricles, scaled to at most 1."""
    csf = field.values[2].numpy() > 0.5
    points = Grid(csf.shape, field.affine).points()
    low, high = (torch.tensor(corner).view(3, 1, 1, 1) for corner in LATERAL_VENTRICLES_MM)
    components, _ = label(csf & ((points > low) & (points < high)).all(0).numpy())
    # the lateral ventricles; the third ventricle and cisterns are smaller
    largest = components == np.bincount(components.ravel())[1:].argmax() + 1
    density = torch.from_numpy(gaussian_filter(largest.astype(np.float32), 3.0))[None]
    blurred = _on_head_lattice(field, density)
    gradient = np.stack(np.gradient(blurred.values[0].numpy())).astype(np.float32)
    return Field(torch.from_numpy(gradient / np.linalg.norm(gradient, axis=0).max()), blurred.affine)


def _cortex(field: Field, hull_mm: Field) -> Field:
    """Proximity to CSF of sulci; ventricles are excluded, since they are more than 30 mm below the hull."""
    csf = _on_head_lattice(field, field.values[2:])
    sulci = csf.values[0].numpy() * (hull_mm.values[0].numpy() > -30)
    nearby = gaussian_filter(sulci, 1.3) / 0.08
    return Field(torch.from_numpy(nearby.clip(0, 1))[None], csf.affine)
