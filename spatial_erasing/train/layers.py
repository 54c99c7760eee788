"""Replacements for torch layers that are slow when compiled, and for group norm in bfloat16 on a CPU.

Compiled, torch's group norm converts to channels first, and the next convolution converts back; and a
convolution of one map is slow on a GPU. The layers here give the same results (tested) and are used in
compiled networks; otherwise they call torch's kernels, which are then faster.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class PointwiseConvolution(nn.Linear):
    """A 1x1 convolution as a matrix product, which is faster on the CPU than torch's convolution."""

    def forward(self, features: Tensor) -> Tensor:
        """Features of shape (batch, maps, *grid), as for a convolution."""
        return super().forward(features.movedim(1, -1)).movedim(-1, 1)


class GroupNorm(nn.GroupNorm):
    """Group norm that leaves channels last."""

    def forward(self, features: Tensor) -> Tensor:
        """Features of shape (batch, maps, *grid)."""
        if not torch.compiler.is_compiling():
            if features.is_cpu and features.dtype == torch.bfloat16:
                return _GroupNormOfBfloat16.apply(features, self.weight, self.bias, self.num_groups, self.eps)
            return super().forward(features)
        # in bfloat16 a sum over a volume would lose its small terms
        values, of_maps = features.float(), (*features.shape[:2], *[1] * (features.ndim - 2))
        # moments per map first, which are contiguous, then over the maps of a group
        variance, mean = torch.var_mean(values, dim=tuple(range(2, features.ndim)), correction=0)
        mean, variance = (moment.unflatten(1, (self.num_groups, -1)) for moment in (mean, variance))
        group_mean = mean.mean(dim=2, keepdim=True)
        group_variance = (variance + (mean - group_mean).square()).mean(dim=2, keepdim=True)
        weight, bias = (part.float().view(self.num_groups, -1) for part in (self.weight, self.bias))
        scale = weight * torch.rsqrt(group_variance + self.eps)
        shift = bias - group_mean * scale
        scale, shift = (part.view(of_maps) for part in (scale, shift))
        return (values * scale + shift).to(features.dtype)


class _GroupNormOfBfloat16(torch.autograd.Function):
    """Torch's group norm, with its gradient channels first: nine times as fast in bfloat16 on a CPU."""

    @staticmethod
    def forward(
        context: Any, features: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
    ) -> Tensor:
        """Normalised features, (batch, maps, *grid)."""
        batch, maps = features.shape[:2]
        sizes = (batch, maps, features[0, 0].numel(), groups)
        output, *moments = torch.native_group_norm(features, weight, bias, *sizes, eps)
        context.save_for_backward(features, weight, *moments)
        context.sizes = sizes
        return output

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of features, weight and bias."""
        features, weight, *moments = context.saved_tensors
        channels_first = (gradient.contiguous(), features.contiguous(), *moments)
        found = torch.ops.aten.native_group_norm_backward(
            *channels_first, weight, *context.sizes, context.needs_input_grad[:3]
        )
        of_features = torch.empty_like(features).copy_(found[0])  # channels last again, as the features
        return of_features, found[1], found[2], None, None


class OneMapConv2d(nn.Conv2d):
    """The first convolution of a network of slices."""

    def forward(self, scans: Tensor) -> Tensor:
        """Scans of shape (batch, 1, X, Y)."""
        return _of_one_map(self, scans) if torch.compiler.is_compiling() else super().forward(scans)


class OneMapConv3d(nn.Conv3d):
    """The first convolution of a network of volumes."""

    def forward(self, scans: Tensor) -> Tensor:
        """Scans of shape (batch, 1, X, Y, Z)."""
        return _of_one_map(self, scans) if torch.compiler.is_compiling() else super().forward(scans)


def _of_one_map(layer: nn.Conv2d | nn.Conv3d, scans: Tensor) -> Tensor:
    """A convolution of a single map as a matrix product with its patches."""
    padding = [int(width) for width in layer.padding for _ in range(2)]
    patches = functional.pad(scans.squeeze(1), padding)
    for axis, (size, step) in enumerate(zip(layer.kernel_size, layer.stride, strict=True), start=1):
        patches = patches.unfold(axis, size, step)
    patches = patches.flatten(1 + len(layer.kernel_size))
    return functional.linear(patches, layer.weight.flatten(1), layer.bias).movedim(-1, 1)
