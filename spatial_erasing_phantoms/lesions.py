"""Lesions as additional tissues: nested bodies with soft, irregular surfaces inside a brain."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from spatial_erasing_phantoms.fields import Field, Grid, ramp
from spatial_erasing_phantoms.head import Head


@dataclass(frozen=True)
class Lesion:
    """A lesion of nested parts, defined on a lattice around its seed.

    Args:
        parts: names of its tissues, from the outermost to the innermost.
        depth_mm: approximate depth of a point below the surface of each part, one channel per part.
        edge_mm: width of the soft surface.
        signal: for each sequence and part two tissues and the position of its signal between them: 0 is the
            first tissue, 1 the second, above 1 beyond it.
    """

    parts: tuple[str, ...]
    depth_mm: Field
    edge_mm: float
    signal: dict[str, dict[str, tuple[str, str, float]]]


def apply_lesion(lesion: Lesion, head: Head) -> Head:
    """The head with the lesion's parts in place of healthy tissue; voxels outside the brain are unchanged."""
    box = _box_of_field(lesion.depth_mm, head.grid)
    brain = head.brain[box]
    inside = [brain]
    for depth_mm in lesion.depth_mm.sample(head.grid.block(box).points()):
        # an inner part never exceeds the one around it
        inside.append(torch.minimum(inside[-1], brain * ramp(depth_mm, lesion.edge_mm)))
    healthy = 1 - inside[1] / brain.clamp(min=1e-6)
    tissues = {name: share.clone() for name, share in head.tissues.items()}
    for share in tissues.values():
        share[box] *= healthy
    for part, outer, inner in zip(lesion.parts, inside[1:], [*inside[2:], torch.tensor(0.0)], strict=True):
        tissues[part] = torch.zeros(head.grid.shape)
        tissues[part][box] = outer - inner
    relief = head.relief
    if relief is not None:
        relief = relief.clone()
        relief[box] *= healthy
    return replace(head, tissues=tissues, relief=relief)


def lesion_signal(lesion: Lesion, sequence: str, signal: dict[str, float]) -> dict[str, float]:
    """Signal of the lesion's parts in one sequence, from that of the healthy tissues."""
    return {
        part: signal[first] + place * (signal[second] - signal[first])
        for part, (first, second, place) in lesion.signal[sequence].items()
    }


def lesion_labels(lesion: Lesion, head: Head, labels: dict[str, int]) -> np.ndarray:
    """Label of the innermost part that fills at least half of the voxel, 0 elsewhere, uint8.

    Args:
        labels: value for each part.
    """
    mask = np.zeros(head.grid.shape, dtype=np.uint8)
    inside = torch.zeros(head.grid.shape)
    for part in reversed(lesion.parts):
        inside += head.tissues[part]
        mask[(inside >= 0.5).numpy() & (mask == 0)] = labels[part]
    return mask


def _box_of_field(field: Field, grid: Grid) -> tuple[slice, ...]:
    """The voxels of a grid within a field's lattice."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(field.values.shape[1:]) - 1)
    world = field.affine @ np.column_stack([corners, np.ones(8)]).T
    indices = (np.linalg.inv(grid.affine) @ world)[:3]
    low = np.clip(np.floor(indices.min(1)), 0, np.array(grid.shape) - 1).astype(int)
    high = np.clip(np.ceil(indices.max(1)) + 1, low + 1, grid.shape).astype(int)
    return tuple(slice(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True))
