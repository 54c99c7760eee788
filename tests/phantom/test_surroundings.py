from dataclasses import replace

import numpy as np
import pytest
import torch

from spatial_erasing_phantoms.fields import Field, Grid
from spatial_erasing_phantoms.head import render_head
from spatial_erasing_phantoms.surroundings import _capsule, _ellipsoid, draw_surroundings


@pytest.fixture(scope="module")
def even_person(person):
    """A person whose shells have the same thickness everywhere."""
    deformation, surroundings = person
    even = Field(torch.zeros_like(surroundings.variation.values), surroundings.variation.affine)
    return deformation, replace(surroundings, shells_mm=(3.0, 6.0, 7.0), variation=even)


@pytest.fixture(scope="module")
def upward(even_person, template):
    """Tissues along a line from inside the brain up through its top, every 0.5 mm."""
    deformation = even_person[0]
    middle = (np.linalg.inv(deformation.template_from_world) @ [12, -18, 40, 1])[:3]
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = middle
    head = render_head(template, *even_person, Grid((9, 9, 181), affine))
    around = {
        name: share[share.shape[0] // 2, share.shape[1] // 2] for name, share in head.surroundings.items()
    }
    return head, around


def test_brain_and_surroundings_fill_a_voxel_at_most_once(even_person, template):
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = [-96, -136, -130]
    head = render_head(template, *even_person, Grid((96, 120, 120), affine))
    around = torch.stack(list(head.surroundings.values()))
    assert around.min() >= 0
    assert around.sum(0).max() <= 1 + 1e-5
    # every voxel of the brain's surface lies in the skull, so that nothing but meninges touches it
    near = (head.brain > 0.05) & (head.brain < 0.95)
    touching = torch.nn.functional.interpolate(
        head.surroundings["meninges"][None, None], head.grid.shape, mode="trilinear", align_corners=True
    )[0, 0]
    assert touching[near].mean() > 0.95


def test_shells_follow_from_inside_to_outside(upward):
    _, around = upward
    depth = torch.arange(len(around["bone"])).float()
    bone = around["bone"] + around["marrow"]
    soft = around["fat"] + around["muscle"]
    middles = [float((shell * depth).sum() / shell.sum()) for shell in (bone, soft)]
    assert middles[0] < middles[1]
    assert soft[: int(middles[0])].max() < 1e-3


def test_the_skull_has_its_thickness(upward):
    head, around = upward
    step_mm = 0.5 * (head.grid.shape[2] - 1) / (len(around["bone"]) - 1)
    # the top of a head is nearly level, so that a vertical line crosses its shells squarely
    assert float((around["bone"] + around["marrow"]).sum() * step_mm) == pytest.approx(6.0, abs=0.8)


def test_a_rod_and_a_ball_have_exact_distances():
    points_mm = torch.from_numpy(np.random.default_rng(0).uniform(-30, 30, (3, 4, 5, 6))).float()
    rod_mm = _capsule(points_mm, (0, 0, -10), (0, 0, 10), 4)[0].numpy()
    x, y, z = points_mm.numpy()
    expected_mm = np.sqrt(x**2 + y**2 + np.clip(np.abs(z) - 10, 0, None) ** 2) - 4
    np.testing.assert_allclose(rod_mm, expected_mm, atol=1e-4)
    ball_mm = _ellipsoid(points_mm, (1, 2, 3), (5, 5, 5))[0].numpy()
    np.testing.assert_allclose(ball_mm, np.sqrt((x - 1) ** 2 + (y - 2) ** 2 + (z - 3) ** 2) - 5, atol=1e-4)


def test_drawn_shells_lie_in_the_stated_ranges():
    shells_mm = np.array([draw_surroundings(np.random.default_rng(seed)).shells_mm for seed in range(12)])
    assert (shells_mm >= (2.0, 4.5, 5.0)).all()
    assert (shells_mm <= (3.5, 7.0, 9.0)).all()
    assert (shells_mm.std(0) > 0.2).all()
