import numpy as np
import torch
from nilearn.datasets import load_mni152_template, load_mni152_wm_template
from scipy.ndimage import distance_transform_edt

from spatial_erasing_phantoms.fields import Field
from spatial_erasing_phantoms.mni152 import load_template


def _ml(field: Field, share: torch.Tensor) -> float:
    return float(share.sum() * abs(np.linalg.det(field.affine[:3, :3]))) / 1000


def test_the_brain_is_the_mask_of_the_template_at_any_spacing(template):
    mask_ml = (load_mni152_template(resolution=1).get_fdata() > 0).sum() / 1000
    for tissues in (template.tissues, load_template(3.0).tissues):
        assert abs(_ml(tissues, tissues.values) - mask_ml) < 0.002 * mask_ml


def _centre_mm(weights: np.ndarray, affine: np.ndarray) -> np.ndarray:
    middle = [float((weights * axis).sum() / weights.sum()) for axis in np.indices(weights.shape)]
    return (affine @ [*middle, 1])[:3]


def test_averaged_tissues_lie_where_nilearn_has_them(template):
    image = load_mni152_wm_template(resolution=1)
    expected_mm = _centre_mm(image.get_fdata(), image.affine)
    for tissues in (template.tissues, load_template(3.0).tissues):
        np.testing.assert_allclose(
            _centre_mm(tissues.values[1].numpy(), tissues.affine), expected_mm, atol=0.1
        )


def test_tissue_shares_are_shares_and_end_before_the_border(template):
    values = template.tissues.values
    assert values.min() >= 0
    assert values.sum(0).max() <= 1 + 1e-5
    border = torch.ones_like(values[0], dtype=torch.bool)
    border[1:-1, 1:-1, 1:-1] = False
    assert values[:, border].max() == 0


def test_outside_the_brain_the_hull_is_a_distance(template):
    hull_mm = template.hull_mm.values[0].numpy()
    exact_mm = 3.0 * distance_transform_edt(hull_mm > 0)
    far = (hull_mm > 15) & (hull_mm < 60)
    assert np.abs(hull_mm - exact_mm)[far].mean() < 2
    assert np.corrcoef(hull_mm[far], exact_mm[far])[0, 1] > 0.995


def test_the_ventricle_field_points_to_the_ventricles_from_all_sides(template):
    # the bodies of the lateral ventricles pass (-12, 0, 24) and (12, 0, 24) in MNI space
    around_mm = torch.tensor([[-26.0, 0, 22], [26, 0, 22], [12, 0, 38], [12, 0, 8]]).T.reshape(3, 4, 1, 1)
    pull = template.ventricle_pull.sample(around_mm)[:, :, 0, 0]
    assert pull[0, 0] > 0.05
    assert pull[0, 1] < -0.05
    assert pull[2, 2] < -0.05
    assert pull[2, 3] > 0.05
