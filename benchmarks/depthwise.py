"""Depthwise convolutions on a CPU: gradients in bf16 beside fp32, and what a network gains by it.

    python benchmarks/depthwise.py [--size 192]

Prints CPU ms of a forward and a backward pass by number format, then CPU ms per training image of
`lite_unet` in fp32, in bf16, and in bf16 as `seg.train` runs it, one thread, all in one process.
"""

import argparse
import time

import torch
from torch import nn

from seg.models.layout import fast_layout
from seg.models.lite_unet import LiteUNet

BATCH = 8
LAYERS = {  # those of EfficientNet-Lite0 at 128 px: channels, size, kernel, stride
    "3x3": (144, 32, 3, 1),
    "3x3 stride 2": (96, 64, 3, 2),
    "5x5": (240, 16, 5, 1),
    "5x5 stride 2": (144, 32, 5, 2),
}


def layer_times(channels: int, size: int, kernel: int, stride: int, dtype: torch.dtype) -> str:
    layer = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
    layer = layer.to(dtype=dtype, memory_format=torch.channels_last)
    image = torch.rand(BATCH, channels, size, size, dtype=dtype, requires_grad=True)
    image = image.contiguous(memory_format=torch.channels_last)
    forward, backward = [], []
    for _ in range(7):
        start = time.process_time()
        y = layer(image)
        middle = time.process_time()
        y.backward(torch.ones_like(y))
        forward.append(middle - start)
        backward.append(time.process_time() - middle)
    return f"{1000 * min(forward):6.2f} + {1000 * min(backward):5.2f}"


def training_ms(network: nn.Module, size: int, *, bf16: bool) -> float:
    image = torch.rand(BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(6):
        start = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = network(image).float().mean()
        loss.backward()
        seconds.append(time.process_time() - start)
    return 1000 * min(seconds) / BATCH


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=192)
    size = parser.parse_args().size
    torch.set_num_threads(1)
    print(f"one layer, batch {BATCH}: CPU ms forward + backward")
    for name, shape in LAYERS.items():
        times = [f"{d!s:15} {layer_times(*shape, d)}" for d in (torch.float32, torch.bfloat16)]
        print(f"  {name:14}", "   ".join(times))
    plain = LiteUNet(in_channels=3, out_channels=1).to(memory_format=torch.channels_last)
    fast = fast_layout(LiteUNet(in_channels=3, out_channels=1))
    print(f"lite_unet at {size} px: CPU ms per training image")
    for name, network, bf16 in (
        ("fp32", plain, False), ("bf16", plain, True), ("bf16, seg.train", fast, True)
    ):  # fmt: skip
        print(f"  {name:16} {training_ms(network, size, bf16=bf16):6.1f}")


if __name__ == "__main__":
    main()
