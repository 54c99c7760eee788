"""Figure 2: the networks of a study, layer by layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon

from spatial_erasing.report.style import PAGE_WIDTH_MM, SMALL_POINTS, PageFigure, in_house_style, wrapped
from spatial_erasing.train.network import LayerShape, Network, parameter_count, trace_shapes

_TITLE_MM, _LEGEND_MM, _NOTE_MM, _MARGIN_MM, _TEXT_MM = 7.0, 7.0, 9.0, 4.5, 3.2
_BASE_MM = 8.0  # from the bottom of a row to the bottom of its boxes
_TALLEST_MM, _LOWEST_MM = 18.0, 2.0
_LATENT_MM = 14.0
_ARROW_MM = 0.9  # above the bottom of the boxes
_DEPTH_ACROSS, _DEPTH_UP = 0.32, 0.24  # how far the back of a cube is seen beside and above its front

# Kind of operation -> its look; the hatching tells them apart without colour.
_LOOKS = {
    "input": {"facecolor": "white"},
    "convolution, stride 2": {"facecolor": "#8CC0E3"},
    "convolution, kernel 1": {"facecolor": "0.8", "hatch": "..."},
    "dense": {"facecolor": "0.333"},
    "transposed convolution, stride 2": {"facecolor": "#F3B562", "hatch": "///"},
}
_OUTLINE = {"edgecolor": "black", "linewidth": 0.7, "hatch_linewidth": 0.5}
_NORM_TITLES = {"none": "", "batch": "batch normalisation and ", "group": "group normalisation and "}
_ACTIVATION_TITLES = {"leaky_relu": "leaky ReLU", "relu": "ReLU", "silu": "SiLU", "elu": "ELU"}


@dataclass(frozen=True)
class _Box:
    """A layer on the page, measured from the left end and the bottom of all boxes."""

    layer: LayerShape
    left_mm: float
    width_mm: float
    height_mm: float
    depth_mm: float

    @property
    def right_mm(self) -> float:
        return self.left_mm + self.width_mm + _DEPTH_ACROSS * self.depth_mm

    @property
    def foot_mm(self) -> float:
        """The box's right edge where the arrows are."""
        slope = _DEPTH_ACROSS / _DEPTH_UP
        return self.left_mm + self.width_mm + min(slope * _ARROW_MM, _DEPTH_ACROSS * self.depth_mm)

    @property
    def top_mm(self) -> float:
        return self.height_mm + _DEPTH_UP * self.depth_mm

    @property
    def label_mm(self) -> float:
        """How much of the page the text above the box takes."""
        return 0.8 + _TEXT_MM * (_size_text(self.layer).count("\n") + 1)


@in_house_style
def figure_architecture(networks: Sequence[Network]) -> Figure:
    """Every layer's output as a box, its size above and its maps below, as Bengs et al. (2021), Figure 2.

    Traced from the networks themselves, so that the figure shows what was trained.
    """
    rows = [_place_boxes(shown_layers(network)) for network in networks]
    heights_mm = [_BASE_MM + max(box.top_mm + box.label_mm for box in boxes) for boxes in rows]
    height_mm = len(networks) * _TITLE_MM + sum(heights_mm) + _LEGEND_MM + _NOTE_MM
    figure = PageFigure(PAGE_WIDTH_MM, height_mm)
    top_mm = 0.0
    for network, boxes, row_mm in zip(networks, rows, heights_mm, strict=True):
        figure.add_text(_title(network), (0, top_mm + 1.0))
        panel = figure.add_panel((0, top_mm + _TITLE_MM), (PAGE_WIDTH_MM, row_mm))
        panel.set(xlim=(0, PAGE_WIDTH_MM), ylim=(-_BASE_MM, row_mm - _BASE_MM))
        panel.set_axis_off()
        _draw_boxes(panel, boxes)
        top_mm += _TITLE_MM + row_mm
    present = {_kind(box.layer) for boxes in rows for box in boxes}
    figure.legend(
        handles=[Patch(**look, **_OUTLINE, label=kind) for kind, look in _LOOKS.items() if kind in present],
        loc="lower center",
        bbox_to_anchor=(0.5, _NOTE_MM / height_mm),
        **{"ncols": len(_LOOKS), "columnspacing": 1.6, "handlelength": 1.6},
    )
    note = wrapped(_note(networks[0]), PAGE_WIDTH_MM)
    figure.add_text(note, (0, height_mm - _NOTE_MM + 0.5), fontsize=SMALL_POINTS)
    return figure


def shown_layers(network: Network) -> list[LayerShape]:
    """The layers that have a box: all, but "restore" only where it is a convolution."""
    settings: Any = network.settings
    has_bottleneck = settings.bottleneck_channels is not None
    return [layer for layer in trace_shapes(network) if layer.name != "restore" or has_bottleneck]


