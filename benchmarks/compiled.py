"""What torch.compile gives: time to compile, and CPU ms of a training step with and without.

    OMP_NUM_THREADS=1 python benchmarks/compiled.py model=unet model.width=16 dataset.image_size=128

One batch of 8 images in memory, bf16; forward, loss, backward and step. Six rounds by turns: read
the ratios. The keys are those of seg.train.
"""

import copy
import statistics
import sys
import time

import torch
from torch import nn

from seg.cli import build, compose


def main() -> None:
    cfg = compose.compose(sys.argv[1:])
    plain = build.build_model(cfg).to(memory_format=torch.channels_last)
    compiled = copy.deepcopy(plain)
    compiled.compile(dynamic=False)
    shape = (8, cfg.dataset.channels, cfg.dataset.image_size, cfg.dataset.image_size)
    images = torch.rand(shape).to(memory_format=torch.channels_last)
    masks = (torch.rand(shape[0], 1, *shape[2:]) > 0.5).float()
    networks = {"plain": plain, "compiled": compiled}
    optimizers = {
        name: torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
        for name, network in networks.items()
    }

    def step(name: str) -> float:
        begun = time.process_time()
        with torch.autocast("cpu", torch.bfloat16):
            logits = networks[name](images)
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), masks)
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
        return time.process_time() - begun

    begun = time.perf_counter()
    step("compiled")
    print(f"compiled in {time.perf_counter() - begun:.0f} s")
    step("plain")
    ratios = []
    for _ in range(6):
        ms = {name: 1000 * statistics.mean(step(name) for _ in range(4)) for name in networks}
        ratios.append(ms["plain"] / ms["compiled"])
        print(f"{ms['plain']:7.0f} ms plain {ms['compiled']:7.0f} compiled, {ratios[-1]:.2f}")
    print(f"median {statistics.median(ratios):.2f} times as fast")


if __name__ == "__main__":
    main()
