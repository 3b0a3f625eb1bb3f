"""Parameters, and processor ms per image in training and in prediction, of networks.

    python benchmarks/networks.py [--size 256] [--threads 1] [--batch 8] ["model=unet model.width=16" ...]

Images are random and lie in memory; a training step is forward, loss, backward and AdamW, in bf16 where
the CPU has instructions for it; a prediction is of one image at a time, in fp32, as seg.predict does.
Processor time (of all threads together), the median of several steps, which take turns so that a
shared machine's moods hit all alike.
"""  # noqa: E501

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from seg.cli.compose import compose
from seg.cli.make import make
from seg.models.layout import fast_layout
from seg.training.hardware import choose_hardware

NETWORKS = [
    "model=unet model.width=16 model.depth=5",
    "model=unet",
    "model=unetpp model.width=16",
    "model=attention_unet model.width=16",
    "model=resenc_unet model.width=16 model.blocks=[1,2,2,2,2] model.max_width=256",
    "model=lite_unet",
    "model=lite_unet model.frozen_stages=2",
    "model=lite_unet model.encoder=lite1",
    "model=lite_unet model.encoder=lite2",
]
STEPS = 7


def training_step(network: nn.Module, image: torch.Tensor, *, bf16: bool) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def step() -> None:
        network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(image)
        loss = F.binary_cross_entropy_with_logits(logits.float(), torch.ones_like(logits).float())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def prediction(network: nn.Module, image: torch.Tensor) -> Callable[[], None]:
    def predict() -> None:
        network.eval()
        with torch.inference_mode():
            network(image[:1])

    return predict


def milliseconds(call: Callable[[], None]) -> float:
    start = time.process_time()
    call()
    return 1000 * (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="overrides of seg.train")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bf16 = "bf16" in choose_hardware("cpu", "auto").precision
    image = torch.rand(options.batch, 3, options.size, options.size)
    image = image.contiguous(memory_format=torch.channels_last)
    calls = {}
    for overrides in options.networks:
        network = fast_layout(make(compose(overrides.split()).model))
        millions = sum(p.numel() for p in network.parameters()) / 1e6
        calls[overrides, millions] = (
            training_step(network, image, bf16=bf16), prediction(network, image)
        )  # fmt: skip
    seconds = {key: ([], []) for key in calls}
    for turn in range(STEPS):
        for key, both in calls.items():
            for call, times in zip(both, seconds[key], strict=True):
                took = milliseconds(call)
                if turn:  # the first one is slower
                    times.append(took)
    print(f"{options.size} px, {options.threads} threads, batch {options.batch} in training")
    print("| network | parameters | training, ms per image | prediction, ms per image |")
    print("|---|---|---|---|")
    for (overrides, millions), (training, predicting) in seconds.items():
        each = statistics.median(training) / options.batch
        one = statistics.median(predicting)
        print(f"| `{overrides}` | {millions:.1f} M | {each:.0f} | {one:.0f} |")


if __name__ == "__main__":
    main()
