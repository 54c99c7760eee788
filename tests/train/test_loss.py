import math

import pytest
import torch
from torch.distributions import Laplace, Normal
from torch.distributions import kl_divergence as distribution_kl

from spatial_erasing.train.network import reconstruction_l1
from spatial_erasing.train.networks.vae import kl_divergence, kl_per_dimension, vae_loss


@pytest.fixture
def posterior():
    generator = torch.Generator().manual_seed(3)
    mean = 3 * torch.randn(5, 7, generator=generator)
    return mean, 2 * torch.randn(5, 7, generator=generator)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(4)
    return torch.rand(5, 1, 8, 6, 4, generator=generator), torch.rand(5, 1, 8, 6, 4, generator=generator)


def test_kl_is_that_of_torch_distributions(posterior):
    mean, log_variance = posterior
    deviation = torch.exp(log_variance.double() / 2)
    expected = distribution_kl(Normal(mean.double(), deviation), Normal(torch.zeros(5, 7).double(), 1.0))
    torch.testing.assert_close(kl_per_dimension(mean, log_variance), expected.float())
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected.sum(dim=1).float())


def test_kl_agrees_with_a_monte_carlo_estimate():
    posterior, prior = Normal(0.7, 0.4), Normal(0.0, 1.0)
    torch.manual_seed(0)
    draws = posterior.sample((400_000,))
    estimate = (posterior.log_prob(draws) - prior.log_prob(draws)).mean().item()
    kl = kl_divergence(torch.tensor([[0.7]]), torch.tensor([[2 * math.log(0.4)]])).item()
    assert kl == pytest.approx(estimate, abs=0.01)


def test_kl_is_zero_only_at_the_prior(posterior):
    assert kl_divergence(torch.zeros(2, 4), torch.zeros(2, 4)).tolist() == [0, 0]
    assert (kl_per_dimension(*posterior) > 0).all()


def test_kl_keeps_its_digits_close_to_the_prior():
    log_variance = torch.full((1, 1), 1e-4)
    assert kl_divergence(torch.zeros(1, 1), log_variance).item() == pytest.approx(1e-8 / 4, rel=1e-2)


def test_l1_is_the_log_likelihood_of_a_unit_laplace_up_to_a_constant(images):
    scans, reconstructions = images
    log_likelihood = Laplace(reconstructions, 1.0).log_prob(scans).flatten(1).sum(dim=1)
    expected = -log_likelihood - scans[0].numel() * math.log(2)
    torch.testing.assert_close(reconstruction_l1(scans, reconstructions), expected)


def test_l1_is_symmetric_and_grows_with_the_distance(images):
    scans, reconstructions = images
    l1 = reconstruction_l1(scans, reconstructions)
    assert torch.equal(l1, reconstruction_l1(reconstructions, scans))
    torch.testing.assert_close(reconstruction_l1(scans, 3 * reconstructions - 2 * scans), 3 * l1)


def test_loss_sums_within_a_sample_and_averages_over_the_batch(images, posterior):
    loss = vae_loss(*images, *posterior, kl_weight=0.25)
    l1 = sum((a - b).abs().sum().item() for a, b in zip(*images, strict=True)) / 5
    mean, log_variance = posterior
    kl = distribution_kl(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum().item()
    assert loss.item() == pytest.approx(l1 + 0.25 * kl / 5, rel=1e-5)


def test_loss_of_a_batch_does_not_depend_on_its_order_or_size(images, posterior):
    values = (*images, *posterior)
    loss = vae_loss(*values, kl_weight=1.0).item()
    assert vae_loss(*(value.flip(0) for value in values), kl_weight=1.0).item() == pytest.approx(
        loss, rel=1e-6
    )
    assert vae_loss(
        *(value.repeat(3, *[1] * (value.ndim - 1)) for value in values), kl_weight=1.0
    ).item() == pytest.approx(loss, rel=1e-6)


def test_losses_of_half_precision_tensors_are_float32():
    scans = torch.ones(1, 1, 64, 64, 64, dtype=torch.float16)
    l1 = reconstruction_l1(scans, torch.zeros_like(scans))
    assert l1.dtype == torch.float32 and l1.item() == 64**3  # float16 ends at 65504
    mean = torch.full((1, 1), 300.0, dtype=torch.float16)
    assert kl_divergence(mean, torch.zeros_like(mean)).item() == 45_000  # 300² overflows float16


def test_images_of_different_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 1, 4, 4\).*\(2, 4, 4\)"):
        reconstruction_l1(torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4))
