"""One look for each method in every figure, and which methods a figure sets against each other.

Colour says dimensions and erasing, dashes say the fill, the marker says all else: what is erased, the network
and the score. Whoever sees no colour still has marker, filling and dashes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from spatial_erasing.models import Method

# (dimensions, with erasing): blue and orange, the darker with erasing. At least 3 : 1 against white, the
# contrast that WCAG 2.1 asks of graphics, and apart with every common colour vision.
_COLOURS = {(2, False): "#3F97D0", (2, True): "#08447A", (3, False): "#DB7A00", (3, True): "#9C2F00"}
_MARKERS = "osD^phX8d<>*"  # by a method's place, from the start again after the last
_DASHES: dict[str, str | tuple] = {"none": (0, (1, 1)), "zero": "--", "noise": "-"}
_OTHER_DASHES = "-."
_BASELINE_COLOUR = "0.35"
_BASELINE_MARKERS = "vP1234"


@dataclass(frozen=True)
class ModelStyle:
    """How a method is drawn.

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


def model_style(method: Method) -> ModelStyle:
    """The look of a method."""
    if method.is_baseline:
        marker = _BASELINE_MARKERS[method.place % len(_BASELINE_MARKERS)]
        return ModelStyle(_BASELINE_COLOUR, marker, "-", is_hollow=False)
    return ModelStyle(
        colour=_COLOURS[method.dims, method.erase != "none"],
        marker=_MARKERS[method.place % len(_MARKERS)],
        dashes=_DASHES.get(method.fill, _OTHER_DASHES),
        is_hollow=method.dims == 2,
    )


def families(methods: Iterable[Method]) -> dict[str, list[Method]]:
    """Title -> methods that erase the same, each time with the methods that erase nothing.

    The order of `methods` is kept. Methods that erase nothing at all are one family without a title.
    """
    methods = list(methods)
    kinds = dict.fromkeys(method.erase for method in methods if method.erase != "none")
    if not kinds:
        return {"": methods}
    return {
        kind.replace("_", " ").capitalize(): [method for method in methods if method.erase in ("none", kind)]
        for kind in kinds
    }


def compared_pairs(methods: Sequence[Method]) -> dict[str, list[Method]]:
    """Title -> methods that stand in one row of Figure 4: 2-D, 3-D, and both with erasing.

    A row of the paper appears where it sets methods against each other. Methods that would be in none of
    these rows share one without a title.
    """
    wanted = {
        f"{dims}-D without and with erasing": [method for method in methods if method.dims == dims]
        for dims in (2, 3)
    }
    rows = {title: row for title, row in wanted.items() if len(row) > 1}
    erasing = [method for method in methods if method.erase != "none"]
    if {method.dims for method in erasing} == {2, 3}:
        rows["2-D and 3-D with erasing"] = erasing
    left = [method for method in methods if not any(method in row for row in rows.values())]
    if left:
        rows[""] = left
    return rows
