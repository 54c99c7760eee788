"""The way from a scan to the networks' grid, and back."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.jobs.atomic import write_text
from spatial_erasing.jobs.results import read_json
from spatial_erasing.preprocess.resample import resample_to_grid


def chain_of_grids(
    record: Mapping, *, padded_grid_voxels: tuple[int, ...], grid_voxels: tuple[int, ...]
) -> dict[str, Grid]:
    """Every grid that a subject went through, in that order, all of them in the world of its scan.

    Args:
        record: what `subject.write_brain` wrote down: "scan" as stored, "resampled" at the prepared spacing,
            "brain" as cropped, and which box of it is centred in "padded", which is downsampled to "network".
    """
    grids = {name: Grid.from_json(numbers) for name, numbers in record["grids"].items()}
    start = centred_window(*record["centred"], window_voxels=padded_grid_voxels)
    grids["padded"] = grids["brain"].window(start, padded_grid_voxels)
    grids["network"] = grids["padded"].coarsened(grid_voxels)
    return grids


def return_to_scan(
    values: np.ndarray, grids: Mapping[str, Grid], *, interpolation: str = "linear"
) -> np.ndarray:
    """A map on the networks' grid, brought to the voxels of the scan as it was stored; float32.

    Args:
        values: shape of grids["network"]; a score, a reconstruction, or a mask with "nearest".
        interpolation: "linear" stays within the range of the values, "cubic" may overshoot, "nearest" is for
            labels.
    """
    if values.shape != grids["network"].shape:
        raise ValueError(
            f"a map of shape {values.shape} is not on the networks' grid of {grids['network'].shape} voxels. "
            f"Pass a map as the networks see it, unpadded and in the same order of axes."
        )
    volume = Volume(values.astype(np.float32), grids["network"].affine)
    return resample_to_grid(volume, grids["scan"], interpolation=interpolation)


def write_chains(path: str | Path, chains: Mapping[str, Mapping[str, Grid]]) -> None:
    """Write the chains of a cohort's subjects as JSON, a line each."""
    lines = []
    for subject, grids in chains.items():
        plain = {name: grid.as_json() for name, grid in grids.items()}
        lines.append(f"{json.dumps(subject, ensure_ascii=False)}: {json.dumps(plain)}")
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read_chains(path: str | Path) -> dict[str, dict[str, Grid]]:
    """The chains that `write_chains` wrote: subject to name to grid."""
    return {
        subject: {name: Grid.from_json(numbers) for name, numbers in grids.items()}
        for subject, grids in read_json(path).items()
    }


def box_around(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box with all marked voxels, as an index; an empty mask is refused."""
    if not mask.any():
        raise ValueError("an empty mask has no bounding box. Look at the scan, or leave out this subject.")
    return ndimage.find_objects((mask != 0).astype(np.uint8))[0]


def bounding_box(mask: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """First and one-past-last voxel of a mask along each axis; an empty one is refused."""
    box = box_around(mask)
    return tuple(axis.start for axis in box), tuple(axis.stop for axis in box)


def centred_window(
    box_start: tuple[int, ...], box_stop: tuple[int, ...], *, window_voxels: tuple[int, ...]
) -> tuple[int, ...]:
    """First voxel of the padded window in whose middle the box lies; may be negative. No brain is cut."""
    size = tuple(b - a for a, b in zip(box_start, box_stop, strict=True))
    if any(s > w for s, w in zip(size, window_voxels, strict=True)):
        raise ValueError(
            f"the brain measures {' × '.join(map(str, size))} voxels and does not fit the padded grid of "
            f"{' × '.join(map(str, window_voxels))}. Set preprocess.padded_grid_voxels to at least that, "
            f"or to auto, which takes the largest brain of the study; no brain is ever cut."
        )
    return tuple(a - (w - s) // 2 for a, s, w in zip(box_start, size, window_voxels, strict=True))


def extract_window(
    volume: np.ndarray, start: tuple[int, ...], *, window_voxels: tuple[int, ...]
) -> np.ndarray:
    """The window of a volume that begins at voxel `start`, zero where it reaches beyond the volume."""
    first, last = np.array(start), np.add(start, window_voxels)
    low = np.maximum(first, 0)
    high = np.maximum(np.minimum(last, volume.shape), low)
    window = np.zeros(window_voxels, dtype=volume.dtype)
    window[tuple(map(slice, low - first, high - first))] = volume[tuple(map(slice, low, high))]
    return window


def area_weights(source_voxels: int, target_voxels: int) -> np.ndarray:
    """Share of each source voxel in each target voxel along one axis, rows sum to 1, shape (target, source).

    A target voxel is the exact average of the stretch that it covers: a box filter as wide as the new voxel,
    which is the anti-aliasing, and an occupancy when the source is a mask.
    """
    # one rounding: an edge that falls between two source voxels must not reach into either by 1e-15
    edges = np.arange(target_voxels + 1) * source_voxels / target_voxels
    source = np.arange(source_voxels)
    overlap = np.minimum(edges[1:, None], source + 1) - np.maximum(edges[:-1, None], source)
    return np.clip(overlap, 0, None) * (target_voxels / source_voxels)


def downsample(volume: np.ndarray, *, grid_voxels: tuple[int, ...]) -> np.ndarray:
    """Average over the extent of each new voxel, float32 of shape `grid_voxels`."""
    for axis, target in enumerate(grid_voxels):
        weights = area_weights(volume.shape[axis], target).astype(np.float32)
        volume = np.moveaxis(np.tensordot(weights, volume.astype(np.float32), axes=(1, axis)), 0, axis)
    return volume


def downsample_label(label: np.ndarray, *, grid_voxels: tuple[int, ...], method: str) -> np.ndarray:
    """A binary label on the new grid, bool: never interpolated linearly and then thresholded at zero.

    Args:
        method: "nearest" takes the voxel at the new voxel's centre (the authors' later code); "occupancy"
            marks a new voxel of which at least half is labelled.
    """
    if method == "occupancy":
        return downsample(label, grid_voxels=grid_voxels) >= 0.5
    sizes = zip(label.shape, grid_voxels, strict=True)
    centres = [np.floor((np.arange(new) + 0.5) * old / new).astype(int) for old, new in sizes]
    return label[np.ix_(*centres)] > 0


def slices_with_label(label: np.ndarray, *, slices: int) -> np.ndarray:
    """Which axial slices of the new grid hold a labelled voxel of the fine one in their slab, bool (slices,).

    A lesion that vanishes when the grid shrinks still makes its slices abnormal (Bengs et al. 2021,
    section 2.3: "we strictly consider all slices with annotations as abnormal").
    """
    return (area_weights(label.shape[2], slices) > 0) @ label.any(axis=(0, 1))
