"""From a scan to its maps: the study's own preparation, networks and scores, and the way back to the scan."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import nibabel as nib
import numpy as np

from spatial_erasing.apply.bundle import Bundle
from spatial_erasing.apply.healthy import HealthyBrains, HealthyScores, brain_scores, median_residual
from spatial_erasing.apply.networks import load_networks, reconstruct_with_all
from spatial_erasing.apply.settings import ModelSettings, read_settings
from spatial_erasing.cohorts import Split
from spatial_erasing.images.grids import Grid
from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.chain import PreparedBrain, prepare_brain
from spatial_erasing.preprocess.geometry import return_to_scan
from spatial_erasing.preprocess.resample import resample_to_grid
from spatial_erasing.preprocess.stack import shrink_brain
from spatial_erasing.score.maps import MAP, score_maps, stored_as


class Model:
    """A bundle ready to be applied.

    Args:
        bundle: opened.
        device: "cpu", "auto", or a GPU such as "cuda:0".
        sequence: of the scans; None for that of its training.
    """

    def __init__(self, bundle: Bundle, *, device: str = "cpu", sequence: str | None = None) -> None:
        self.bundle, self.device = bundle, device
        self.settings: ModelSettings = read_settings(bundle, sequence)
        self.brains = HealthyBrains.from_arrays(bundle.healthy, sequence=self.settings.trained_on)

    @cached_property
    def networks(self) -> list:
        """The networks, loaded when the first brain is prepared."""
        return load_networks(self.bundle, self.device)

    def healthy_scores(self, score: str) -> HealthyScores:
        """The scores of this kind on healthy validation scans."""
        return HealthyScores.from_arrays(self.bundle.healthy, score)


@dataclass(frozen=True)
class Asked:
    """What the user asked for beside the scan.

    Args:
        skull_strip: "none" for a scan without its skull, "given" for a brain mask of the user's own, None for
            the model's way.
        brain_mask: for "given".
        score: name of one of the model's scores; None for its usual one.
        threshold: score from which a voxel is marked; None for the model's own.
    """

    skull_strip: str | None = None
    brain_mask: Volume | None = None
    score: str | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Found:
    """What a model finds in a scan.

    Args:
        scan: as read.
        score: float32 on the voxels of the scan, 0 outside the brain.
        percentile: share of healthy brain voxels with a lower score, float32 from 0 to 1, same shape.
        mask: score >= threshold, bool, same shape.
        on_grid: scan, brain, reconstruction, spread and score on the networks' grid.
        grids: from the scan to the networks' grid.
        prepared: the brain before it was standardised.
        mean_score: of the brain on the networks' grid.
        median_residual: of the same brain, whatever the score.
        threshold: of the mask.
        score_name: which score it is.
        doubts: sentences of the preparation.
        seconds: of each step.
    """

    scan: Volume
    score: np.ndarray
    percentile: np.ndarray
    mask: np.ndarray
    on_grid: Mapping[str, np.ndarray]
    grids: Mapping[str, Grid]
    prepared: PreparedBrain
    mean_score: float
    median_residual: float
    threshold: float
    score_name: str
    doubts: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    def on_scan(self, name: str) -> np.ndarray:
        """A map of the networks' grid on the voxels of the scan; the brain mask by nearest neighbour."""
        is_label = name == "brain"
        return return_to_scan(
            self.on_grid[name], self.grids, interpolation="nearest" if is_label else "linear"
        )

    @cached_property
    def brain_on_scan(self) -> np.ndarray:
        """The brain mask as it was before downsampling, on the voxels of the scan, bool."""
        mask = Volume(self.prepared.brain.astype(np.float32), self.grids["brain"].affine)
        return resample_to_grid(mask, self.grids["scan"], interpolation="nearest") > 0.5


