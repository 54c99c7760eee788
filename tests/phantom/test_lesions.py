import numpy as np
import pytest
import torch

from spatial_erasing_phantoms.fields import Field
from spatial_erasing_phantoms.lesions import Lesion, apply_lesion, lesion_labels, lesion_signal

SIGNAL = {"t1": {"rim": ("csf", "grey", 0.75), "core": ("csf", "grey", 0.25)}}


@pytest.fixture
def lesion():
    """Two balls of 20 and 10 mm about a point in white matter."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [0, -60, -20]
    index = torch.stack(torch.meshgrid(*[torch.arange(31.0)] * 3, indexing="ij"))
    distance_mm = 2 * (index - 15).norm(dim=0)
    return Lesion(
        ("rim", "core"), Field(torch.stack([20 - distance_mm, 10 - distance_mm]), affine), 2.0, SIGNAL
    )


def test_a_lesion_replaces_brain_and_nothing_else(coarse_brain, lesion):
    before = {name: share.clone() for name, share in coarse_brain.tissues.items()}
    head = apply_lesion(lesion, coarse_brain)

    np.testing.assert_allclose(sum(head.tissues.values()), coarse_brain.brain, atol=1e-5)
    assert min(float(share.min()) for share in head.tissues.values()) >= 0
    share = head.tissues["rim"] + head.tissues["core"]
    for name, healthy in before.items():
        assert torch.equal(coarse_brain.tissues[name], healthy)
        assert torch.equal(head.tissues[name][share == 0], healthy[share == 0])


def test_a_deep_lesion_has_the_volume_of_its_ball_and_a_soft_edge(coarse_brain, lesion):
    head = apply_lesion(lesion, coarse_brain)
    core_ml = float((head.tissues["core"]).sum() * head.grid.voxel_ml)
    assert core_ml == pytest.approx(4 / 3 * np.pi * 10**3 / 1000, rel=0.05)
    partial = (head.tissues["core"] > 0.01) & (head.tissues["core"] < 0.99)
    assert partial.sum() > 20


def test_labels_are_the_innermost_part_that_fills_half_a_voxel(coarse_brain, lesion):
    head = apply_lesion(lesion, coarse_brain)
    labels = lesion_labels(lesion, head, {"rim": 2, "core": 1})
    whole = (head.tissues["rim"] + head.tissues["core"]).numpy()
    assert np.array_equal(labels > 0, whole >= 0.5)
    assert np.array_equal(labels == 1, head.tissues["core"].numpy() >= 0.5)
    assert (head.brain.numpy()[labels > 0] >= 0.5).all()


def test_signal_lies_between_its_two_tissues(lesion):
    signal = lesion_signal(lesion, "t1", {"csf": 0.2, "grey": 0.6, "white": 1.0})
    assert signal == pytest.approx({"rim": 0.5, "core": 0.3})


def test_a_lesion_outside_the_grid_changes_nothing(coarse_brain, lesion):
    far = lesion.depth_mm.affine.copy()
    far[:3, 3] += 1000
    moved = Lesion(lesion.parts, Field(lesion.depth_mm.values, far), 2.0, SIGNAL)
    head = apply_lesion(moved, coarse_brain)
    assert not lesion_labels(moved, head, {"rim": 2, "core": 1}).any()
    assert torch.equal(head.tissues["white"], coarse_brain.tissues["white"])
