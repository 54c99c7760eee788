"""One look for each model in every figure, and which models a figure sets against each other.

Colour says dimensions and erasing, the marker says the strategy, dashes say the fill: whoever sees no colour
still has marker, filling and dashes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spatial_erasing.models import BASELINE_NAMES, ModelSpec, parse_model

FAMILY_TITLES = {
    "single": "Patch and cube",
    "multi": "Multi-patch and multi-cube",
    "half": "Half-slice and half-volume",
}

# (dimensions, with erasing): blue and orange, the darker with erasing. At least 3 : 1 against white, the
# contrast that WCAG 2.1 asks of graphics, and apart with every common colour vision.
_COLOURS = {(2, False): "#3F97D0", (2, True): "#08447A", (3, False): "#DB7A00", (3, True): "#9C2F00"}
_MARKERS = {"none": "o", "single": "s", "multi": "D", "half": "^"}
_DASHES: dict[str, str | tuple] = {"none": (0, (1, 1)), "zero": "--", "noise": "-"}
_BASELINE_COLOUR = "0.35"
_BASELINE_MARKERS = dict(zip(BASELINE_NAMES, ("v", "P"), strict=True))


@dataclass(frozen=True)
class ModelStyle:
    """How a model is drawn.

    Args:
        colour: of lines and markers.
        marker: in matplotlib's letters.
        dashes: line style as matplotlib takes it.
        is_hollow: the marker has an outline only (2-D).
    """

    colour: str
    marker: str
    dashes: str | tuple
    is_hollow: bool

    @property
    def line(self) -> dict[str, Any]:
        """Keywords of `Axes.plot` for lines with markers; a hollow one is white inside."""
        return {"linestyle": self.dashes} | self.point

    @property
    def point(self) -> dict[str, Any]:
        """Keywords of `Axes.plot` for a marker."""
        face = "white" if self.is_hollow else self.colour
        return {"color": self.colour, "marker": self.marker, "markersize": 4.5, "markerfacecolor": face}

    @property
    def dots(self) -> dict[str, Any]:
        """Keywords of `Axes.scatter`; a hollow dot shows what lies behind it."""
        face = "none" if self.is_hollow else self.colour
        return {"marker": self.marker, "edgecolors": self.colour, "facecolors": face}


def model_style(model: str) -> ModelStyle:
    """The look of a model or baseline.

    Raises:
        ValueError: the name is neither a model nor a baseline.
    """
    if model in BASELINE_NAMES:
        return ModelStyle(_BASELINE_COLOUR, _BASELINE_MARKERS[model], "-", is_hollow=False)
    spec = parse_model(model)
    return ModelStyle(
        colour=_COLOURS[spec.spatial_dims, spec.strategy != "none"],
        marker=_MARKERS[spec.strategy],
        dashes=_DASHES[spec.fill],
        is_hollow=spec.spatial_dims == 2,
    )


def families(models: Sequence[str]) -> dict[str, list[str]]:
    """Title -> models that share an erasing strategy, each time with the models that erase nothing.

    The order of `models` is kept. Models that erase nothing at all are one family without a title.
    """
    strategy_of = {model: parse_model(model).strategy for model in models}
    present = [strategy for strategy in FAMILY_TITLES if strategy in strategy_of.values()]
    if not present:
        return {"": list(models)}
    return {
        FAMILY_TITLES[strategy]: [model for model in models if strategy_of[model] in ("none", strategy)]
        for strategy in present
    }


def compared_pairs(models: Sequence[str]) -> dict[str, list[str]]:
    """Title -> models that stand in one row of Figure 4: 2-D, 3-D, and both with erasing.

    A row of the paper appears where it sets models against each other. Models that would be in none of these
    rows share one without a title.
    """
    specs = [parse_model(model) for model in models]
    wanted = {
        f"{dims}-D without and with erasing": [spec for spec in specs if spec.spatial_dims == dims]
        for dims in (2, 3)
    }
    rows = {title: row for title, row in wanted.items() if len(row) > 1}
    erasing = [spec for spec in specs if spec.strategy != "none"]
    if _dimensions(erasing) == {2, 3}:
        rows["2-D and 3-D with erasing"] = erasing
    left = [spec for spec in specs if not any(spec in row for row in rows.values())]
    if left:
        rows[""] = left
    return {title: [spec.name for spec in row] for title, row in rows.items()}


def _dimensions(specs: Sequence[ModelSpec]) -> set[int]:
    return {spec.spatial_dims for spec in specs}
