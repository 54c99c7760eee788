import pytest
import torch

from spatial_erasing.train.convolutions import CONVOLUTIONS, FIRST_CONVOLUTIONS
from spatial_erasing.train.layers import GroupNorm, PointwiseConvolution
from spatial_erasing.train.network import MEMORY_FORMATS


def random_maps(dims, maps, *, edge=6):
    generator = torch.Generator().manual_seed(dims)
    features = 3 * torch.randn(2, maps, *[edge] * dims, generator=generator) + 2
    return features.contiguous(memory_format=MEMORY_FORMATS[dims])


def outputs_and_gradients(layer, features, parameters=None):
    """What a layer puts out, and the gradients of a loss that treats no two values alike."""
    features = features.clone().requires_grad_()
    output = layer(features)
    weights = torch.arange(output.numel()).view(output.shape) / output.numel()
    gradients = torch.autograd.grad((output * weights).sum(), [features, *(parameters or layer.parameters())])
    return [output, *gradients]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kernel_size", [None, 3, 4, 5])
def test_what_is_compiled_has_the_numbers_of_torch_and_leaves_channels_last(dims, kernel_size, monkeypatch):
    if kernel_size is None:
        layer, maps = GroupNorm(4, 12), 12
    else:
        padding = (kernel_size - 1) // 2
        layer, maps = FIRST_CONVOLUTIONS[dims](1, 5, kernel_size, stride=2, padding=padding), 1
    features = random_maps(dims, maps)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter))
    expected = outputs_and_gradients(layer, features)
    called = []
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: called.append(True) or True)
    found = outputs_and_gradients(layer, features)
    assert called
    for ours, torchs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-4)
    assert found[0].is_contiguous(memory_format=MEMORY_FORMATS[dims])


@pytest.mark.parametrize("dims", [2, 3])
def test_a_pointwise_convolution_is_a_convolution_of_one_pixel(dims):
    layer, features = PointwiseConvolution(5, 3), random_maps(dims, 5)
    reference = CONVOLUTIONS[dims](5, 3, 1)
    with torch.no_grad():
        reference.weight.copy_(layer.weight.view(reference.weight.shape))
        reference.bias.copy_(layer.bias)
    torch.testing.assert_close(layer(features), reference(features), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_group_norm_in_bfloat16_has_the_numbers_of_torch_and_leaves_channels_last(dims):
    layer, features = GroupNorm(4, 12), random_maps(dims, 12)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter))
    exact = outputs_and_gradients(layer, features)
    layer, rounded = layer.bfloat16(), features.bfloat16()
    ours = outputs_and_gradients(layer, rounded)
    torchs = outputs_and_gradients(super(GroupNorm, layer).forward, rounded, parameters=layer.parameters())
    for number in range(len(ours)):
        assert ours[number].dtype == torch.bfloat16
        torch.testing.assert_close(ours[number], torchs[number], rtol=0.05, atol=0.05)
        far = torch.linalg.vector_norm(ours[number].float() - exact[number])
        assert far < 0.02 * torch.linalg.vector_norm(exact[number])
    assert torch.equal(ours[0], torchs[0])
    assert all(part.is_contiguous(memory_format=MEMORY_FORMATS[dims]) for part in ours[:2])
    with torch.no_grad():
        assert torch.equal(layer(rounded), ours[0])
