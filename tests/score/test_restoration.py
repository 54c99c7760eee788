import numpy as np
import pytest
import torch
from networks_to_score import GRID, network_of, part_of, split_of
from scipy import optimize, sparse

from spatial_erasing.score.reconstruct import reconstruct, unstored_maps
from spatial_erasing.score.scores.restored_image import total_variation
from spatial_erasing.train.network import Network

SCANS, HEALTHY = split_of(3, 2), split_of(2, 1)
LATENT = {"kind": "latent_restoration", "of": {"kind": "absolute"}, "steps": 300, "rate": 0.03, "prior": 1.0}
IMAGE = {"kind": "restored_image", "steps": 10, "rate": 0.01, "variation": 1.0}


def maps(network, score, scans=SCANS):
    return np.stack(list(unstored_maps(network, scans, HEALTHY, score=score)))


class Linear(Network):
    """Decodes two numbers to a sum of two images; its encoder knows nothing."""

    def __init__(self):
        super().__init__()
        self.settings = network_of(3).settings
        images = torch.rand(2, 1, *GRID, generator=torch.Generator().manual_seed(1))
        self.images = torch.nn.Parameter(images * torch.from_numpy(SCANS.brain[0]))

    def encode(self, scans):
        return torch.zeros(len(scans), 2), torch.zeros(len(scans), 2)

    def decode(self, latent):
        return torch.tensordot(latent, self.images, dims=1)


@pytest.mark.parametrize("prior", [0.0, 1.0, 50.0])
def test_the_latent_code_is_the_best_that_scipy_finds(prior):
    network, scan = Linear(), SCANS.scans[0].astype(float)
    images = network.images.detach().numpy()[:, 0].astype(float)

    def residual(latent):
        return np.abs(scan - np.tensordot(latent, images, axes=1))

    def loss(latent):
        return residual(latent).sum() + prior * (latent**2).sum() / 2

    best = optimize.minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-6})
    found = maps(network, LATENT | {"prior": prior}, part_of(SCANS, [0]))[0]
    np.testing.assert_allclose(found, residual(best.x), atol=0.03)
    assert np.abs(best.x).max() > 0.2


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("score", [LATENT, IMAGE])
def test_no_step_is_the_start_and_subjects_do_not_depend_on_each_other(dims, score):
    network = network_of(dims)
    expected = np.abs(SCANS.scans.astype("f4") - reconstruct(network, SCANS.scans, batch_size=8))
    start = maps(network, score | {"steps": 0})
    np.testing.assert_allclose(start, expected if score is LATENT else 0, atol=1e-3)
    together, alone = (maps(network, score | {"steps": 5}, split) for split in (SCANS, part_of(SCANS, [2])))
    np.testing.assert_allclose(together[2], alone[0], atol=2e-3)


class Restored(Network):
    """The plain restoration of another network, without a corruption."""

    def __init__(self, restoring):
        super().__init__()
        self.settings, self.restoring = restoring.settings, restoring

    def forward(self, scans, noise=None):
        return (self.restoring.reconstruct(scans),)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", ["denoising", "restoration"])
def test_an_image_is_not_corrupted_before_a_network_that_undoes_corruptions_explains_it(dims, kind):
    network = network_of(dims, kind)
    np.testing.assert_array_equal(maps(network, IMAGE), maps(Restored(network), IMAGE))


def test_weights_are_left_as_they_are():
    network = network_of(3)
    before = [weight.clone() for weight in network.parameters()]
    maps(network, LATENT | {"steps": 2}), maps(network, IMAGE | {"steps": 2})
    for weight, old in zip(network.parameters(), before, strict=True):
        assert weight.grad is None and torch.equal(weight, old)


def test_a_plain_autoencoder_has_no_latent_code_to_fit_but_an_image_to_restore():
    network = network_of(3, "autoencoder")
    with pytest.raises(ValueError, match=r"latent distribution .* of the kind autoencoder has none"):
        maps(network, LATENT)
    assert maps(network, IMAGE).max() > 0