def examine(scan: Volume, model: Model, asked: Asked | None = None) -> Found:
    """What the model finds in a scan.

    Args:
        scan: as read, a whole head unless `asked` says otherwise.
        model: ready.
        asked: None for the model's own ways.

    Raises:
        ValueError: the scan cannot be used, or there is no such score, with what was found.
    """
    asked, settings = asked or Asked(), model.settings
    name = asked.score or settings.score
    scoring, healthy = settings.scoring(name), model.healthy_scores(name)
    threshold = settings.thresholds[name] if asked.threshold is None else asked.threshold
    seconds: dict[str, float] = {}
    with _timed(seconds, "prepare"):
        prepared = prepare_brain(
            {settings.sequence: scan},
            lesions=[],
            brain_mask=asked.brain_mask,
            skull_strip=asked.skull_strip or settings.skull_strip,
            settings=settings.preparation,
        )
        small, grids, doubts = _shrink(prepared, settings)
    with _timed(seconds, "load_networks"):
        networks = model.networks
    with _timed(seconds, "networks"):
        ensemble = reconstruct_with_all(networks, small, batch_size=settings.batch_size)
    with _timed(seconds, "score"):
        stored = ensemble.mean
        if stored_as(scoring.score) == MAP:
            maps = reconstruct_with_all(networks, small, batch_size=settings.batch_size, score=scoring.score)
            stored = maps.mean
        score = next(score_maps(small, stored, scoring))
        of_brain = brain_scores(
            score, small.brain[0], erosion_iterations=settings.post_processing["erosion_iterations"]
        )
        on_scan = return_to_scan(score, grids)
        percentile = healthy.percentile(on_scan)
    return Found(
        scan,
        on_scan,
        percentile,
        on_scan >= np.float64(threshold),
        on_grid={
            "scan": small.scans[0],
            "brain": small.brain[0],
            "reconstruction": ensemble.mean[0],
            "spread": ensemble.spread[0],
            "score": score,
        },
        grids=grids,
        prepared=prepared,
        mean_score=float(of_brain.mean(dtype=np.float64)),
        median_residual=median_residual(small.scans[0], ensemble.mean[0], small.brain[0]),
        threshold=float(threshold),
        score_name=name,
        doubts=(*prepared.warnings, *([doubts] if doubts else [])),
        seconds=seconds,
    )


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - begin


def _shrink(prepared: PreparedBrain, settings: ModelSettings) -> tuple[Split, Mapping[str, Grid], str]:
    """The prepared brain on the networks' grid, as a split of one subject, and its grids."""
    box = [b - a for a, b in zip(*prepared.centred, strict=True)]
    window = settings.stack.padded_grid_voxels
    if any(size > most for size, most in zip(box, window, strict=True)):
        raise ValueError(
            f"the brain measures {_by(box)} voxels of {settings.preparation.spacing_mm:g} mm, and the model "
            f"takes up to {_by(window)}. Look at the skull strip with --save brain, or give --brain-mask; "
            "this model cannot be applied to a larger brain."
        )
    affine = prepared.grids["brain"].affine
    record = {
        "grids": {name: grid.as_json() for name, grid in prepared.grids.items()},
        "centred": prepared.centred,
    }
    arrays, grids, _, doubts = shrink_brain(
        {name: as_stored(volume, affine) for name, volume in prepared.sequences.items()},
        brain=prepared.brain,
        lesion=prepared.lesion,
        record=record,
        settings=settings.stack,
    )
    shown = (arrays[name][None] for name in (settings.sequence, "brain", "lesion", "lesion_slices"))
    return Split([("", "")], *shown), grids, doubts


def as_stored(intensities: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Intensities as a study reads them back from its prepared brains, which are stored with 16 bits.

    Without this rounding a map could differ from the study's own in its last digit.
    """
    image: Any = nib.Nifti1Image(intensities, affine)
    image.set_data_dtype(np.uint16)
    stored: Any = nib.Nifti1Image.from_bytes(image.to_bytes()).dataobj
    slope, intercept = np.float64(stored.slope), np.float64(stored.inter)
    return (stored.get_unscaled() * slope + intercept).astype(np.float32)


def _by(lengths: Any) -> str:
    return " x ".join(str(length) for length in lengths)
