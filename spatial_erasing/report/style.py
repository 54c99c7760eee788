"""One look for every figure and for each method in it, and which methods a figure sets against each other.

Sizes are in mm on the printed page. Colour says dimensions and erasing, dashes say the fill, the marker
says all else: what is erased, the network and the score. Whoever sees no colour still has marker, filling
and dashes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.textpath import TextToPath

from spatial_erasing.jobs.atomic import replaced_when_complete
from spatial_erasing.models import Method

MM_PER_INCH = 25.4
PAGE_WIDTH_MM = 174.0  # two columns of a Springer journal
PAGE_HEIGHT_MM = 234.0
SMALL_POINTS = 7.0  # nothing smaller is legible in print
TEXT_POINTS = 8.0
_FONT = "DejaVu Sans"  # ships with matplotlib, so that every machine writes the same bytes
_POINTS_PER_MM = 72 / MM_PER_INCH
_RENDERED_WIDER = 1.02  # at most, than the outlines of the letters: a bitmap rounds to its dots

# Okabe and Ito (2008), "Color universal design": distinct with every common colour vision.
BLUE, SKY, ORANGE, VERMILION = "#0072B2", "#56B4E9", "#E69F00", "#D55E00"
GRID_COLOUR = "0.85"

# (dimensions, with erasing): blue and orange, the darker with erasing. At least 3 : 1 against white, the
# contrast that WCAG 2.1 asks of graphics, and apart with every common colour vision.
_COLOURS = {(2, False): "#3F97D0", (2, True): "#08447A", (3, False): "#DB7A00", (3, True): "#9C2F00"}
_MARKERS = "osD^phX8d<>*"  # by a method's place, from the start again after the last
_DASHES: dict[str, str | tuple] = {"none": (0, (1, 1)), "zero": "--", "noise": "-"}
_OTHER_DASHES = "-."
_BASELINE_COLOUR = "0.35"
_BASELINE_MARKERS = "vP1234"

_STYLE = {
    "font.family": _FONT,
    "font.size": TEXT_POINTS,
    "axes.titlesize": TEXT_POINTS,
    "axes.labelsize": SMALL_POINTS,
    "xtick.labelsize": SMALL_POINTS,
    "ytick.labelsize": SMALL_POINTS,
    "legend.fontsize": SMALL_POINTS,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # letters stay letters in the PDF
}
# Without these, the time of writing makes every file differ.
_NO_DATE = {"png": {"Software": None}, "pdf": {"CreationDate": None}}


Arguments = ParamSpec("Arguments")
Drawn = TypeVar("Drawn")


def in_house_style(draw: Callable[Arguments, Drawn]) -> Callable[Arguments, Drawn]:
    """Run a function with matplotlib's defaults and our settings, and leave the caller's settings alone."""

    @wraps(draw)
    def draw_in_house_style(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawn:
        with matplotlib.style.context(["default", _STYLE]):
            return draw(*args, **kwargs)

    return draw_in_house_style


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """An empty figure of this size in print; it belongs to nobody but its caller (no pyplot)."""
    return Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))


def add_panel(
    figure: Figure, *, left_mm: float, top_mm: float, width_mm: float, height_mm: float, **settings: Any
) -> Axes:
    """Axes at a place measured from the top left corner of the figure."""
    figure_width_mm, figure_height_mm = figure.get_size_inches() * MM_PER_INCH
    box = (
        left_mm / figure_width_mm,
        1 - (top_mm + height_mm) / figure_height_mm,
        width_mm / figure_width_mm,
        height_mm / figure_height_mm,
    )
    return figure.add_axes(box, **settings)


def add_text(figure: Figure, text: str, *, left_mm: float, top_mm: float, **settings: Any) -> Text:
    """Text whose top left corner (unless `settings` align it otherwise) lies there."""
    figure_width_mm, figure_height_mm = figure.get_size_inches() * MM_PER_INCH
    settings = {"ha": "left", "va": "top"} | settings
    return figure.text(left_mm / figure_width_mm, 1 - top_mm / figure_height_mm, text, **settings)


def add_legend(
    figure: Figure, lines: Mapping[str, Mapping[str, Any]], *, left_mm: float, top_mm: float, **settings: Any
) -> None:
    """Title to look of each line; the corner that `loc` names, the upper left one by default, lies there."""
    width_mm, height_mm = figure.get_size_inches() * MM_PER_INCH
    place = (left_mm / width_mm, 1 - top_mm / height_mm)
    settings = {"loc": "upper left", "borderaxespad": 0, "borderpad": 0.2} | settings
    handles = [Line2D([], [], **look, label=title) for title, look in lines.items()]
    figure.legend(handles=handles, bbox_to_anchor=place, **settings)


def wrapped(text: str, width_mm: float) -> str:
    """Running text of SMALL_POINTS in lines that are no wider than this, unless a word alone is."""
    widest = width_mm * _POINTS_PER_MM / _RENDERED_WIDER
    font = FontProperties(family=_FONT, size=SMALL_POINTS)
    first, *words = text.split()
    lines = [first]
    for word in words:
        longer = f"{lines[-1]} {word}"
        if TextToPath().get_text_width_height_descent(longer, font, ismath=False)[0] <= widest:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def shortened(name: str, letters: int) -> str:
    """A name of at most so many letters: a long one keeps its start and its end."""
    if len(name) <= letters:
        return name
    start = (letters - 1) // 2
    return f"{name[:start]}…{name[start + 1 - letters :]}"


@in_house_style
def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG or PDF, by the suffix of `path`: the same figure gives the same bytes."""
    kind = Path(path).suffix.removeprefix(".")
    if kind not in _NO_DATE:
        raise ValueError(f"{path} ends in {kind!r}; figures are written as png or pdf. Change the suffix.")
    with replaced_when_complete(path) as unfinished:
        figure.savefig(unfinished, metadata=_NO_DATE[kind])


@in_house_style
def save_pages(figures: Iterable[Figure], path: str | Path) -> None:
    """Write figures as the pages of one PDF, one at a time, so that a generator keeps memory small."""
    with replaced_when_complete(path) as unfinished, PdfPages(unfinished, metadata=_NO_DATE["pdf"]) as pages:
        for figure in figures:
            pages.savefig(figure)


@dataclass(frozen=True)
class ModelStyle:
    """How a method is drawn."""

    colour: str  # of lines and markers
    marker: str  # in matplotlib's letters
    dashes: str | tuple  # line style as matplotlib takes it
    is_hollow: bool  # the marker has an outline only (2-D)

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
