"""What training minimises: the l1 distance to the whole scan plus the KL divergence of the latent code.

Both are summed, not averaged, within a sample: mean l1 plus mean KL at weight 1 collapses onto the prior,
because the l1 term of 64³ voxels would weigh as much as one voxel. All sums are taken in float32,
whatever the network computes in.
"""

import torch
from torch import Tensor


def reconstruction_l1(scans: Tensor, reconstructions: Tensor) -> Tensor:
    """Sum of absolute differences over the voxels of each sample.

    Args:
        scans: whole, unerased intensities in [0, 1], shape (batch, 1, *grid).
        reconstructions: same shape.

    Returns:
        float32, shape (batch,).
    """
    if scans.shape != reconstructions.shape:
        raise ValueError(
            f"scans {tuple(scans.shape)} and reconstructions {tuple(reconstructions.shape)} differ in shape; "
            "expected the same, or different voxels are compared. Pass both as (batch, 1, *grid)."
        )
    return (scans.float() - reconstructions.float()).abs().flatten(1).sum(dim=1)


def kl_per_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of q(z|x) from the standard normal prior, for each latent dimension.

    Kingma and Welling 2013, "Auto-encoding variational Bayes", appendix B:

        KL = (μ² + σ² - 1 - log σ²) / 2

    Averaged over a data set, the dimensions above about 0.01 are the active units.

    Args:
        mean: μ, shape (batch, latent_size).
        log_variance: log σ², same shape.

    Returns:
        float32, at least 0, shape (batch, latent_size).
    """
    mean, log_variance = mean.float(), log_variance.float()
    # expm1 keeps the digits that exp(v) - 1 - v loses close to the prior.
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of q(z|x) from the prior, summed over the latent dimensions, shape (batch,)."""
    return kl_per_dimension(mean, log_variance).sum(dim=1)


def vae_loss(
    scans: Tensor, reconstructions: Tensor, mean: Tensor, log_variance: Tensor, *, kl_weight: float = 1.0
) -> Tensor:
    """The number to minimise: l1 summed over voxels + kl_weight · KL summed over z, mean over the batch.

    Bengs et al. 2021, section 2.3, name l1 and KL but no weight; the default 1 is the evidence lower
    bound with a Laplace likelihood of unit scale.
    """
    l1 = reconstruction_l1(scans, reconstructions)
    return (l1 + kl_weight * kl_divergence(mean, log_variance)).mean()
