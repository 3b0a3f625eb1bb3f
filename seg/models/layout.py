"""How a network lies in memory and computes, so that it trains fastest."""

import torch
from torch import Tensor, nn


def fast_layout(network: nn.Module) -> nn.Module:
    """Channels last, and slow gradients of bf16 on a CPU in fp32. Changes the network itself.

    oneDNN computes the gradients of depthwise convolutions with stride 2 or kernels above 3 four to
    nine times slower in bf16 than in fp32 (`benchmarks/depthwise.py`). The state_dict is the same.
    """
    for layer in network.modules():
        if type(layer) is nn.Conv2d and _is_slow_in_bf16(layer):
            layer.__class__ = _DepthwiseConv2d
    return network.to(memory_format=torch.channels_last)


def _is_slow_in_bf16(layer: nn.Conv2d) -> bool:
    depthwise = layer.groups == layer.in_channels > 1
    return depthwise and (max(layer.kernel_size) > 3 or max(layer.stride) > 1)


class _DepthwiseConv2d(nn.Conv2d):
    """A convolution that is computed in fp32 where autocast runs on a CPU and gradients follow."""

    def forward(self, x: Tensor) -> Tensor:
        has_gradients = x.requires_grad or self.weight.requires_grad
        if not (x.is_cpu and torch.is_autocast_enabled("cpu") and has_gradients):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float()).to(x.dtype)
