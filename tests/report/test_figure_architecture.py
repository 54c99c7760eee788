from itertools import pairwise

import pytest
import torch
from matplotlib.text import Annotation
from paper_study import CONFIG

from spatial_erasing.report.figure_architecture import figure_architecture, shown_layers
from spatial_erasing.report.style import SMALL_POINTS
from spatial_erasing.train.start import make_network


def networks_of(grid, *, dims=(2, 3), device="meta", **changes):
    return [
        make_network(
            of_dims,
            grid,
            values=CONFIG["networks"]["vae"] | changes,
            seed=0,
            device=torch.device(device),
        )
        for of_dims in dims
    ]


@pytest.fixture(scope="module")
def figure():
    return figure_architecture(networks_of(tuple(CONFIG["preprocess"]["grid_voxels"])))


def labels_of(panel):
    """The texts above and below the boxes, from left to right."""
    texts = [text for text in panel.texts if not isinstance(text, Annotation)]
    assert [text.get_position()[0] for text in texts] == sorted(text.get_position()[0] for text in texts)
    return [text.get_text() for text in texts[::2]], [text.get_text() for text in texts[1::2]]


def test_study_s_networks_are_drawn_with_their_sizes_and_maps(figure):
    for panel, power, latent in zip(figure.axes, "²³", ("128", "512"), strict=True):
        above, below = labels_of(panel)
        sizes = [f"{size}{power}" for size in (64, 32, 16, 8, 8)]
        assert above == [*sizes, "z", *reversed(sizes), sizes[0]]
        assert below == ["1", "32", "64", "128", "16", latent, "16", "128", "64", "32", "32", "1"]


def test_parameters_are_counted(figure):
    assert [text.get_text() for text in figure.texts[:2]] == [
        "2-D: x of 64 × 64, z of 128, 744,657 parameters",
        "3-D: x of 64 × 64 × 64, z of 512, 13,976,017 parameters",
    ]


@pytest.mark.parametrize("bottleneck", [None, 2])
def test_boxes_are_what_the_layers_put_out_in_a_real_pass(bottleneck):
    """Layers that only normalise and activate have no box, so the last output of each shape counts."""
    (network,) = networks_of(
        (16, 24, 16),
        dims=(3,),
        device="cpu",
        feature_maps=[2, 4],
        bottleneck_channels=bottleneck,
        latent_size=5,
    )
    drawn = [(layer.feature_maps, *layer.grid_voxels) for layer in shown_layers(network)]
    seen = []
    computing = (torch.nn.Conv3d, torch.nn.ConvTranspose3d, torch.nn.Linear, torch.nn.Unflatten)
    for module in network.modules():
        if isinstance(module, computing) and module is not network.to_log_variance:
            module.register_forward_hook(lambda _module, _given, output: seen.append(tuple(output.shape[1:])))
    network(torch.zeros(1, 1, 16, 24, 16))
    flat = 4 * 4 * 6 * 4 if bottleneck is None else 2 * 4 * 6 * 4
    assert drawn == [(1, 16, 24, 16), *(shape for shape in seen if shape != (flat,))]


def test_boxes_grow_with_voxels_and_maps(figure):
    fronts = [patch.get_xy() for patch in figure.axes[0].patches]
    heights = [corners[:, 1].max() for corners in fronts]
    widths = [corners[:, 0].max() - corners[:, 0].min() for corners in fronts]
    assert heights[0] == pytest.approx(2 * heights[1]) == pytest.approx(8 * heights[3])
    assert widths[0] < widths[1] < widths[2] < widths[3]


def test_boxes_follow_each_other_with_the_same_gap_and_an_arrow_between(figure):
    for panel in figure.axes:
        arrows = [text for text in panel.texts if isinstance(text, Annotation)]
        assert len(arrows) == len(labels_of(panel)[0]) - 1
        assert all(arrow.xyann[0] < arrow.xy[0] for arrow in arrows)
        spans = sorted((c[:, 0].min(), c[:, 0].max()) for c in (patch.get_xy() for patch in panel.patches))
        boxes = []
        for left, right in spans:  # faces of a cube touch
            if boxes and left <= boxes[-1][1] + 1e-9:
                boxes[-1][1] = max(boxes[-1][1], right)
            else:
                boxes.append([left, right])
        gaps = [after[0] - before[1] for before, after in pairwise(boxes)]
        assert len(boxes) == len(arrows) + 1
        assert gaps == pytest.approx([gaps[0]] * len(gaps)) and gaps[0] > 3


def test_unequal_axes_are_written_out(figure):
    above, _ = labels_of(figure_architecture(networks_of((16, 24, 32))).axes[1])
    assert above[1] == "8 ×\n12 ×\n16"


def test_note_and_legend_say_what_the_layers_do(figure):
    note = figure.texts[-1].get_text().replace("\n", " ")
    assert "Kernel 4 where the stride is 2, followed by group normalisation and leaky ReLU" in note
    plain = figure_architecture(networks_of((16, 16, 16), norm="none", activation="relu"))
    assert "followed by ReLU." in plain.texts[-1].get_text().replace("\n", " ")
    kinds = [text.get_text() for text in figure.legends[0].get_texts()]
    assert kinds == [
        "input",
        "convolution, stride 2",
        "convolution, kernel 1",
        "dense",
        "transposed convolution, stride 2",
    ]


@pytest.mark.parametrize("grid", [(64, 64, 64), (80, 96, 80)])
def test_nothing_leaves_the_page_and_no_text_is_too_small(grid):
    figure = figure_architecture(networks_of(grid))
    figure.draw_without_rendering()
    for text in (*figure.texts, *(text for panel in figure.axes for text in panel.texts)):
        if not text.get_text():
            continue  # an arrow
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        assert text.get_fontsize() >= SMALL_POINTS


@pytest.mark.parametrize("grid", [(64, 64, 64), (80, 96, 80)])
def test_labels_of_boxes_do_not_overlap(grid):
    figure = figure_architecture(networks_of(grid))
    figure.draw_without_rendering()
    for panel in figure.axes:
        texts = [text for text in panel.texts if text.get_text()]
        for row in (texts[::2], texts[1::2]):
            boxes = [text.get_window_extent() for text in row]
            assert all(before.x1 < after.x0 for before, after in pairwise(boxes))
