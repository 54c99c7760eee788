"""A cohort of prepared brains as arrays on the small grid: what training and scoring read."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spatial_erasing.images.grids import Grid
from spatial_erasing.jobs.faults import about, is_finding
from spatial_erasing.jobs.parallel import map_in_processes
from spatial_erasing.preprocess import geometry
from spatial_erasing.preprocess.geometry import downsample
from spatial_erasing.preprocess.standardise.intensity_map import IntensityMap, doubts_of_map
from spatial_erasing.preprocess.standardise.ways import Standard
from spatial_erasing.preprocess.subject import COLUMNS, read_brain_mask, read_prepared, read_record

logger = logging.getLogger(__name__)

# arrays, chain of grids, map of each sequence, and what is doubtful about the maps
Shrunk = tuple[dict[str, np.ndarray], dict[str, Grid], dict[str, IntensityMap], str]
MANIFEST_COLUMNS = (*COLUMNS, "lesion_downsampled_ml", "intensity_maps", "doubtful_map")


@dataclass(frozen=True)
class StackSettings:
    """The contrast, the padded grid at the prepared spacing, the networks' grid, and how labels get there."""

    standard: Standard
    padded_grid_voxels: tuple[int, ...]
    grid_voxels: tuple[int, ...]
    lesion_downsampling: str


def largest_box(rows: Iterable[Mapping[str, Any]]) -> tuple[int, ...]:
    """The smallest padded grid that holds every brain of the study, for `padded_grid_voxels: auto`."""
    done = [row for row in rows if row["status"] == "done"]
    if not done:
        raise ValueError(
            "no brain of the study could be preprocessed, so none can set padded_grid_voxels: auto. The "
            "reasons stand in results/preprocess/*/batch-*.csv."
        )
    return tuple(max(int(row[f"box_{axis}_voxels"]) for row in done) for axis in "xyz")


def shrink_subject(folder: Path, *, sequences: tuple[str, ...], settings: StackSettings) -> Shrunk:
    """A prepared brain on disk as `shrink_brain` returns it."""
    return shrink_brain(
        {name: read_prepared(folder, name) for name in sequences},
        brain=read_brain_mask(folder),
        lesion=read_prepared(folder, "lesion") > 0,
        record=read_record(folder),
        settings=settings,
    )


def shrink_brain(
    sequences: Mapping[str, np.ndarray],
    *,
    brain: np.ndarray,
    lesion: np.ndarray,
    record: Mapping[str, Any],
    settings: StackSettings,
) -> Shrunk:
    """One prepared brain on the networks' grid, and the chain of grids that leads back to its scan.

    Each sequence is brought onto its standard contrast, then the brain's box is centred in the padded grid. A
    voxel of the new grid is brain if at least half of it is; intensities are averages over the new voxel,
    float16 in [0, 1], 0 outside the brain. The arrays are the sequences, "brain", "lesion" and
    "lesion_slices", which its lesion touches; after them and the grids come the intensity maps by sequence,
    and a sentence on maps that are doubtful.

    Args:
        record: its "grids" and "centred", see `geometry.chain_of_grids`.

    Raises:
        ValueError: the brain is larger than the padded grid, or no map brings it onto the standard contrast.
    """
    window, grid_voxels = settings.padded_grid_voxels, settings.grid_voxels
    grids = geometry.chain_of_grids(record, padded_grid_voxels=window, grid_voxels=grid_voxels)
    start = geometry.centred_window(*record["centred"], window_voxels=window)
    padded = partial(geometry.extract_window, start=start, window_voxels=window)
    whole_brain, lesion = brain, padded(lesion)
    brain = downsample(padded(whole_brain), grid_voxels=grid_voxels) >= 0.5
    if not brain.any():
        raise ValueError(
            f"nothing of the brain is left on the grid of {list(grid_voxels)} voxels: it is thin or full of "
            f"holes everywhere. Look at its mask, or leave out this subject."
        )
    shrunk, maps, doubts = {}, {}, list[str]()
    for name, scan in sequences.items():
        with about(name):
            maps[name] = settings.standard.map_of(scan[whole_brain], sequence=name)
        doubts += doubts_of_map(scan[whole_brain], maps[name], sequence=name)
        small = downsample(padded(maps[name](scan)), grid_voxels=grid_voxels)
        shrunk[name] = np.where(brain, np.clip(small, 0, 1), 0).astype(np.float16)
    slices = geometry.slices_with_label(lesion, slices=grid_voxels[2])
    small_lesion = geometry.downsample_label(
        lesion, grid_voxels=grid_voxels, method=settings.lesion_downsampling
    )
    arrays = shrunk | {"brain": brain, "lesion": small_lesion, "lesion_slices": slices}
    return arrays, grids, maps, " ".join(doubts)