def test_the_restored_image_goes_down_the_loss_and_a_large_weight_keeps_it_at_the_scan():
    network = network_of(3)
    free = maps(network, IMAGE | {"variation": 0.0, "steps": 40})
    kept = maps(network, IMAGE | {"variation": 1e4, "steps": 40})
    assert kept.mean() < free.mean() / 3


class Constant(Network):
    """Explains every scan by the same image, so that the gradient of its loss is a sign."""

    def __init__(self, image):
        super().__init__()
        self.settings, self.image = network_of(3).settings, torch.nn.Parameter(image)

    def forward(self, scans, noise=None):
        return (self.image.detach().expand(scans.shape),)


def neighbours():
    """A row for each pair of neighbouring voxels, with -1 and 1 at their places."""
    places = np.arange(np.prod(GRID)).reshape(GRID)
    pairs = [
        np.stack([np.delete(places, -1, axis).ravel(), np.delete(places, 0, axis).ravel()], axis=1)
        for axis in range(3)
    ]
    pairs = np.concatenate(pairs)
    rows = np.repeat(np.arange(len(pairs)), 2)
    values = np.tile([-1.0, 1.0], len(pairs))
    return sparse.coo_matrix((values, (rows, pairs.ravel())), shape=(len(pairs), places.size)).tocsr()


@pytest.mark.parametrize("variation", [0.0, 0.1, 0.3])
def test_the_image_comes_to_the_least_sum_of_l1_and_total_variation(variation):
    """Against the optimum of the linear program min |scan + change - target| + variation * TV(change)."""
    scan, steps = SCANS.scans[0].astype(np.float64), neighbours()
    # above the scan, so that the sign of each change is known
    wanted = np.random.default_rng(3).uniform(0.1, 0.5, size=scan.size)
    one, pair = sparse.identity(scan.size), sparse.identity(steps.shape[0])
    limits = sparse.bmat(
        [[one, -one, None], [-one, -one, None], [steps, None, -pair], [-steps, None, -pair]], format="csr"
    )
    costs = np.concatenate([np.zeros(scan.size), np.ones(scan.size), np.full(steps.shape[0], variation)])
    ends = np.concatenate([wanted, -wanted, np.zeros(2 * steps.shape[0])])
    best = optimize.linprog(costs, limits, ends, bounds=(None, None))

    score = IMAGE | {"variation": variation, "steps": 400, "rate": 0.005}
    network = Constant(torch.from_numpy((scan + wanted.reshape(GRID)).astype("f4"))[None, None])
    change = maps(network, score, part_of(SCANS, [0]))[0].ravel().astype(float)
    found = np.abs(change - wanted).sum() + variation * np.abs(steps @ change).sum()
    assert found == pytest.approx(best.fun, rel=0.05, abs=2.0) and found > best.fun - 1e-3
    assert best.fun < 0.9 * wanted.sum()


def test_total_variation_is_the_sum_over_neighbours():
    volumes = np.random.default_rng(0).random((2, 1, 4, 5, 6))
    expected = sum(
        abs(volumes[index] - volumes[tuple(np.add(index, step))])
        for index in np.ndindex(volumes.shape)
        for step in np.eye(5, dtype=int)[2:]
        if all(np.add(index, step) < volumes.shape)
    )
    assert float(total_variation(torch.from_numpy(volumes))) == pytest.approx(expected)
    assert float(total_variation(torch.ones(2, 1, 3, 3))) == 0


def test_the_restored_image_may_be_compared_by_another_score():
    network, dark = network_of(3), {"kind": "signed", "finds": "dark"}
    bright = {"kind": "signed", "finds": "bright"}
    parts = [maps(network, LATENT | {"steps": 3, "of": of}) for of in (dark, bright)]
    np.testing.assert_allclose(sum(parts), maps(network, LATENT | {"steps": 3}), atol=1e-6)
    relative = {"kind": "relative", "of": dark, "centred": True, "smoothing_voxels": 0, "floor": 1.0}
    with pytest.raises(ValueError, match=r"by the score relative, which reads the network; .* Correct `of`"):
        maps(network, LATENT | {"of": relative})
