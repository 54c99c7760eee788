"""Anomaly score maps of a split, one subject at a time, from its stored reconstructions."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spatial_erasing.cohorts import Split, read_split
from spatial_erasing.score.postprocess import anomaly_score


def read_score_maps(
    files: tuple[str, str, str],
    *,
    split: str,
    sequence: str,
    erosion_iterations: int,
    median_size_voxels: int,
) -> tuple[Split, Iterator[np.ndarray]]:
    """A split of one cohort, and the score map of each of its subjects.

    Args:
        files: paths of the cohort's `volumes.npz`, of the table of splits and of the reconstructions.
        split: "validation" or "test".
        sequence: "t1" or "t1ce".
        erosion_iterations: of the brain mask, in-plane.
        median_size_voxels: edge of the median filter's cube.
    """
    volumes, splits, reconstructions = files
    scans = read_split([volumes], splits, split=split, sequence=sequence)
    return scans, score_maps(
        scans,
        Path(reconstructions),
        erosion_iterations=erosion_iterations,
        median_size_voxels=median_size_voxels,
    )


def score_maps(
    scans: Split, reconstructions: Path, *, erosion_iterations: int, median_size_voxels: int
) -> Iterator[np.ndarray]:
    """Post-processed absolute residuals (Bengs et al. 2021, section 2.3), float16, in the order of `scans`.

    Args:
        scans: the split that was reconstructed.
        reconstructions: npz file with `subject` and `reconstruction`.
        erosion_iterations: of the brain mask, in-plane.
        median_size_voxels: edge of the median filter's cube.

    Raises:
        ValueError: the file holds other subjects than the split.
    """
    with np.load(reconstructions) as arrays:
        subjects, volumes = arrays["subject"].tolist(), arrays["reconstruction"]
    if subjects != [name for _, name in scans.subjects]:
        raise ValueError(
            f"{reconstructions} holds other subjects than the split that it belongs to. Delete it and run "
            f"again."
        )
    for scan, reconstruction, brain in zip(scans.scans, volumes, scans.brain, strict=True):
        yield anomaly_score(
            scan,
            reconstruction,
            brain,
            erosion_iterations=erosion_iterations,
            median_size_voxels=median_size_voxels,
        )
