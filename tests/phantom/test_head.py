import numpy as np
import torch

from spatial_erasing_phantoms.fields import Grid
from spatial_erasing_phantoms.head import render_head


def test_only_the_voxels_near_the_brain_are_computed_and_none_is_missed(person, template):
    """A grid cut tightly around a brain holds the same brain as a grid with room around it."""
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = [-120, -150, -130]
    wide = render_head(template, person[0], None, Grid((80, 90, 85), affine))
    inside = [np.flatnonzero((wide.brain > 0).numpy().any(others)) for others in ((1, 2), (0, 2), (0, 1))]
    box = tuple(slice(int(hit[0]) - 1, int(hit[-1]) + 2) for hit in inside)
    tight = render_head(template, person[0], None, wide.grid.block(box))

    assert torch.allclose(tight.brain, wide.brain[box], atol=0.05)
    assert abs(float(tight.brain.sum() / wide.brain.sum()) - 1) < 1e-3


def test_brain_is_the_sum_of_its_tissues_and_is_not_doubled_by_surroundings(person, template):
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = [-100, -130, -100]
    grid = Grid((50, 60, 55), affine)
    bare, whole = render_head(template, person[0], None, grid), render_head(template, *person, grid)
    torch.testing.assert_close(sum(whole.tissues.values()), whole.brain)
    assert torch.equal(bare.brain, whole.brain)
    assert not bare.surroundings
    assert set(whole.surroundings) == {"meninges", "bone", "marrow", "fat", "muscle"}
