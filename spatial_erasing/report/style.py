"""One look for every figure and for each method in it, and which methods a figure sets against each other.

Sizes are in mm on the printed page. Colour says dimensions and erasing, dashes say the fill, the marker
says all else: what is erased, the network and the score. Whoever sees no colour still has marker, filling
and dashes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
_NOTE_LINE_MM = 3.6
_RENDERED_WIDER = 1.02  # at most, than the outlines of the letters: a bitmap rounds to its dots

# Okabe and Ito (2008), "Color universal design": distinct with every common colour vision.
BLUE, SKY, ORANGE, VERMILION = "#0072B2", "#56B4E9", "#E69F00", "#D55E00"

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
    "axes.axisbelow": True,
    "grid.color": "0.85",
    "grid.linewidth": 0.4,
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


Corner = tuple[float, float]  # mm from the left and from the top

# A decorator: a function draws with matplotlib's defaults and our settings, and leaves the caller's alone.
in_house_style = matplotlib.style.context(["default", _STYLE])


class PageFigure(Figure):
    """A figure of this size in print, whose parts are placed in mm from its top left corner (no pyplot)."""

    def __init__(self, width_mm: float, height_mm: float) -> None:
        super().__init__(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))

    @classmethod
    def noted(cls, height_mm: float, note: str) -> "PageFigure":
        """A figure of the page's width with running text below this height."""
        text = wrapped(note, PAGE_WIDTH_MM)
        figure = cls(PAGE_WIDTH_MM, height_mm + (text.count("\n") + 1) * _NOTE_LINE_MM + 1.0)
        figure.add_text(text, (0, height_mm + 0.3), fontsize=SMALL_POINTS)
        return figure

    def _place(self, corner_mm: Corner) -> tuple[float, float]:
        width_mm, height_mm = self.get_size_inches() * MM_PER_INCH
        return corner_mm[0] / width_mm, 1 - corner_mm[1] / height_mm

    def add_panel(self, corner_mm: Corner, size_mm: tuple[float, float]) -> Axes:
        """Axes with their top left corner at this place, and their width and height."""
        left, top = self._place(corner_mm)
        right, bottom = self._place((corner_mm[0] + size_mm[0], corner_mm[1] + size_mm[1]))
        return self.add_axes((left, bottom, right - left, top - bottom))

    def add_text(self, text: str, corner_mm: Corner, **settings: Any) -> Text:
        """Text with its top left corner (unless `settings` align it otherwise) at this place."""
        return self.text(*self._place(corner_mm), text, **{"ha": "left", "va": "top"} | settings)

    def add_legend(
        self, methods: Iterable[Method], corner_mm: Corner, *, line: Mapping[str, Any], **settings: Any
    ) -> None:
        """A line for each method with its title; the upper left corner, or that of `loc`, at this place.

        `line` has keywords of Line2D that override the look of the method.
        """
        settings = {"loc": "upper left", "borderaxespad": 0, "borderpad": 0.2} | settings
        looks = {method.title: model_style(method).line | dict(line) for method in methods}
        handles = [Line2D([], [], **look, label=title) for title, look in looks.items()]
        self.legend(handles=handles, bbox_to_anchor=self._place(corner_mm), **settings)


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
    of_dims = {dims: [method for method in methods if method.dims == dims] for dims in (2, 3)}
    rows = {f"{dims}-D without and with erasing": row for dims, row in of_dims.items() if len(row) > 1}
    erasing = [method for method in methods if method.erase != "none"]
    if {method.dims for method in erasing} == {2, 3}:
        rows["2-D and 3-D with erasing"] = erasing
    left = [method for method in methods if not any(method in row for row in rows.values())]
    if left:
        rows[""] = left
    return rows
