"""What fast_layout changes: the number format of slow gradients, and nothing else."""

import copy

import pytest
import torch
from torch import Tensor, nn

from seg.models.layout import fast_layout
from seg.models.lite_unet import LiteUNet


def layer(*, kernel: int = 5, stride: int = 1, groups: int = 8) -> nn.Sequential:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 8, kernel, stride, kernel // 2, groups=groups, bias=False)
    with torch.no_grad():
        conv.weight.copy_(conv.weight.bfloat16())  # autocast rounds them, so rounded ones compare
    return nn.Sequential(conv)


def gradients(network: nn.Module, image: Tensor, *, bf16: bool) -> tuple[Tensor, Tensor]:
    image = image.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        network(image).float().square().sum().backward()
    return image.grad, network[0].weight.grad


@pytest.mark.parametrize(("kernel", "stride", "groups", "exact"), [
    (5, 1, 8, True), (3, 2, 8, True), (3, 1, 8, False), (5, 1, 1, False),
])  # fmt: skip
def test_gradients_of_the_slow_ones_alone_are_those_of_fp32(
    kernel: int, stride: int, groups: int, exact: bool
) -> None:
    image = torch.rand(2, 8, 12, 12).bfloat16().float()
    plain = layer(kernel=kernel, stride=stride, groups=groups)
    fast = fast_layout(copy.deepcopy(plain))
    output: list[Tensor] = []
    fast.register_forward_hook(lambda _, __, y: output.append(y))
    # only the output is rounded to the image's format, which is fp32 here
    of_image, of_weight = gradients(fast, image, bf16=True)
    expected = gradients(plain, image, bf16=False)
    assert torch.allclose(of_image, expected[0], rtol=1e-5, atol=1e-5) == exact
    assert torch.allclose(of_weight, expected[1], rtol=1e-5, atol=1e-5) == exact
    assert output[0].dtype == (torch.float32 if exact else torch.bfloat16)


def test_predictions_and_frozen_layers_stay_in_bf16() -> None:
    fast = fast_layout(layer())
    image = torch.rand(1, 8, 12, 12)
    with torch.autocast("cpu", torch.bfloat16):
        assert fast(image).dtype == torch.float32  # trained
        assert fast.requires_grad_(False)(image).dtype == torch.bfloat16


def test_names_and_values_stay() -> None:
    network = LiteUNet(in_channels=3, out_channels=1).eval()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    image = torch.rand(1, 3, 64, 64)
    before = network(image)
    assert torch.allclose(fast_layout(network)(image), before, atol=1e-5)
    assert list(network.state_dict()) == list(state)
    assert all(torch.equal(network.state_dict()[key], value) for key, value in state.items())
    copy.deepcopy(network)
