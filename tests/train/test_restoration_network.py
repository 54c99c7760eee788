import numpy as np
import pytest
import torch
from restoring_networks import training
from scipy import stats

from spatial_erasing.train.unet import smooth_field


def corrupted(dims, count=400, **settings):
    network = training(f"{dims}d-restoration", network=settings).network
    scans = torch.rand(count, 1, *[8] * dims, generator=torch.Generator().manual_seed(1))
    scans[:, :, :2] = 0
    noise = network.draw_noise(count, generator=torch.Generator().manual_seed(2))
    return scans, network.corrupt(scans, noise), noise


@pytest.mark.parametrize("dims", [2, 3])
def test_an_anomaly_is_what_its_numbers_say(dims):
    """In numpy, sample by sample."""
    scans, inputs, noise = corrupted(dims, count=20, maximum_share=0.5, maximum_shift=0.7)
    shapes, amounts = (
        smooth_field(numbers, (8,) * dims, 2).double().numpy() for numbers in noise[:, 3:].chunk(2, dim=1)
    )
    kinds = set()
    for scan, found, numbers, shape, amount in zip(scans, inputs, noise, shapes, amounts, strict=True):
        share, degree, kind = stats.norm.cdf(numbers[:3].double().numpy())
        strength = np.interp(shape - stats.norm.isf(0.5 * share), [0, 0.3], [0, 1])
        whole, intensity = scan.numpy(), stats.norm.cdf(amount)
        target = whole + 1.4 * intensity - 0.7 if kind < 0.5 else degree * intensity + (1 - degree) * whole
        expected = np.clip((1 - strength) * whole + strength * target, 0, 1)
        expected[whole == 0] = 0
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        kinds.add(kind < 0.5)
    assert kinds == {True, False}


@pytest.mark.parametrize("dims", [2, 3])
def test_intensities_stay_in_range_and_the_background_stays_zero(dims):
    _, inputs, _ = corrupted(dims, maximum_shift=1.0)
    assert inputs.min() >= 0 and inputs.max() <= 1 and (inputs[:, :, :2] == 0).all()


@pytest.mark.parametrize("dims", [2, 3])
def test_anomalies_cover_on_average_half_of_the_maximum_share(dims):
    scans, inputs, _ = corrupted(dims, count=2000, maximum_share=0.4, shape_cells=3)
    share = (inputs != scans)[:, :, 2:].flatten(1).float().mean(dim=1).numpy()
    assert abs(share.mean() - 0.2) < 4 * share.std() / np.sqrt(len(share))


def test_shapes_have_soft_edges():
    """Half of the full change or less where a shape begins, on a grid that is fine for its cells."""
    network = training("2d-restoration", network={"shape_cells": 2}).network
    object.__setattr__(network.settings, "grid_voxels", (64, 64))
    scans = torch.full((200, 1, 64, 64), 0.5)
    noise = network.draw_noise(200, generator=torch.Generator().manual_seed(2))
    change = (network.corrupt(scans, noise) - scans).abs()
    steps = change.diff(dim=-1).abs().amax(dim=(1, 2, 3)) / change.amax(dim=(1, 2, 3)).clamp(min=1e-6)
    assert steps[change.amax(dim=(1, 2, 3)) > 0.05].median() < 0.5
