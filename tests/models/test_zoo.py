"""What all networks share: logits of the image's size for any image, and deep supervision."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from seg.models.attention_unet import AttentionUNet
from seg.models.lite_unet import LiteUNet
from seg.models.resenc_unet import ResEncUNet
from seg.models.unet import UNet
from seg.models.unetpp import UNetPlusPlus
from tests.models import matrix

NETWORKS: dict[str, matrix.Make] = {
    "unet": lambda **keys: UNet(width=4, depth=3, **keys),
    "unetpp": lambda **keys: UNetPlusPlus(width=4, depth=3, **keys),
    "attention_unet": lambda **keys: AttentionUNet(width=4, depth=3, **keys),
    "resenc_unet": lambda **keys: ResEncUNet(width=4, blocks=[1, 2, 1, 1], **keys),
    "lite_unet": lambda **keys: LiteUNet(decoder=[8, 8, 4, 4, 4], **keys),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", [(65, 97), (9, 1), (64, 64), (31, 200)])
@pytest.mark.parametrize(("channels", "outputs"), [(1, 1), (3, 4), (5, 2)])
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_have_the_size_of_the_image(
    name: str, channels: int, outputs: int, size: tuple[int, int]
) -> None:
    network = NETWORKS[name](in_channels=channels, out_channels=outputs).eval()
    with torch.no_grad():
        logits = network(torch.rand(2, channels, *size))
    assert logits.shape == (2, outputs, *size)
    assert torch.isfinite(logits).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_image_and_target_is_taken(name: str) -> None:
    matrix.takes_everything(NETWORKS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_an_onnx_file_gives_the_same(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    matrix.exports(NETWORKS[name], tmp_path)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_trained(name: str) -> None:
    for deep in (False, True):
        network = NETWORKS[name](in_channels=3, out_channels=2, deep_supervision=deep)
        logits = network(torch.randn(2, 3, 64, 96))
        every = logits if deep else [logits]
        assert {tuple(x.shape) for x in every} == {(2, 2, 64, 96)}
        assert len(every) > 1 if deep else True
        sum((x * torch.randn_like(x)).sum() for x in every).backward()
        idle = [key for key, p in network.named_parameters() if p.grad is None]
        assert idle == []


@pytest.mark.parametrize("name", NETWORKS)
def test_deep_supervision_changes_nothing_but_the_training(name: str) -> None:
    deep = NETWORKS[name](in_channels=1, out_channels=1, deep_supervision=True).eval()
    plain = NETWORKS[name](in_channels=1, out_channels=1).eval()
    own = deep.state_dict()
    plain.load_state_dict({key: own[key] for key in plain.state_dict()})
    assert any(key.startswith("auxiliary.") for key in own)
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(deep(image), plain(image), rtol=0, atol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_pixel_to_normalise_is_refused_in_training(name: str) -> None:
    network = NETWORKS[name](in_channels=1, out_channels=1)
    with pytest.raises(ValueError, match=r"image_size"):
        network(torch.rand(1, 1, 8, 8))


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_parameter_counts_are_those_of_the_reference_implementations() -> None:
    """dynamic_network_architectures 0.4.4, ResidualEncoderUNet without its auxiliary heads."""
    with torch.device("meta"):
        medium = ResEncUNet(in_channels=3, out_channels=2)
        large = ResEncUNet(in_channels=3, out_channels=2, blocks=[1, 3, 4, 6, 6, 6, 6, 6])
    assert parameters(medium) == 71_815_234
    assert parameters(large) == 140_013_634


def test_a_unetpp_has_a_node_for_each_pair_of_row_and_column() -> None:
    """Counted by the paper's figure: node (i, j) joins j nodes of its row and one from below."""
    width, depth, total = 32, 4, 0
    for row in range(depth + 1):
        own = width * 2**row
        for column in range(depth + 1 - row):
            inputs = column * own + 2 * own if column else (own // 2 if row else 3)
            total += 9 * own * (inputs + own) + 4 * own  # two convolutions, two normalisations
    network = UNetPlusPlus(in_channels=3, out_channels=1, width=width, depth=depth)
    assert parameters(network) == total + width + 1


def test_an_attention_gate_only_weights_its_skip_connection() -> None:
    network = AttentionUNet(in_channels=1, out_channels=1, width=4, depth=2).eval()
    plain = UNet(in_channels=1, out_channels=1, width=4, depth=2).eval()
    own = network.state_dict()
    plain.load_state_dict({key: own[key] for key in plain.state_dict()})
    image = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        for level in network.up:  # open gates: the sigmoid of a large number is 1
            level.gate.weight.bias.fill_(100.0)
        torch.testing.assert_close(network(image), plain(image))
        for level in network.up:
            level.gate.weight.bias.fill_(-100.0)
        assert not torch.allclose(network(image), plain(image))
