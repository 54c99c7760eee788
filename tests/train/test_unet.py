import itertools

import numpy as np
import pytest
import torch
from restoring_networks import KINDS, training
from scipy import stats
from scipy.ndimage import map_coordinates
from test_engine import same
from torch import nn
from torch.nn import functional

from spatial_erasing.score.reconstruct import reconstruct
from spatial_erasing.train.checkpoint import load_network, save_weights
from spatial_erasing.train.network import build_on_meta, trace_shapes
from spatial_erasing.train.unet import field_size, smooth_field

MODELS = [f"{dims}d-{kind}" for dims, kind in itertools.product((2, 3), KINDS)]


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("grid, cells", [((12, 20), 3), ((9, 6, 8), 2), ((8, 8, 8), 16)])
def test_a_field_is_scipy_s_linear_interpolation_over_its_standard_deviation(grid, cells):
    normal = draw(4, field_size(len(grid), cells))
    found = smooth_field(normal, grid, cells)[:, 0].numpy()
    for numbers, field in zip(normal.double().numpy(), found, strict=True):
        offsets, lattice = stats.norm.cdf(numbers[: len(grid)]), numbers[len(grid) :]
        axes = [
            (np.arange(size) + 0.5) * cells / size + offset
            for size, offset in zip(grid, offsets, strict=True)
        ]
        places = np.meshgrid(*axes, indexing="ij")
        interpolated = map_coordinates(lattice.reshape([cells + 2] * len(grid)), places, order=1)
        parts = [place - np.floor(place) for place in places]
        deviation = np.sqrt(np.prod([part**2 + (1 - part) ** 2 for part in parts], axis=0))
        np.testing.assert_allclose(field, interpolated / deviation, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("grid", [(16, 16), (8, 8, 8)])
def test_a_field_is_standard_normal_at_every_pixel_and_smooth_over_a_cell(grid):
    field = smooth_field(draw(2000, field_size(len(grid), 2)), grid, 2)[:, 0].numpy()
    for pixel in ((0,) * len(grid), (3,) * len(grid), tuple(size - 1 for size in grid)):
        assert stats.kstest(field[(slice(None), *pixel)], "norm").pvalue > 0.001
    first, second, far = (field[(slice(None), place, *[0] * (len(grid) - 1))] for place in (0, 1, -1))
    assert np.corrcoef(first, second)[0, 1] > 0.7
    # more than a cell away, points of the lattice in common are few
    assert abs(np.corrcoef(first, far)[0, 1]) < 0.1


@pytest.mark.parametrize("dims", [2, 3])
def test_it_is_a_u_net_written_out(dims):
    """With two levels, in torch's functions."""
    network = training(f"{dims}d-denoising").network
    convolve = {2: functional.conv2d, 3: functional.conv3d}[dims]
    transpose = {2: functional.conv_transpose2d, 3: functional.conv_transpose3d}[dims]
    weights = dict(network.named_parameters())

    def layer(name, features, operation=convolve, **settings):
        output = operation(features, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"], **settings)
        return functional.leaky_relu(output, 0.3)

    scans = torch.rand(3, 1, *[8] * dims)
    fine = layer("enter", scans, padding=1)
    middle = layer("down.0", fine, stride=2, padding=1)
    deep = layer("down.1", middle, stride=2, padding=1)
    up = layer("up.0", deep, transpose, stride=2, padding=1)
    joined = layer("join.0", torch.cat([up, middle], dim=1), padding=1)
    up = layer("up.1", joined, transpose, stride=2, padding=1)
    joined = layer("join.1", torch.cat([up, fine], dim=1), padding=1)
    weight = weights["output.0.weight"]
    expected = convolve(joined, weight.view(*weight.shape, *[1] * dims), weights["output.0.bias"])
    torch.testing.assert_close(network.reconstruct(scans), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_the_loss_is_the_distance_of_the_restored_corruption_to_the_whole_scan(model):
    trainer = training(model)
    network, scans = trainer.network, trainer.training_items[:4].float()
    noise = draw(4, network.noise_size)
    outputs = network(scans, noise)
    restored = network.reconstruct(network.corrupt(scans, noise))
    torch.testing.assert_close(outputs[0], restored)
    loss, numbers = network.loss(scans, outputs)
    assert loss.item() == pytest.approx((restored - scans).abs().sum().item() / 4, rel=1e-5)
    assert numbers["l1"].item() == pytest.approx((restored - scans).abs().mean().item(), rel=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_a_scan_goes_in_as_it_is_and_validation_restores_the_same_corruption_every_time(model):
    trainer = training(model)
    network, items = trainer.network.eval(), trainer.validation_items.float()
    with torch.no_grad():
        expected, validated = network.reconstruct(items), network(items)[0]
        assert torch.equal(validated, network(items)[0]) and not torch.equal(validated, expected)
    volumes = items[:, 0] if model.startswith("3d") else items[:, 0].movedim(0, -1)[None]
    output = torch.from_numpy(reconstruct(network, volumes.numpy(), batch_size=4))
    output = output if model.startswith("3d") else output[0].movedim(-1, 0)
    torch.testing.assert_close(output.float(), expected[:, 0], rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_training_restores_better_and_gradients_reach_every_parameter(model):
    trainer = training(model, optimisation={"maximum_steps": {"2d": 60, "3d": 60}})
    before, latent = trainer.validate()
    trainer.run()
    assert trainer.progress.best_l1 < 0.8 * before and latent == []
    assert list(trainer.progress.history[0]) == ["step", "epoch", "training_l1", "validation_l1", "seconds"]
    assert all(parameter.grad.abs().sum() > 0 for parameter in trainer.network.parameters())


@pytest.mark.parametrize("model", MODELS)
def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(model, tmp_path):
    training(model, optimisation={"maximum_steps": {"2d": 4, "3d": 4}}).run(checkpoint=tmp_path / "latest.pt")
    assert same(training(model).run(checkpoint=tmp_path / "latest.pt"), training(model).run())


@pytest.mark.parametrize("model", MODELS)
def test_a_step_reads_no_value_on_the_host(model):
    """On the meta device there are none; and the corruption compiles in one piece."""
    trainer = training(model)
    scans, noise = trainer.training_items[:2].float(), draw(2, trainer.network.noise_size)
    network = build_on_meta(trainer.network.to_dict()).train()
    network.loss(scans.to("meta"), network(scans.to("meta"), noise.to("meta")))[0].backward()
    corrupt = torch.compile(trainer.network.corrupt, backend="eager", fullgraph=True)
    torch.testing.assert_close(corrupt(scans, noise), trainer.network.corrupt(scans, noise))


@pytest.mark.parametrize("model", MODELS)
def test_layers_in_bfloat16_end_near_those_in_float32(model):
    plain, half = training(model).run(), training(model, precision="bfloat16").run()
    for name, weight in plain.items():
        assert half[name].dtype == torch.float32
        torch.testing.assert_close(half[name], weight, rtol=0.1, atol=0.02)


@pytest.mark.parametrize("model", ["2d-denoising", "3d-restoration"])
def test_its_weights_file_brings_it_back(model, tmp_path):
    trainer = training(model)
    save_weights(tmp_path / "weights.pt", trainer.network, trainer.network.state_dict())
    again = load_network(tmp_path / "weights.pt", torch.device("cpu"))
    scans = trainer.validation_items.float()
    torch.testing.assert_close(again.reconstruct(scans), trainer.network.eval().reconstruct(scans))
    assert again.settings == trainer.network.settings


def test_its_layers_are_listed_from_scan_to_restoration():
    shapes = {layer.name: layer for layer in trace_shapes(training("3d-denoising").network)}
    edges = {"input": 8, "enter": 8, "down_1": 4, "down_2": 2, "up_1": 4, "up_2": 8, "output": 8}
    assert {name: layer.grid_voxels[0] for name, layer in shapes.items()} == edges
    maps = {"input": 1, "enter": 2, "down_1": 4, "down_2": 8, "up_1": 4, "up_2": 2, "output": 1}
    assert {name: layer.feature_maps for name, layer in shapes.items()} == maps


def test_scans_of_another_grid_are_refused():
    network = training("3d-denoising").network
    with pytest.raises(ValueError, match=r"this network reads \(batch, \*\(1, 8, 8, 8\)\)"):
        network.reconstruct(torch.rand(2, 1, 8, 8))


def test_normalised_layers_are_those_of_the_other_networks():
    network = training("2d-denoising", network={"norm": "batch"}).network
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 7
