import nibabel as nib
import numpy as np
import pytest
from nilearn.datasets import load_mni152_brain_mask, load_mni152_template

from spatial_erasing.images.volumes import Volume
from spatial_erasing.preprocess.register import affine_to_template


@pytest.fixture(scope="module")
def template():
    image = load_mni152_template(resolution=2)
    brain = load_mni152_brain_mask(resolution=2).get_fdata() > 0
    return Volume(np.where(brain, image.get_fdata(), 0).astype(np.float32), image.affine)


@pytest.fixture(scope="module")
def person(template):
    """The template's own brain, turned, shifted and 8 % smaller by its header alone; and by what."""
    turn = nib.eulerangles.euler2mat(z=0.08, y=-0.05, x=0.1) @ np.diag([0.94, 0.92, 0.90])
    from_template = nib.affines.from_matvec(turn, [6.0, -9.0, 12.0])
    return Volume(template.intensities, from_template @ template.affine), from_template


def farthest_mm(found, from_template, template):
    """The largest distance by which a place of the brain misses itself."""
    places_mm = nib.affines.apply_affine(template.affine, np.argwhere(template.intensities > 0)[::50])
    there_mm = nib.affines.apply_affine(from_template, places_mm)
    return np.linalg.norm(nib.affines.apply_affine(found, there_mm) - places_mm, axis=1).max()


def test_a_known_affine_is_found_again_to_a_fraction_of_a_voxel(template, person):
    volume, from_template = person
    found = affine_to_template(volume, template)
    assert farthest_mm(np.eye(4), from_template, template) > 15
    assert farthest_mm(found, from_template, template) < 1
    np.testing.assert_array_equal(affine_to_template(volume, template), found)


def test_the_order_in_which_voxels_are_stored_does_not_turn_the_brain(template, person):
    volume, from_template = person
    shape = np.array(volume.intensities.shape)
    flip = nib.affines.from_matvec(np.diag([-1.0, -1.0, 1.0]), [shape[0] - 1, shape[1] - 1, 0])
    stored = Volume(volume.intensities[::-1, ::-1], volume.affine @ flip)
    assert farthest_mm(affine_to_template(stored, template), from_template, template) < 1
