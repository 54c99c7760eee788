from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from paper_study import BASELINES, METHODS, NETWORKS

from spatial_erasing.report.style import compared_pairs, families, model_style

# Machado et al. (2009), "A physiologically-based model for simulation of color vision deficiency",
# severity 1, on linear RGB.
COLOUR_VISION = {
    "normal": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
FOUR = ["2d-none", "2d-patch-noise", "3d-none", "3d-cube-noise"]


def names(methods):
    return [method.name for method in methods]


def pairs_of(models):
    return compared_pairs([METHODS[name] for name in models])


def linear_rgb(colour):
    value = np.array(to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear sRGB (D65)."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("model", [*FOUR, *BASELINES])
def test_every_colour_stands_out_from_paper(model):
    """WCAG 2.1 asks a contrast of 3 : 1 of graphics."""
    luminance = linear_rgb(model_style(METHODS[model]).colour) @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (luminance + 0.05) > 3


@pytest.mark.parametrize("vision", COLOUR_VISION)
@pytest.mark.parametrize("pair", list(combinations(FOUR, 2)), ids=" ".join)
def test_models_of_the_paper_s_figures_differ_in_colour_with_every_colour_vision(vision, pair):
    seen = [
        np.array(COLOUR_VISION[vision]) @ linear_rgb(model_style(METHODS[model]).colour) for model in pair
    ]
    assert np.linalg.norm(lab(seen[0]) - lab(seen[1])) > 20


@pytest.mark.parametrize("pair", list(combinations((*NETWORKS, *BASELINES), 2)), ids=" ".join)
def test_no_two_models_look_alike_without_colour(pair):
    looks = [
        (style.marker, style.dashes, style.is_hollow)
        for style in (model_style(METHODS[name]) for name in pair)
    ]
    assert looks[0] != looks[1]


def test_two_dimensional_models_are_hollow_in_lines_points_and_dots():
    assert (
        model_style(METHODS["2d-patch-zero"]).is_hollow and not model_style(METHODS["3d-cube-zero"]).is_hollow
    )
    assert model_style(METHODS["2d-patch-zero"]).point["markerfacecolor"] == "white"
    assert model_style(METHODS["2d-patch-zero"]).dots["facecolors"] == "none"
    filled = model_style(METHODS["3d-cube-zero"])
    assert filled.line["markerfacecolor"] == filled.dots["facecolors"] == filled.colour


def test_another_network_or_score_looks_different_without_colour():
    plain = METHODS["3d-none"]
    others = [replace(plain, name="other", place=place) for place in range(4, 12)]
    drawn = [METHODS[name] for name in (*NETWORKS, *BASELINES)] + others
    assert len({model_style(method).marker for method in drawn}) == 4 + 2 + 8


def test_families_repeat_the_models_that_erase_nothing():
    groups = families(METHODS[name] for name in NETWORKS)
    assert list(groups) == ["Cube", "Multi cube", "Half"]
    for members in groups.values():
        assert names(members)[:2] == ["2d-none", "3d-none"] and len(members) == 6
    assert {method.name for members in groups.values() for method in members} == set(NETWORKS)


def test_models_without_any_erasing_are_one_family():
    assert names(families(METHODS[name] for name in ("3d-none", "2d-none"))[""]) == ["3d-none", "2d-none"]


def test_pairs_are_the_three_rows_of_the_paper():
    assert {title: names(row) for title, row in pairs_of(FOUR).items()} == {
        "2-D without and with erasing": ["2d-none", "2d-patch-noise"],
        "3-D without and with erasing": ["3d-none", "3d-cube-noise"],
        "2-D and 3-D with erasing": ["2d-patch-noise", "3d-cube-noise"],
    }


@pytest.mark.parametrize(
    "models, rows",
    [
        (["2d-patch-noise", "3d-cube-noise"], [["2d-patch-noise", "3d-cube-noise"]]),
        (["2d-patch-zero", "2d-patch-noise"], [["2d-patch-zero", "2d-patch-noise"]]),
        (["2d-none", "3d-none"], [["2d-none", "3d-none"]]),
        (["2d-none", "2d-patch-noise", "3d-none"], [["2d-none", "2d-patch-noise"], ["3d-none"]]),
        (["3d-cube-noise"], [["3d-cube-noise"]]),
    ],
)
def test_no_model_is_lost_and_no_row_is_repeated(models, rows):
    assert list(map(names, pairs_of(models).values())) == rows
