"""The way from a scan to the networks' grid, and back."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.jobs.results import read_json
from spatial_erasing.preprocess.downsample import centred_window
from spatial_erasing.preprocess.resample import resample_to_grid


def chain_of_grids(
    record: Mapping, *, padded_grid_voxels: tuple[int, ...], grid_voxels: tuple[int, ...]
) -> dict[str, Grid]:
    """Every grid that a subject went through, in that order, all of them in the world of its scan.

    Args:
        record: what `subject.write_brain` wrote down: "scan" as stored, "resampled" at the prepared spacing,
            "brain" as cropped, and which box of it is centred.
        padded_grid_voxels: the window around the box, which becomes "padded".
        grid_voxels: what it is downsampled to, which becomes "network".

    Raises:
        ValueError: the brain does not fit into the padded grid.
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
        grids: the subject's chain, from `chain_of_grids` or `read_chains`.
        interpolation: "linear" stays within the range of the values, "cubic" may overshoot, "nearest" is for
            labels.

    Raises:
        ValueError: the map does not have the shape of that grid.
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
    lines = [
        f"{json.dumps(subject, ensure_ascii=False)}: "
        f"{json.dumps({name: grid.as_json() for name, grid in grids.items()})}"
        for subject, grids in chains.items()
    ]
    with replaced_when_complete(path) as unfinished:
        unfinished.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_chains(path: str | Path) -> dict[str, dict[str, Grid]]:
    """The chains that `write_chains` wrote: subject to name to grid."""
    return {
        subject: {name: Grid.from_json(numbers) for name, numbers in grids.items()}
        for subject, grids in read_json(path).items()
    }
