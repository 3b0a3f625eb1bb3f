"""ms per image of a training step, beside others, as ratios. python benchmarks/train_step.py --data DIR

Three contestants train one U-Net (by default the paper's, 31.0 million parameters) on the same files:

seg        our training as seg.train builds it: cached data, Lightning, callbacks, metrics.
ceiling    forward, loss, backward and step on one batch in memory: the throughput to reach.
fp32 loop  plain training in the manner of github.com/milesial/Pytorch-UNet (none of its code): fp32,
           every image decoded when its turn comes, RMSprop, clipped gradients, loss.item().

They take turns in one process, so that a shared machine's moods hit all alike: read the ratios. DIR
holds images/ and masks/; without it organs are generated. On a GPU cuDNN searches for the fastest
algorithms of all three.
"""  # noqa: E501

import seg  # noqa: F401 - first, see seg/broken_torchvision.py

# isort: split
import argparse
import contextlib
import copy
import itertools
import json
import logging
import os
import platform
import re
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from seg.cli import build, compose
from seg.cli.check import check
from seg.data.datamodule import SegmentationDataModule
from seg.data.pairs import Pair
from seg.runs.folder import RunFolder
from seg.training.hardware import choose_hardware
from seg.training.module import SegmentationModule

WARMUP = 3  # uncounted steps of every round: buffers, optimizer state, loader processes
AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": None, "32": None}


@dataclass
class Clock:
    """Ends of the steps of one round. `tick` after each; it is True when there are enough."""

    device: torch.device
    steps: int
    ends: list[float] = field(default_factory=list)

    def tick(self) -> bool:
        count = len(self.ends) + 1
        # Between these two the host may run ahead of an accelerator, as in a real training.
        if self.device.type != "cpu" and count in (WARMUP, WARMUP + self.steps):
            torch.accelerator.synchronize()
        self.ends.append(time.perf_counter())
        return count == WARMUP + self.steps

    def seconds(self) -> float:
        """Of a step: the median on a CPU; on an accelerator, where steps overlap, the mean."""
        counted = self.ends[WARMUP - 1 :]
        if self.device.type != "cpu":
            return (counted[-1] - counted[0]) / self.steps
        return statistics.median(b - a for a, b in itertools.pairwise(counted))


Contestant = Callable[[Clock], None]  # trains until the clock has enough


class Enough(Exception):
    """Ends a fit within its epoch: validation and checkpoints are no part of a step."""


class Ticks(pl.Callback):
    """From one batch's end to the next: loading, Lightning's work and the metrics are in it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_batch_end(self, *_: object) -> None:
        if self.clock.tick():
            raise Enough


def seg_path(
    build_trainer: Callable[[], pl.Trainer],
    module: SegmentationModule,
    data: SegmentationDataModule,
) -> Contestant:
    """build_trainer: each round is a fit of its own, which starts from the module's weights."""

    def run(clock: Clock) -> None:
        trainer = build_trainer()
        trainer.callbacks.append(Ticks(clock))  # last, after what the others do in a step
        with contextlib.suppress(Enough):
            trainer.fit(module, datamodule=data)

    return run


def ceiling(
    module: SegmentationModule, batch: dict[str, Tensor], number_format: str, device: torch.device
) -> Contestant:
    """batch: as the data module makes it."""
    dtype = AUTOCAST[number_format]
    model = copy.deepcopy(module.model).to(device).train()
    loss = copy.deepcopy(module.stage.loss).to(device)
    optimizer = module.stage.optimizer(model.parameters())
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    image = module.normalize(batch["image"]).to(device, memory_format=torch.channels_last)
    target = batch["mask"].long().to(device)

    def run(clock: Clock) -> None:
        enough = False
        while not enough:
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
                value = loss(model(image), target)
            scaler.scale(value).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            enough = clock.tick()

    return run


class Files(Dataset):
    """Decodes a case at each call. size: (height, width). mode: PIL's, RGB or L."""

    def __init__(self, *, pairs: Sequence[Pair], size: tuple[int, int], mode: str) -> None:
        self.pairs = pairs
        self.size = size
        self.mode = mode

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """image: (C, H, W) float32, 0-1. mask: (H, W) float32, 0 or 1."""
        pair, wanted = self.pairs[index], self.size[::-1]
        with Image.open(pair.image) as file:
            pixels = np.array(file.convert(self.mode).resize(wanted, Image.Resampling.BICUBIC))
        with Image.open(pair.mask_paths[0]) as file:
            mask = np.array(file.convert("L").resize(wanted, Image.Resampling.NEAREST)) > 0
        image = np.atleast_3d(pixels).transpose(2, 0, 1) / np.float32(255)
        return torch.from_numpy(image).contiguous(), torch.from_numpy(mask).float()


def fp32_loop(
    model: nn.Module, loader: DataLoader, device: torch.device, layout: torch.memory_format
) -> Contestant:
    """loader: batches of `Files`. layout: the order of model and images in memory."""
    model = model.to(device).to(memory_format=layout).train()
    optimizer = torch.optim.RMSprop(
        model.parameters(), lr=1e-5, weight_decay=1e-8, momentum=0.999, foreach=True
    )

    def run(clock: Clock) -> None:
        total = 0.0
        for image, mask in loader:
            x, target = image.to(device, memory_format=layout), mask.to(device)
            logits = model(x).squeeze(1)  # (N, H, W)
            probs = torch.sigmoid(logits)
            overlap, area = (probs * target).sum((1, 2)), (probs + target).sum((1, 2))
            dice = ((2 * overlap + 1e-6) / (area + 1e-6)).mean()
            loss = F.binary_cross_entropy_with_logits(logits, target) + 1 - dice
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
            if clock.tick():
                return

    return run


