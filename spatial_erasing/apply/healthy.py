"""What healthy brains look like to a model: the distributions that a new scan is compared with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from spatial_erasing.preprocess.quality import HealthyBand
from spatial_erasing.score.postprocess import erode_in_plane


@dataclass(frozen=True)
class HealthyScores:
    """The scores of one kind on healthy validation scans.

    Args:
        values: the distinct scores of their brain voxels, rising, float32.
        voxels: how many voxels have each.
        means: mean score of each scan's brain.
        marked_ml: of each scan, at the model's threshold.
    """

    values: np.ndarray
    voxels: np.ndarray
    means: np.ndarray
    marked_ml: np.ndarray

    def percentile(self, scores: np.ndarray) -> np.ndarray:
        """The share of healthy brain voxels with a lower score, float32 from 0 to 1, shape of the scores."""
        below = (np.concatenate([[0], np.cumsum(self.voxels)]) / self.voxels.sum()).astype(np.float32)
        found = np.full_like(scores, below[np.searchsorted(self.values, 0)], dtype=np.float32)
        inside = scores != 0  # the search is slow, and most of a head is no brain
        found[inside] = below[np.searchsorted(self.values, scores[inside])]
        return found

    def unusual_percent(self, mean: float) -> float:
        """The share of healthy validation scans with a lower mean score, from 0 to 100."""
        return 100 * float((self.means < mean).mean())

    def as_arrays(self, name: str) -> dict[str, np.ndarray]:
        """For `healthy.npz`, below the name of the score."""
        return {f"{name}.{field}": getattr(self, field) for field in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], name: str) -> Self:
        """What `as_arrays` wrote.

        Raises:
            ValueError: it is no distribution.
        """
        found = cls(*(np.asarray(arrays[f"{name}.{field}"]) for field in cls.__dataclass_fields__))
        is_rising = found.values.ndim == 1 and (np.diff(found.values) > 0).all()
        if not (is_rising and found.values.shape == found.voxels.shape and (found.voxels > 0).all()):
            raise ValueError(f"the scores '{name}' of healthy voxels are no distribution")
        if not (len(found.means) and len(found.values)):
            raise ValueError(f"no healthy scan for the score '{name}'")
        return found


def brain_scores(score: np.ndarray, brain: np.ndarray, *, erosion_iterations: int) -> np.ndarray:
    """The scores of the voxels that a score can reach: the brain without the rim that is always 0.

    Args:
        score: post-processed, shape (X, Y, Z).
        brain: bool, same shape.
        erosion_iterations: of the post-processing.
    """
    return score[erode_in_plane(brain, erosion_iterations)].astype(np.float32)


def measure_scores(
    maps: Iterable[np.ndarray], brains: np.ndarray, *, erosion_iterations: int, limits: tuple[float, float]
) -> HealthyScores:
    """The distribution of the scores of healthy scans.

    Args:
        maps: post-processed score maps, one a scan.
        brains: bool, shape (scans, X, Y, Z).
        erosion_iterations: of the post-processing.
        limits: the threshold, and the volume of a voxel in ml.
    """
    threshold, voxel_ml = limits
    of_scans, marked_ml = [], []
    for score, brain in zip(maps, brains, strict=True):
        of_scans.append(brain_scores(score, brain, erosion_iterations=erosion_iterations))
        marked_ml.append(float((score >= np.float64(threshold)).sum() * voxel_ml))
    values, voxels = np.unique(np.concatenate(of_scans), return_counts=True)
    means = np.array([scores.mean(dtype=np.float64) for scores in of_scans])
    return HealthyScores(values, voxels, means, np.array(marked_ml))


def median_residual(scan: np.ndarray, reconstruction: np.ndarray, brain: np.ndarray) -> float:
    """Median |scan - reconstruction| of a brain, in units of intensity, whatever the score of the model.

    A score may be 0 in most of every healthy brain, so that its own median tells nothing.
    """
    return float(np.median(np.abs(scan.astype(np.float32) - reconstruction)[brain]))


@dataclass(frozen=True)
class HealthyBrains:
    """Healthy brains: volumes and quantile curves of all, median residuals of the validation scans."""

    brain_ml: np.ndarray
    band: HealthyBand
    median_residuals: np.ndarray

    def as_arrays(self) -> dict[str, np.ndarray]:
        """For `healthy.npz`."""
        lines = {
            f"curve.{name}": np.array(getattr(self.band, name)) for name in ("lowest", "middle", "highest")
        }
        arrays = {"brain_ml": self.brain_ml, "median_residuals": self.median_residuals}
        return arrays | {"curve.brains": np.array(self.band.brains)} | lines

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], *, sequence: str) -> Self:
        """What `as_arrays` wrote."""
        lines = [tuple(arrays[f"curve.{name}"].tolist()) for name in ("lowest", "middle", "highest")]
        band = HealthyBand(sequence, int(arrays["curve.brains"]), *lines)
        return cls(arrays["brain_ml"], band, arrays["median_residuals"])
