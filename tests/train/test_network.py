import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from vae_networks import vae, vae_settings

from spatial_erasing.train.convolutions import ACTIVATIONS
from spatial_erasing.train.network import LayerShape, build_network, parameter_count, trace_shapes
from spatial_erasing.train.networks.vae import sample_latent, vae_loss

PRESETS = {
    "a": {"feature_maps": (32, 64, 128), "bottleneck_channels": 16},
    "b": {"feature_maps": (32, 64, 128, 256), "bottleneck_channels": None},
}
SMALL = {
    dims: vae_settings(dims, grid, feature_maps=(3, 5), bottleneck_channels=2, latent_size=4, norm="none")
    for dims, grid in ((2, (16, 24)), (3, (8, 16, 12)))
}


def build(settings, seed=0):
    torch.manual_seed(seed)
    return vae(settings)


def draw_scans(settings, batch_size=3):
    return torch.rand(batch_size, 1, *settings.grid_voxels, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "preset, kernel_size, millions_2d, millions_3d",
    [("a", 5, "0.94", "15.3"), ("a", 3, "0.59", "13.2"), ("b", 4, "3.0", "30.8")],
)
def test_presets_have_the_parameters_counted_by_hand(preset, kernel_size, millions_2d, millions_3d):
    for spatial_dims, latent_size, expected in ((2, 128, millions_2d), (3, 512, millions_3d)):
        grid = (64,) * spatial_dims
        with torch.device("meta"):
            network = vae(
                vae_settings(
                    spatial_dims, grid, **PRESETS[preset], latent_size=latent_size, kernel_size=kernel_size
                )
            )
        digits = len(expected.split(".")[1])
        assert f"{parameter_count(network) / 1e6:.{digits}f}" == expected


@pytest.mark.parametrize(
    "edge, values, code_size, millions",
    [
        (96, {}, 16 * 12**3, "43.9"),
        (96, {"bottleneck_channels": 5}, 5 * 12**3, "14.7"),
        (128, {}, 16 * 16**3, "102.1"),
        (128, {"feature_maps": (32, 64, 128, 128)}, 16 * 8**3, "16.1"),
    ],
)
def test_networks_of_finer_grids_have_the_sizes_of_decision_0007(edge, values, code_size, millions):
    values = PRESETS["a"] | values
    with torch.device("meta"):
        network = vae(vae_settings(3, (edge,) * 3, **values, latent_size=512, kernel_size=4))
        assert network(torch.zeros(1, 1, edge, edge, edge))[0].shape == (1, 1, edge, edge, edge)
    assert network.settings.code_size == code_size
    assert f"{parameter_count(network) / 1e6:.1f}" == millions


def chain_by_hand(kernel_size, padding, output_padding):
    """The layers of SMALL[2] as anyone would write them down from the description."""
    encoder = nn.Sequential(
        nn.Conv2d(1, 3, kernel_size, stride=2, padding=padding),
        nn.LeakyReLU(0.3),
        nn.Conv2d(3, 5, kernel_size, stride=2, padding=padding),
        nn.LeakyReLU(0.3),
        nn.Conv2d(5, 2, 1),
        nn.Flatten(),
        nn.Linear(2 * 4 * 6, 4),
    )
    decoder = nn.Sequential(
        nn.Linear(4, 2 * 4 * 6),
        nn.Unflatten(1, (2, 4, 6)),
        nn.Conv2d(2, 5, 1),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(5, 3, kernel_size, stride=2, padding=padding, output_padding=output_padding),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(3, 3, kernel_size, stride=2, padding=padding, output_padding=output_padding),
        nn.LeakyReLU(0.3),
        nn.Conv2d(3, 1, 1),
    )
    return nn.Sequential(encoder, decoder)


@pytest.mark.parametrize("kernel_size, padding, output_padding", [(3, 1, 1), (4, 1, 0), (5, 2, 1)])
def test_network_equals_a_plain_chain_of_layers_with_its_weights(kernel_size, padding, output_padding):
    network = build(replace(SMALL[2], kernel_size=kernel_size))
    chain = chain_by_hand(kernel_size, padding, output_padding)
    weights = [value for key, value in network.state_dict().items() if "log_variance" not in key]
    slots = chain.state_dict()
    chain.load_state_dict({key: value.view_as(slots[key]) for key, value in zip(slots, weights, strict=True)})
    scans = draw_scans(SMALL[2])
    reconstructions, mean, _ = network(scans)
    torch.testing.assert_close(reconstructions, chain(scans))
    torch.testing.assert_close(mean, chain[0](scans))


