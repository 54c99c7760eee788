"""The settings of a bundle as the library's functions take them, refused where they are absurd."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spatial_erasing.apply.archive import readable
from spatial_erasing.apply.bundle import Bundle
from spatial_erasing.preprocess.quality import FlagRule
from spatial_erasing.preprocess.settings import NETWORKS, BrainSettings
from spatial_erasing.preprocess.stack import StackSettings
from spatial_erasing.preprocess.standardise.landmarks import Landmarks
from spatial_erasing.preprocess.standardise.ways import WAYS, Standard
from spatial_erasing.registry import needs_healthy, parts_of
from spatial_erasing.score.maps import Scoring

# Beyond these a bundle would take hours or all memory: name to lowest and highest value.
POSSIBLE = {
    "spacing_mm": (0.4, 10),
    "n4_shrink_factor": (1, 16),
    "denoise_iterations": (0, 100),
    "denoise_patch_voxels": (0, 4),
    "denoise_search_voxels": (0, 8),
    "lower_percentile": (0, 100),
    "upper_percentile": (0, 100),
    "padded_grid_voxels": (8, 512),
    "grid_voxels": (8, 512),
    "n4_iterations": (0, 500),
    "brain_range_ml": (0, 10000),
    "erosion_iterations": (0, 50),
    "median_size_voxels": (1, 15),
    "batch_size": (1, 512),
    "steps": (0, 1000),  # this and the next three: of scores that read the network
    "count": (1, 256),
    "rounds": (1, 100),
    "edge_voxels": (4, 512),
}


@dataclass(frozen=True)
class ModelSettings:
    """How a scan becomes a score map, exactly as in the study.

    Args:
        preparation: from the scan to a brain in [0, 1].
        stack: from there to the networks' grid.
        skull_strip: of whole heads.
        sequence: of the scans.
        trained_on: the sequence of the networks, of the thresholds and of the healthy reference.
        network: kind and settings of every network.
        scores: name to entry of `scores`; none compares with healthy scans.
        score: name of the usual one.
        thresholds: score to the threshold that was found on validation scans.
        post_processing: keywords of `post_process`.
        batch_size: axial slices at a time of a 2-D network.
        flags: when volume and contrast are unlike those of healthy brains.
    """

    preparation: BrainSettings
    stack: StackSettings
    skull_strip: str
    sequence: str
    trained_on: str
    network: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, Any]]
    score: str
    thresholds: Mapping[str, float]
    post_processing: Mapping[str, int]
    batch_size: int
    flags: FlagRule

    def scoring(self, score: str) -> Scoring:
        """What score maps of this kind are made with.

        Raises:
            ValueError: the model has no such score.
        """
        if score not in self.scores:
            raise ValueError(
                f"the model has no score '{score}'; expected one of {', '.join(self.scores)}. "
                "Correct --score."
            )
        return Scoring(self.scores[score], self.post_processing)


def read_settings(bundle: Bundle, sequence: str | None = None) -> ModelSettings:
    """The settings of a bundle for scans of a sequence, that of the training unless another is given.

    Raises:
        ValueError: something is missing, of another version, or absurd; the model has no such sequence.
    """
    with readable(bundle.path, "settings.json"):
        sequence = sequence or str(bundle.settings["sequence"])
        targets = _targets(bundle.settings)
        if sequence in targets:
            return _parse(bundle.settings, sequence, targets[sequence])
    raise ValueError(
        f"the model has no sequence '{sequence}'; expected one of {', '.join(targets)}. Correct --sequence."
    )


def _targets(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The contrast that scans of each sequence are brought to; landmarks are those of the training alone."""
    preprocess, targets = settings["preprocess"], {settings["sequence"]: settings["target"]}
    for sequence, way in preprocess["standardise"].items():
        stated = {sequence: None} if way == "range" else preprocess["standard"].get(way, {})
        if sequence in stated:
            targets.setdefault(sequence, stated[sequence])
    return targets


def _parse(settings: Mapping[str, Any], sequence: str, target: Any) -> ModelSettings:
    preprocess = settings["preprocess"]
    of_scores = [part for entry in settings["scores"].values() for part in parts_of(entry)]
    batches = {"batch_size": settings["batch_size"]}
    for section in (preprocess, settings["post_processing"], batches, *of_scores):
        for name, value in section.items():
            _require_possible(name, value)
    if settings["skull_strip"] not in NETWORKS:
        raise ValueError(f"skull_strip is {settings['skull_strip']!r}; expected one of {', '.join(NETWORKS)}")
    if not settings["scores"] or settings["score"] not in settings["scores"]:
        raise ValueError(f"the score {settings['score']!r} is not among its scores")
    if other := [name for name, entry in settings["scores"].items() if needs_healthy(entry)]:
        raise ValueError(f"the score {other[0]!r} compares with healthy scans, and a bundle holds none")
    return ModelSettings(
        BrainSettings(**{name: _plain(preprocess[name]) for name in BrainSettings.__dataclass_fields__}),
        StackSettings(
            _standard(preprocess["standardise"][sequence], sequence, target),
            tuple(preprocess["padded_grid_voxels"]),
            tuple(preprocess["grid_voxels"]),
            preprocess["lesion_downsampling"],
        ),
        settings["skull_strip"],
        sequence,
        settings["sequence"],
        settings["network"],
        settings["scores"],
        settings["score"],
        {name: float(settings["thresholds"][name]) for name in settings["scores"]},
        settings["post_processing"],
        settings["batch_size"],
        FlagRule(
            tuple(preprocess["flag_outside_ml"]),
            preprocess["flag_beyond_deviations"],
            preprocess["flag_beyond_band"],
        ),
    )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _require_possible(name: str, value: Any) -> None:
    """Refuse a number beyond what a study could have used."""
    if name not in POSSIBLE:
        return
    low, high = POSSIBLE[name]
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
            raise ValueError(f"{name} is {str(value)[:100]}; expected {low:g} to {high:g}")


def _standard(way: str, sequence: str, target: Any) -> Standard:
    """How a sequence is brought onto the contrast of the training."""
    if way not in WAYS:
        raise ValueError(f"standardise is {way!r}; expected one of {', '.join(WAYS)}")
    if way == "landmarks":
        target = Landmarks(**{name: _plain(value) for name, value in target.items()})
    return Standard({sequence: way}, {} if target is None else {sequence: target})
