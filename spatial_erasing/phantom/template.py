"""The average head that phantoms are deformed from: tissue fractions and distances in MNI space."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template
from scipy.ndimage import binary_closing, distance_transform_edt, find_objects, gaussian_filter, label
from torch import Tensor
from torch.nn import functional

from spatial_erasing.phantom.fields import Field, Grid, lattice

BRAIN_TISSUES = ("grey", "white", "csf")
HEAD_BOX_MM = ((-120.0, -150.0, -200.0), (120.0, 130.0, 130.0))
LATERAL_VENTRICLES_MM = ((-37.0, -60.0, -6.0), (37.0, 33.0, 30.0))
LATTICE_MM = 3.0


@dataclass(frozen=True)
class Template:
    """MNI152, symmetric 2009a (Fonov et al. 2011, NeuroImage 54(1)), as nilearn ships it, cut to the brain.

    Args:
        tissues: shares of grey matter, white matter and CSF, which add up to the share of brain in the voxel.
        hull_mm: distance to the brain's smooth hull, negative inside.
        ventricle_pull: unit steps towards the lateral ventricles, largest at their walls, shape (3, i, j, k).
        cortex: 1 where folds vary between people, 0 in deep nuclei, stem and white matter.
    """

    tissues: Field
    hull_mm: Field
    ventricle_pull: Field
    cortex: Field


@lru_cache(maxsize=4)
def load_template(spacing_mm: float = 1.0) -> Template:
    """The template with its tissue maps averaged to about this voxel size; 1 mm is the finest there is."""
    fractions, grid = _tissue_fractions()
    factor = max(1, round(spacing_mm))
    tissues = Field(*_average(fractions, grid, factor))
    coarse = Field(*_average(fractions, grid, 2))
    hull_mm = _hull_distance(coarse)
    return Template(tissues, hull_mm, _ventricle_pull(coarse), _cortex(coarse, hull_mm))


def _tissue_fractions() -> tuple[Tensor, Grid]:
    """Grey, white and CSF at 1 mm in the template's brain, cut to its box with 8 mm of nothing around."""
    image = load_mni152_template(resolution=1)
    brain = np.asarray(image.dataobj) > 0
    box = find_objects(brain.astype(np.int8))[0]
    grey, white = (
        np.asarray(load(resolution=1).dataobj, dtype=np.float32)[box] * brain[box]
        for load in (load_mni152_gm_template, load_mni152_wm_template)
    )
    fractions = torch.from_numpy(np.stack([grey, white, brain[box] - grey - white])).clamp_(0, 1)
    grid = Grid(image.shape, np.asarray(image.affine, dtype=np.float64)).block(box)
    # the stem ends at the border of the template: without empty voxels around, sampling would go on with it
    margin = np.eye(4)
    margin[:3, 3] = -8
    fractions = functional.pad(fractions, (8, 8) * 3)
    return fractions, Grid(tuple(fractions.shape[1:]), grid.affine @ margin)


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
    hull = np.pad(brain.values[0].numpy() > 0.5, 8)
    hull = binary_closing(hull, iterations=4)[8:-8, 8:-8, 8:-8]
    distance_mm = LATTICE_MM * (distance_transform_edt(~hull) - distance_transform_edt(hull))
    distance_mm -= LATTICE_MM / 2 * np.sign(distance_mm)  # from lattice points to the surface between them
    return Field(torch.from_numpy(gaussian_filter(distance_mm, 1.0).astype(np.float32))[None], brain.affine)


def _ventricle_pull(field: Field) -> Field:
    """Gradient of the blurred lateral ventricles, scaled to at most 1."""
    csf = field.values[2].numpy() > 0.5
    points = Grid(csf.shape, field.affine).points()
    low, high = (torch.tensor(corner).view(3, 1, 1, 1) for corner in LATERAL_VENTRICLES_MM)
    components, _ = label(csf & ((points > low) & (points < high)).all(0).numpy())
    largest = components == np.bincount(components.ravel())[1:].argmax() + 1
    density = torch.from_numpy(gaussian_filter(largest.astype(np.float32), 3.0))[None]
    blurred = _on_head_lattice(field, density)
    gradient = np.stack(np.gradient(blurred.values[0].numpy())).astype(np.float32)
    return Field(torch.from_numpy(gradient / np.linalg.norm(gradient, axis=0).max()), blurred.affine)


def _cortex(field: Field, hull_mm: Field) -> Field:
    """Where CSF of sulci is near, not that of ventricles, which lie more than 30 mm below the hull."""
    csf = _on_head_lattice(field, field.values[2:])
    sulci = csf.values[0].numpy() * (hull_mm.values[0].numpy() > -30)
    nearby = gaussian_filter(sulci, 1.3) / 0.08
    return Field(torch.from_numpy(nearby.clip(0, 1))[None], csf.affine)
