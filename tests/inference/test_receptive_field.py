"""How far a network looks and what it takes, against what is known of small ones."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seg.inference.receptive_field import STEP, bytes_per_pixel, receptive_field
from seg.models.normalize import Normalize
from seg.models.unet import UNet


def unet(depth: int, **more) -> nn.Module:
    torch.manual_seed(0)
    return UNet(in_channels=1, out_channels=1, width=2, depth=depth, **more).eval()


def _reference_reach(network: nn.Module, length: int = 160) -> int:
    """By changing one column after the other: how far off an answer changes."""
    furthest = 0
    image = torch.rand((1, 1, 16, length), generator=torch.Generator().manual_seed(3)) * 255
    with torch.no_grad():
        before = network(image)
        for column in range(length // 2, length // 2 + 32):
            other = image.clone()
            other[..., column] = 255 - other[..., column]
            changed = (network(other) != before).any(dim=2)[0, 0].nonzero().flatten()
            furthest = max(furthest, *(abs(int(x) - column) for x in changed))
    return furthest


@pytest.mark.parametrize("up", ["transposed", "bilinear"])
@pytest.mark.parametrize("depth", [1, 2])
def test_a_u_net_sees_as_far_as_changes_of_single_columns_show(depth: int, up: str) -> None:
    network = unet(depth, up=up)
    true, result = _reference_reach(network), receptive_field(network, channels=1)
    assert true <= result < true + STEP


def test_stacked_convolutions_see_what_their_sizes_say() -> None:
    layers = [nn.Conv2d(1, 2, 5, padding=2), nn.Conv2d(2, 1, 3, padding=2, dilation=2)]
    assert 4 <= receptive_field(nn.Sequential(*layers), channels=1) < 4 + STEP


class Pooled(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image * image.mean(dim=(2, 3), keepdim=True)


@pytest.mark.parametrize(
    "network",
    [
        unet(1, norm="instance"),
        unet(1, norm="group"),
        Pooled(),
        nn.Sequential(Normalize(mode="image", mean=[0.0], std=[1.0]), unet(1)),
    ],
)
def test_what_sees_an_image_as_a_whole_has_no_reach(network: nn.Module) -> None:
    assert receptive_field(network, channels=1) is None


def test_the_networks_gradients_are_left_alone() -> None:
    network = unet(1)
    receptive_field(network, channels=1)
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_tensors_count_while_they_live_and_no_longer() -> None:
    wide = nn.Conv2d(1, 16, 1)  # 64 bytes a pixel out, 4 in
    assert bytes_per_pixel(wide, channels=1) == pytest.approx(1.5 * 68)
    # the first tensors are gone by the time the last is made: two of 256 bytes at a time
    chain = nn.Sequential(wide, nn.Conv2d(16, 16, 1), nn.Conv2d(16, 64, 1), nn.Conv2d(64, 64, 1))
    assert bytes_per_pixel(chain, channels=1) == pytest.approx(1.5 * (256 + 256 + 4), rel=0.05)


def test_a_wider_u_net_takes_in_proportion() -> None:
    narrow, wide = (
        bytes_per_pixel(UNet(in_channels=3, out_channels=1, width=w, depth=2).eval(), channels=3)
        for w in (4, 16)
    )
    assert 3 < wide / narrow < 4.5
    assert np.isfinite(wide)