def test_volume_network_with_flat_kernels_equals_the_slice_network():
    # A 3-D convolution whose kernel is zero off its central plane works on each plane alone; on a volume
    # of repeated slices the encoder then returns every second plane unchanged from the 2-D encoder.
    flat = build(replace(SMALL[2], kernel_size=3, bottleneck_channels=None))
    deep = build(replace(SMALL[3], grid_voxels=(16, 24, 4), kernel_size=3, bottleneck_channels=None))
    weights = deep.encoder.state_dict()
    for key, value in flat.encoder.state_dict().items():
        if value.ndim == 4:
            weights[key] = torch.zeros_like(weights[key])
            weights[key][..., 1] = value
        else:
            weights[key] = value
    deep.encoder.load_state_dict(weights)
    scans = draw_scans(SMALL[2])
    volumes = scans.unsqueeze(-1).expand(-1, -1, -1, -1, 4)
    torch.testing.assert_close(deep.encoder(volumes), flat.encoder(scans).unsqueeze(-1))


@pytest.mark.parametrize("spatial_dims, kernel_size", [*itertools.product((2, 3), (2, 3, 4, 5, 6))])
def test_every_convolution_halves_and_every_transposed_one_doubles_exactly(spatial_dims, kernel_size):
    settings = replace(SMALL[spatial_dims], kernel_size=kernel_size)
    grid = np.array(settings.grid_voxels)
    shapes = {layer.name: layer for layer in trace_shapes(vae(settings))}
    divisors = {"down_1": 2, "down_2": 4, "bottleneck": 4, "restore": 4, "up_1": 2, "up_2": 1, "output": 1}
    for name, divisor in divisors.items():
        assert shapes[name].grid_voxels == tuple(grid // divisor), name
    scans = draw_scans(settings)
    assert vae(settings)(scans)[0].shape == scans.shape


@pytest.mark.parametrize("kernel_size", [3, 4, 5])
def test_up_sampling_is_the_adjoint_of_down_sampling(kernel_size):
    # <down(x), y> = <x, up(y)> holds for shared weights only if both place their kernels alike.
    network = build(
        vae_settings(
            2, (16, 12), feature_maps=(3,), bottleneck_channels=None, latent_size=2, kernel_size=kernel_size
        )
    )
    down, up = network.encoder.down_1[0], network.decoder.up_1[0]
    scans, code = torch.randn(1, 3, 16, 12), torch.randn(1, 3, 8, 6)
    weight = up.weight
    lowered = nn.functional.conv2d(scans, weight, stride=down.stride, padding=down.padding)
    raised = up(code) - up.bias.view(1, -1, 1, 1)
    assert (lowered * code).sum().item() == pytest.approx((scans * raised).sum().item(), rel=1e-4)


@pytest.mark.parametrize("kernel_size, reach", [(3, 3), (4, 4), (5, 5)])
def test_a_code_pixel_sees_one_kernel_of_the_input(kernel_size, reach):
    settings = vae_settings(
        2,
        (16, 16),
        feature_maps=(3,),
        bottleneck_channels=None,
        latent_size=2,
        kernel_size=kernel_size,
        norm="none",
    )
    scans = draw_scans(settings, batch_size=1).requires_grad_()
    build(settings).encoder(scans)[0, :, 4, 4].sum().backward()
    seen = scans.grad[0, 0].nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [reach, reach]


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("norm", ["none", "batch", "group"])
@pytest.mark.parametrize("bottleneck_channels", [2, None])
def test_gradients_reach_every_parameter(spatial_dims, norm, bottleneck_channels):
    settings = replace(SMALL[spatial_dims], norm=norm, bottleneck_channels=bottleneck_channels)
    network, scans = build(settings), draw_scans(settings)
    vae_loss(scans, *network(scans, torch.randn(3, 4)), kl_weight=1.0).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_training_steps_bring_the_reconstruction_closer(spatial_dims):
    network = build(replace(SMALL[spatial_dims], feature_maps=(8, 16), bottleneck_channels=4))
    brightness = torch.tensor([0.2, 0.5, 0.9]).view(3, 1, *[1] * spatial_dims)
    scans = brightness.expand(3, 1, *SMALL[spatial_dims].grid_voxels)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for step in range(150):
        loss = vae_loss(
            scans,
            *network(scans, torch.randn(3, 4, generator=torch.Generator().manual_seed(step))),
            kl_weight=1.0,
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_without_noise_the_code_is_the_mean():
    network, scans = build(SMALL[2]), draw_scans(SMALL[2])
    reconstructions, mean, _ = network(scans)
    assert torch.equal(reconstructions, network(scans)[0])
    assert torch.equal(reconstructions, network.decode(mean))
    assert torch.equal(reconstructions, network(scans, torch.zeros(3, 4))[0])


def test_noise_alone_makes_the_code_random():
    network, scans = build(SMALL[2]), draw_scans(SMALL[2])
    noise = torch.randn(3, 4, generator=torch.Generator().manual_seed(5))
    reconstructions, mean, log_variance = network(scans, noise)
    assert torch.equal(reconstructions, network(scans, noise)[0])
    expected = network.decode(mean + log_variance.exp().sqrt() * noise)
    torch.testing.assert_close(reconstructions, expected)
    assert not torch.allclose(reconstructions, network(scans)[0])


def test_latent_sample_follows_its_gaussian():
    mean, log_variance = torch.tensor([1.5, -2.0]), torch.tensor([-1.0, 1.2])
    noise = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(6))
    draws = sample_latent(mean, log_variance, noise).numpy()
    for column in range(2):
        gaussian = stats.norm(mean[column].item(), np.exp(log_variance[column].item()) ** 0.5)
        assert stats.kstest(draws[:, column], gaussian.cdf).pvalue > 0.01


def test_samples_of_a_batch_do_not_mix():
    network, scans = build(replace(SMALL[3], norm="group")), draw_scans(SMALL[3])
    together = network(scans)[0]
    alone = torch.cat([network(scan.unsqueeze(0))[0] for scan in scans])
    torch.testing.assert_close(together, alone)


def test_output_activation_bounds_the_reconstruction():
    scans = draw_scans(SMALL[2])
    linear, squashed = build(SMALL[2]), build(replace(SMALL[2], output_activation="sigmoid"))
    torch.testing.assert_close(squashed(scans)[0], torch.sigmoid(linear(scans)[0]))


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activation_follows_every_halving_and_doubling(activation):
    network = build(replace(SMALL[2], activation=activation))
    kind = type(ACTIVATIONS[activation]())
    assert sum(isinstance(module, kind) for module in network.modules()) == 2 + 1 + 2


def test_norms_normalise():
    scans = 7 + 3 * draw_scans(SMALL[3])
    for norm, axes in (("batch", (0, 2, 3, 4)), ("group", (1, 2, 3, 4))):
        network = build(replace(SMALL[3], norm=norm, feature_maps=(3, 8)))
        stage = network.encoder.down_2
        values = stage[1](stage[0](network.encoder.down_1(scans)))
        if norm == "group":
            values = values.unflatten(1, (8, 1)).flatten(0, 1)
        torch.testing.assert_close(values.mean(axes), torch.zeros_like(values.mean(axes)), atol=1e-4, rtol=0)


def test_traced_shapes_are_those_that_flow_through_the_network():
    settings = vae_settings(3, (64, 64, 64), **PRESETS["a"], latent_size=512)
    network = vae(replace(settings, grid_voxels=(16, 16, 8)))
    seen = []
    layers = [*network.encoder, network.to_mean, network.from_latent, *network.decoder]
    for layer in layers:
        layer.register_forward_hook(lambda _module, _inputs, output: seen.append(tuple(output.shape[1:])))
    network(torch.zeros(1, 1, 16, 16, 8))
    flowed = list(seen)
    traced = trace_shapes(network)
    assert traced[0] == LayerShape("input", (16, 16, 8), 1)
    assert [(layer.feature_maps, *layer.grid_voxels) for layer in traced[1:]] == flowed
    assert all(parameter.device.type == "cpu" for parameter in network.parameters())


def test_trace_of_preset_a_at_64_is_reading_a_of_figure_2():
    with torch.device("meta"):
        network = vae(vae_settings(3, (64, 64, 64), **PRESETS["a"], latent_size=512))
    sizes = [(layer.grid_voxels[:1], layer.feature_maps) for layer in trace_shapes(network)]
    encoder = [((64,), 1), ((32,), 32), ((16,), 64), ((8,), 128), ((8,), 16), ((), 512)]
    decoder = [((8,), 16), ((8,), 128), ((16,), 64), ((32,), 32), ((64,), 32), ((64,), 1)]
    assert sizes == encoder + decoder


def test_grid_that_cannot_be_halved_is_refused_with_the_next_valid_one():
    with pytest.raises(ValueError, match=r"\(64, 60, 33\).*multiple of 8.*\(64, 64, 40\)"):
        vae_settings(3, (64, 60, 33), **PRESETS["a"], latent_size=8)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"spatial_dims": 4}, "spatial_dims is 4; expected one of 2, 3"),
        ({"spatial_dims": 3}, r"expected 3 axes"),
        ({"norm": "instance"}, "none, batch, group"),
        ({"activation": "gelu6"}, "leaky_relu, relu"),
        ({"output_activation": "tanh"}, "linear, sigmoid"),
        ({"kernel_size": 1}, "kernel_size is 1"),
        ({"feature_maps": ()}, "at least|one number"),
    ],
)
def test_impossible_settings_are_refused_in_words(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL[2], **change)


def test_scan_of_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 1, 24, 16\).*\(1, 16, 24\)"):
        build(SMALL[2])(torch.zeros(3, 1, 24, 16))


def test_a_network_is_built_again_from_what_it_says_about_itself():
    network = build(SMALL[3])
    again = build_network(network.to_dict())
    assert again.settings == network.settings and again.state_dict().keys() == network.state_dict().keys()


def test_settings_that_are_missing_or_unknown_are_named():
    values = build(SMALL[2]).to_dict()
    del values["kl_weight"]
    with pytest.raises(ValueError, match=r"heads, kl_weight: missing or not known .* kind 'vae'"):
        build_network(values | {"heads": 8})
    with pytest.raises(ValueError, match=r"network 'gan' is not known; expected one of .*\bvae\b"):
        build_network(values | {"kind": "gan"})
