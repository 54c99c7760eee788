"""The names of the models that the paper compares, and what each name says."""

from dataclasses import dataclass

MODEL_NAMES = (
    "2d-none",
    "3d-none",
    "2d-patch-zero",
    "2d-patch-noise",
    "3d-cube-zero",
    "3d-cube-noise",
    "2d-multi-patch-zero",
    "2d-multi-patch-noise",
    "3d-multi-cube-zero",
    "3d-multi-cube-noise",
    "2d-half-slice-zero",
    "2d-half-slice-noise",
    "3d-half-volume-zero",
    "3d-half-volume-noise",
)
"""The rows of Table 1 (Bengs et al. 2021), in its order."""

BASELINE_NAMES = ("baseline-mean-healthy", "baseline-brain-median")
"""Two rows without a network, below every Table 1."""

_STRATEGIES = {
    "none": "none",
    "patch": "single",
    "cube": "single",
    "multi-patch": "multi",
    "multi-cube": "multi",
    "half-slice": "half",
    "half-volume": "half",
}
_BASELINE_TITLES = {
    "baseline-mean-healthy": "Mean healthy volume",
    "baseline-brain-median": "Median of the brain",
}


@dataclass(frozen=True)
class ModelSpec:
    """What a model's name says about it.

    Args:
        name: for example "3d-cube-noise".
        spatial_dims: 2 reads axial slices, 3 whole volumes.
        strategy: which part of the input is erased: "none", "single" (patch or cube), "multi" or "half".
        fill: what the erased part holds: "none" (nothing is erased), "zero" or "noise".
    """

    name: str
    spatial_dims: int
    strategy: str
    fill: str


def parse_model(name: str) -> ModelSpec:
    """Take a model's name apart: dimensions, erasing strategy and fill.

    Raises:
        ValueError: the name is not one of `MODEL_NAMES`.
    """
    if name in BASELINE_NAMES:
        raise ValueError(
            f"model '{name}' has no network to describe; expected one of the trained models: "
            f"{', '.join(MODEL_NAMES)}. Handle the baselines before parsing the name."
        )
    if name not in MODEL_NAMES:
        raise ValueError(_unknown(name))
    dims, *words = name.split("-")
    fill = words.pop() if words[-1] in ("zero", "noise") else "none"
    return ModelSpec(name, spatial_dims=int(dims[0]), strategy=_STRATEGIES["-".join(words)], fill=fill)


def paper_name(name: str) -> str:
    """The name that tables and figures print: "3d-cube-noise" is the paper's "3D-Cube-n".

    Raises:
        ValueError: the name is neither a model nor a baseline.
    """
    if name in BASELINE_NAMES:
        return _BASELINE_TITLES[name]
    if name not in MODEL_NAMES:
        raise ValueError(_unknown(name))
    fills = {"zero": "0", "noise": "n"}
    dims, *words = name.split("-")
    return "-".join([dims.upper(), *(fills.get(word, word.capitalize()) for word in words)])


def _unknown(name: str) -> str:
    return (
        f"model '{name}' is not known; expected one of {', '.join((*MODEL_NAMES, *BASELINE_NAMES))}. "
        "Correct study.models in config.yaml."
    )
