import numpy as np
import pytest
import torch
from networks_to_score import GRID, MeanOfTheRest, network_of, part_of, split_of

from spatial_erasing.score.reconstruct import unstored_maps
from spatial_erasing.score.scores.several import whiten
from spatial_erasing.seeds import hash_seed
from spatial_erasing.train.erase import draw_regions
from spatial_erasing.train.settings import ErasingSettings

SCANS, HEALTHY = split_of(3, 2), split_of(2, 1)
SEVERAL = {"kind": "several", "draws": "latent", "count": 6, "keeps": "residual", "floor": 0.05}


def maps(network, scans=SCANS, **settings):
    return np.stack(list(unstored_maps(network, scans, HEALTHY, score=SEVERAL | settings)))


def test_latent_draws_are_decoded_one_by_one():
    network, scans = network_of(3), part_of(SCANS, [1])
    generator = torch.Generator().manual_seed(hash_seed("score", *scans.subjects[0]))
    given = torch.from_numpy(scans.scans.astype("f4"))[:, None]
    with torch.no_grad():
        mean, log_variance = network.encode(given)
        codes = [
            mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator) for _ in range(6)
        ]
        outputs = np.stack([network.decode(code)[0, 0].numpy() for code in codes]).astype(float)
    residual, spread = np.abs(scans.scans[0] - outputs.mean(axis=0)), outputs.std(axis=0)
    distance = residual / np.sqrt(spread**2 + 0.05**2)
    expected = {"residual": residual, "spread": spread, "distance": distance / (1 + distance)}
    for keeps, value in expected.items():
        np.testing.assert_allclose(maps(network, scans, keeps=keeps)[0], value, atol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("draws", ["latent", "zero", "noise"])
def test_a_map_does_not_depend_on_the_other_subjects_and_is_the_same_again(dims, draws):
    network = network_of(dims)
    together = maps(network, draws=draws, keeps="spread")
    alone = maps(network, part_of(SCANS, [2]), draws=draws, keeps="spread")
    np.testing.assert_array_equal(together[2], alone[0])
    assert together.shape == SCANS.scans.shape and together.max() > 0


def test_erased_draws_are_the_reconstructions_of_scans_without_a_cube_each():
    """Each cube is drawn as in training; the network paints the mean of what is left."""
    scans = part_of(SCANS, [1])
    generator = torch.Generator().manual_seed(hash_seed("score", *scans.subjects[0]))
    outputs, scan = [], scans.scans[0].astype(float)
    for _ in range(6):
        seed = int(torch.randint(2**31, (1,), generator=generator))
        drawn = torch.Generator().manual_seed(seed)
        cube = draw_regions("cube", 1, GRID, settings=ErasingSettings(), generator=drawn)[0].numpy()
        assert cube.any()
        outputs.append(scan[~cube & (scan > 0)].mean())
    found = {
        keeps: maps(MeanOfTheRest(3), scans, draws="zero", keeps=keeps)[0] for keeps in ("residual", "spread")
    }
    np.testing.assert_allclose(found["residual"], np.abs(scan - np.mean(outputs)), atol=1e-5)
    np.testing.assert_allclose(found["spread"], np.std(outputs), atol=1e-5)
    assert np.std(outputs) > 1e-4


@pytest.mark.parametrize("dims", [2, 3])
def test_whitened_differences_are_those_of_the_whole_covariance(dims):
    """Against numpy's eigenvectors of the covariance matrix of a sample's voxels, written out."""
    rng = np.random.default_rng(1)
    shape = (2, 1, 3, 4, 2)[: dims + 2]
    difference, outputs = rng.normal(size=shape), rng.normal(size=(5, *shape)) * rng.uniform(size=shape)
    centred = outputs - outputs.mean(axis=0)
    found = whiten(torch.from_numpy(difference), torch.from_numpy(centred), floor=0.1).numpy()
    for sample in range(2):
        columns = centred[:, sample].reshape(5, -1)
        covariance = columns.T @ columns / 5 + 0.1**2 * np.eye(columns.shape[1])
        values, vectors = np.linalg.eigh(covariance)
        expected = vectors @ np.diag(values**-0.5) @ vectors.T @ difference[sample].ravel()
        np.testing.assert_allclose(found[sample].ravel(), expected, rtol=1e-9)
        squared = difference[sample].ravel() @ np.linalg.inv(covariance) @ difference[sample].ravel()
        assert (found[sample] ** 2).sum() == pytest.approx(squared)


def test_reconstructions_without_covariance_leave_the_residual():
    """With a high floor the covariance counts for nothing, and the map is the residual in another unit."""
    residual = maps(network_of(3), keeps="residual", floor=100.0)
    whitened = maps(network_of(3), keeps="whitened", floor=100.0)
    np.testing.assert_allclose(100 * whitened / (1 - whitened), residual, atol=1e-4)


def test_a_network_that_reconstructs_nothing_differently_has_no_spread():
    network = network_of(3)
    with torch.no_grad():
        network.to_log_variance.weight.zero_()
        network.to_log_variance.bias.fill_(-60.0)
    assert maps(network, keeps="spread").max() < 1e-6


def test_a_plain_autoencoder_has_no_latent_draws_but_may_be_erased():
    network = network_of(3, "autoencoder")
    with pytest.raises(ValueError, match=r"latent distribution .* of the kind autoencoder has none"):
        maps(network)
    assert np.isfinite(maps(network, draws="noise")).all()