def machine() -> str:
    """The processor, and what else of it a figure depends on."""
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").is_file() else ""
    names = re.findall(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE) or [platform.processor()]
    features = torch.cpu.get_capabilities()
    bf16 = [name for name in ("avx512_bf16", "amx_bf16") if features.get(name)] or ["none"]
    return (
        f"{names[0]}, bf16 instructions: {', '.join(bf16)}; {torch.get_num_threads()} threads, "
        f"load {os.getloadavg()[0]:.1f} at the start; torch {torch.__version__}"
    )


def prepare(
    args: argparse.Namespace, folder: Path
) -> tuple[list[str], torch.device, dict[str, Contestant]]:
    """Lines that say what is measured, the device, and the contestants."""
    overrides = [
        f"output_dir='{folder}'", f"augmentation={args.augmentation}",
        f"dataset.image_size={args.image_size}", f"dataset.batch_size={args.batch_size}",
        f"model.width={args.width}", f"model.depth={args.depth}",
        "model.norm=none", "model.up=transposed", "trainer.max_epochs=100000",
    ]  # fmt: skip
    if args.data is not None:
        overrides += ["dataset=folder", f"dataset.root='{args.data}'"]
    cfg = compose.compose([*overrides, *args.overrides])
    check(cfg)
    hardware = choose_hardware(cfg.trainer.accelerator, cfg.trainer.precision)
    if hardware.precision not in AUTOCAST:
        raise ValueError(f"trainer.precision={hardware.precision} is none of {', '.join(AUTOCAST)}")
    on_cpu = hardware.accelerator == "cpu"
    device = torch.device("cpu") if on_cpu else torch.accelerator.current_accelerator()
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data = build.build_data(cfg, hardware)
    data.setup()
    rows, needed = data.rows("train"), (WARMUP + args.steps) * data.batch_size
    if len(rows) < needed:  # a smaller batch, or an epoch's end, would be among the steps
        raise ValueError(
            f"{WARMUP} + {args.steps} steps of {data.batch_size} need {needed} training images and "
            f"there are {len(rows)}: fewer --steps, or --overrides dataset.patients={needed}"
        )
    if len(data.class_names) > 1:
        raise ValueError(f"the fp32 loop knows one class, not {', '.join(data.class_names)}")
    model, stages = build.build_model(cfg), build.build_stages(cfg)
    module = build.build_module(cfg, compose.plain(cfg), data, model, stages)
    batch = data.samples("train").__getitems__(range(data.batch_size))
    size, mode = data.preprocessing.size, {1: "L", 3: "RGB"}[data.preprocessing.channels]
    loader = DataLoader(
        Files(pairs=[data.pairs[i] for i in rows], size=size, mode=mode),
        batch_size=data.batch_size,
        shuffle=True,
        num_workers=data.num_workers,
        pin_memory=torch.cuda.is_available(),
    )
    torch.backends.cudnn.benchmark = True
    run = RunFolder(folder)
    model, layout = build.build_model(cfg), getattr(torch, args.loop_layout)
    contestants = {
        "seg": seg_path(
            lambda: build.build_trainer(cfg, hardware, data, module, run, []), module, data
        ),
        "ceiling": ceiling(module, batch, hardware.precision, device),
        "fp32 loop": fp32_loop(model, loader, device, layout),
    }
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    about = (
        f"{parameters:.1f} M parameters, batches of {data.batch_size} at {size[0]}x{size[1]}, "
        f"{data.num_workers} loader processes, augmentation {args.augmentation} (seg), "
        f"{args.loop_layout} (fp32 loop); {args.rounds} rounds of {args.steps} steps"
    )
    return [machine(), hardware.line, about], device, contestants


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of images/ and masks/")
    parser.add_argument("--output", type=Path, help="keeps generated images and the cache")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--augmentation", default="none", help="of seg alone")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="of a round; on a GPU 100 or more")
    layouts = ("contiguous_format", "channels_last")
    parser.add_argument("--loop-layout", choices=layouts, default=layouts[0])
    parser.add_argument("--overrides", nargs="*", default=[], help="as to seg.train")
    parser.add_argument("--json", type=Path, help="file for every round's figures")
    args = parser.parse_args(argv)
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=rf"{name}\..*")
    ms: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        about, device, contestants = prepare(args, (args.output or Path(temporary)).absolute())
        print(*about, sep="\n", flush=True)
        for _ in range(args.rounds):
            for name, run in contestants.items():
                clock = Clock(device, args.steps)
                run(clock)
                ms.setdefault(name, []).append(1000 * clock.seconds() / args.batch_size)
    by_round = list(zip(*ms.values(), strict=True))
    rows = {f"{name}, ms per image": values for name, values in ms.items()}
    rows["seg, % of the ceiling's throughput"] = [100 * top / own for own, top, _ in by_round]
    rows["seg, times as fast as fp32 loop"] = [loop / own for own, _, loop in by_round]
    print(f"\n{'over the rounds':36}     min  median     max")
    for name, values in rows.items():
        low, middle, high = (of(values) for of in (min, statistics.median, max))
        print(f"{name:36}{low:8.2f}{middle:8.2f}{high:8.2f}")
    if args.json is not None:
        content = json.dumps({"about": about, "by_round": rows}, indent=2)
        args.json.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