def stack_cohort(
    rows: list[dict[str, Any]], *, sequences: tuple[str, ...], settings: StackSettings, cores: int
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Grid]]]:
    """Arrays of a cohort, first axis the subject, and each subject's chain of grids by its name.

    Args:
        rows: the cohort's manifest; a brain that does not fit fails in its row, the others receive what is
            left of their lesion, `lesion_downsampled_ml`, their `intensity_maps`, and whether one is a
            `doubtful_map`.
    """
    shrink = partial(_shrink_row, sequences=sequences, settings=settings)
    done = [row for row in rows if row["status"] == "done"]
    shrunk = dict(map_in_processes(shrink, done, workers=cores, name=lambda row: row["subject"]))
    stacked: dict[str, dict[str, np.ndarray]] = {}
    chains: dict[str, dict[str, Grid]] = {}
    for row in done:
        subject = row["subject"]
        if isinstance(found := shrunk[subject], str):
            row.update(status="failed", reason=found)
        else:
            stacked[subject], chains[subject], maps, row["doubtful_map"] = found
            lesion_voxels, voxel_ml = stacked[subject]["lesion"].sum(), chains[subject]["network"].voxel_ml
            row["lesion_downsampled_ml"] = float(lesion_voxels * voxel_ml)
            row["intensity_maps"] = "; ".join(f"{name}: {map_}" for name, map_ in maps.items())
            if row["doubtful_map"]:
                logger.warning("%s: %s", subject, row["doubtful_map"])
    if not stacked:
        reasons = [f"{row['cohort']} {row['subject']}: {row['reason']}" for row in rows[:10]]
        raise ValueError(
            "no subject of a cohort could be preprocessed. Correct its scans or remove it from config.yaml.\n"
            + "\n".join(reasons or ["no scan of it was found"])
        )
    first = next(iter(stacked.values()))
    whole = {name: np.stack([arrays[name] for arrays in stacked.values()]) for name in first}
    affines = np.stack([grids["network"].affine for grids in chains.values()])
    return {"subject": np.array(list(stacked), dtype=str), "affine": affines} | whole, chains


def _shrink_row(
    row: Mapping[str, Any], *, sequences: tuple[str, ...], settings: StackSettings
) -> tuple[str, Shrunk | str]:
    """A subject's name with its arrays, or with the reason why there are none."""
    try:
        return row["subject"], shrink_subject(Path(row["folder"]), sequences=sequences, settings=settings)
    except ValueError as error:
        if not is_finding(error):
            raise
        return row["subject"], str(error)


def require_few_failures(rows: list[Mapping[str, Any]], *, maximum_percent: float, cohort: str) -> None:
    """Stop a study that has lost too many subjects of a cohort."""
    failed = [row for row in rows if row["status"] != "done"]
    if not failed or 100 * len(failed) / len(rows) <= maximum_percent:
        return
    for row in failed:
        logger.error("%s: %s", row["subject"], row["reason"])
    reasons = "\n".join(f"  {row['subject']}: {row['reason']}" for row in failed[:10])
    raise ValueError(
        f"{len(failed)} of {len(rows)} subjects of {cohort} failed, more than "
        f"preprocess.maximum_failed_percent ({maximum_percent:g}) allows:\n{reasons}\n"
        f"All reasons stand in results/logs/stack_cohort/{cohort}.log. Correct or exclude these scans, or "
        f"raise the percentage."
    )