def _kind(layer: LayerShape) -> str:
    """The operation that puts a layer out, a key of `_LOOKS`."""
    word = layer.name.partition("_")[0]
    return {
        "input": "input",
        "down": "convolution, stride 2",
        "bottleneck": "convolution, kernel 1",
        "latent": "dense",
        "from": "dense",
        "restore": "convolution, kernel 1",
        "up": "transposed convolution, stride 2",
        "output": "convolution, kernel 1",
    }[word]


def _place_boxes(layers: Sequence[LayerShape]) -> list[_Box]:
    """Boxes across the page with the same gap between all of them."""
    largest = max(max(layer.grid_voxels, default=1) for layer in layers)
    sizes = [_box_size_mm(layer, _TALLEST_MM / largest) for layer in layers]
    across_mm = [width + _DEPTH_ACROSS * depth for width, _, depth in sizes]
    gap_mm = (PAGE_WIDTH_MM - 2 * _MARGIN_MM - sum(across_mm)) / max(1, len(layers) - 1)
    boxes, left_mm = [], _MARGIN_MM
    for layer, size, used_mm in zip(layers, sizes, across_mm, strict=True):
        boxes.append(_Box(layer, left_mm, *size))
        left_mm += used_mm + gap_mm
    return boxes


def _box_size_mm(layer: LayerShape, mm_per_voxel: float) -> tuple[float, float, float]:
    """Width by the logarithm of the maps, height and depth by the voxels; z has a size of its own."""
    if not layer.grid_voxels:
        return 1.6, _LATENT_MM, 0.0
    first, *_, last = layer.grid_voxels
    depth_mm = mm_per_voxel * first if len(layer.grid_voxels) == 3 else 0.0
    return 0.9 + 0.55 * math.log2(layer.feature_maps), max(_LOWEST_MM, mm_per_voxel * last), depth_mm


def _draw_boxes(panel: Axes, boxes: Sequence[_Box]) -> None:
    for box in boxes:
        for corners in _faces(box):
            panel.add_patch(Polygon(corners, **_LOOKS[_kind(box.layer)], **_OUTLINE, joinstyle="round"))
        middle_mm = (box.left_mm + box.right_mm) / 2
        text = {"ha": "center", "fontsize": SMALL_POINTS, "linespacing": 1.0}
        panel.text(middle_mm, box.top_mm + 0.8, _size_text(box.layer), va="bottom", **text)
        panel.text(middle_mm, -1.3, str(box.layer.feature_maps), va="top", **text)
    arrow = {"arrowstyle": "-|>,head_length=0.25,head_width=0.12", "color": "0.3", "linewidth": 0.7}
    arrow |= {"shrinkA": 0, "shrinkB": 0}
    for before, after in pairwise(boxes):
        ends = {"xy": (after.left_mm - 0.4, _ARROW_MM), "xytext": (before.foot_mm + 0.5, _ARROW_MM)}
        panel.annotate("", **ends, arrowprops=arrow)


def _faces(box: _Box) -> list[list[tuple[float, float]]]:
    """Corners of the front and, in 3-D, of the top and the right side."""
    left, right, top = box.left_mm, box.left_mm + box.width_mm, box.height_mm
    across, up = _DEPTH_ACROSS * box.depth_mm, _DEPTH_UP * box.depth_mm
    front = [(left, 0), (right, 0), (right, top), (left, top)]
    if not box.depth_mm:
        return [front]
    above = [(left, top), (right, top), (right + across, top + up), (left + across, top + up)]
    side = [(right, 0), (right + across, up), (right + across, top + up), (right, top)]
    return [front, above, side]


def _size_text(layer: LayerShape) -> str:
    """64³, or the axes below each other where they differ."""
    if not layer.grid_voxels:
        return "z"
    if len(set(layer.grid_voxels)) == 1:
        return f"{layer.grid_voxels[0]}{'²' if len(layer.grid_voxels) == 2 else '³'}"
    return " ×\n".join(map(str, layer.grid_voxels))


def _title(network: Network) -> str:
    settings: Any = network.settings
    grid = " × ".join(map(str, settings.grid_voxels))
    parameters = f"{parameter_count(network):,} parameters"
    return f"{settings.spatial_dims}-D: x of {grid}, z of {settings.latent_size}, {parameters}"


def _note(network: Network) -> str:
    """How to read the boxes, and what is not in them."""
    settings: Any = network.settings
    norm, activation = _NORM_TITLES[settings.norm], _ACTIVATION_TITLES[settings.activation]
    return (
        "Above a box: voxels on each axis; below: feature maps, or the length of z. Kernel "
        f"{settings.kernel_size} where the stride is 2, followed by {norm}{activation}. Two dense layers "
        "make mean and variance of z; training draws z, testing takes the mean."
    )
