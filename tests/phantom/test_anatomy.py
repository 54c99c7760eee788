from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from spatial_erasing_phantoms.anatomy import draw_deformation, fold_tissues, rotation, warp_points
from spatial_erasing_phantoms.fields import Field
from spatial_erasing_phantoms.head import render_head
from spatial_erasing_phantoms.person import LESION_GRID


@pytest.fixture(scope="module")
def identity(person):
    """The template itself as a person."""
    deformation = person[0]
    return replace(
        deformation,
        template_from_world=np.eye(4),
        displacement_mm=Field(
            torch.zeros_like(deformation.displacement_mm.values), deformation.displacement_mm.affine
        ),
        ventricle_mm=0.0,
        folds=Field(torch.zeros_like(deformation.folds.values), deformation.folds.affine),
    )


def _csf_near_ventricles_ml(head) -> float:
    points = head.grid.points()
    near = (points[0].abs() < 40) & ((points[1] + 15).abs() < 45) & ((points[2] - 12).abs() < 18)
    return float(head.tissues["csf"][near].sum() * head.grid.voxel_ml)


def test_rotation_equals_scipy():
    angles = (0.3, -0.2, 0.5)
    np.testing.assert_allclose(rotation(*angles), Rotation.from_euler("xyz", angles).as_matrix(), atol=1e-12)


def test_the_identity_moves_no_point(identity, template):
    points_mm = LESION_GRID.points()
    np.testing.assert_allclose(
        warp_points(identity, points_mm, template.ventricle_pull), points_mm, atol=1e-4
    )


def test_scaling_a_brain_scales_its_volume_with_the_determinant(identity, template):
    scaled = replace(identity, template_from_world=np.diag([1 / 0.9, 1 / 0.95, 1 / 0.85, 1]))
    before, after = (
        float((render_head(template, person, None, LESION_GRID).brain >= 0.5).sum())
        for person in (identity, scaled)
    )
    assert after / before == pytest.approx(0.9 * 0.95 * 0.85, rel=0.01)


def test_folding_moves_tissue_but_no_brain(person, template):
    folded = fold_tissues(person[0], template)
    np.testing.assert_allclose(folded.values.sum(0), template.tissues.values.sum(0), atol=1e-5)
    moved = (folded.values - template.tissues.values).abs().sum(0)
    assert moved[template.tissues.values.sum(0) > 0.99].mean() > 0.1


def test_a_larger_level_thickens_the_cortex(identity, template):
    thick = replace(
        identity,
        folds=Field(identity.folds.values + torch.tensor([0.5, 0]).view(2, 1, 1, 1), identity.folds.affine),
    )
    assert (
        fold_tissues(thick, template).values[0].sum()
        > 1.05 * fold_tissues(identity, template).values[0].sum()
    )


def test_ventricles_grow_with_their_parameter_and_the_brain_does_not(identity, template):
    heads = [
        render_head(template, replace(identity, ventricle_mm=move_mm), None, LESION_GRID)
        for move_mm in (-1, 0, 2, 4)
    ]
    csf_ml = [_csf_near_ventricles_ml(head) for head in heads]
    assert csf_ml == sorted(csf_ml)
    assert csf_ml[-1] > 1.5 * csf_ml[0]
    volumes = [float(head.brain.sum()) for head in heads]
    assert max(volumes) / min(volumes) < 1.002


def test_people_differ_in_size_ventricles_and_cortex(template):
    people = [draw_deformation(np.random.default_rng(seed)) for seed in range(8)]
    heads = [render_head(template, person, None, LESION_GRID) for person in people]
    brain_ml = np.array([float(head.brain.sum() * head.grid.voxel_ml) for head in heads])
    grey = np.array([float(head.tissues["grey"].sum() / head.brain.sum()) for head in heads])
    ventricles_ml = np.array([_csf_near_ventricles_ml(head) for head in heads])

    assert ((brain_ml > 1000) & (brain_ml < 1900)).all()
    assert brain_ml.std() > 60
    assert grey.std() > 0.01
    assert ventricles_ml.std() > 0.1 * ventricles_ml.mean()


def test_no_deformation_folds_space(template):
    for seed in range(4):
        warped = warp_points(
            draw_deformation(np.random.default_rng(seed)), LESION_GRID.points(), template.ventricle_pull
        )
        jacobian = np.stack([np.stack(np.gradient(axis.numpy(), 3.0)) for axis in warped])
        determinant = np.linalg.det(np.moveaxis(jacobian, (0, 1), (-2, -1)))
        assert determinant.min() > 0.1
