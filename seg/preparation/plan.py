"""A first experiment for a data set: every value from a rule in this file, written as plain YAML.

After nnU-Net's idea (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z) that a data set's
fingerprint and the machine decide most settings; here they are written to a file that people edit.
"""

import inspect
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
import yaml
from torch.nn import functional as F

from seg.models.layout import fast_layout
from seg.models.unet import UNet
from seg.preparation.audit import CaseFacts
from seg.preparation.patch_plan import FINEST, PATCH, plan_patches
from seg.training.hardware import Hardware
from seg.trust import import_target

SIDES = (64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768)
BASE = 128  # side at which the machine is timed; only small images get a smaller one
PASSES = 150  # epochs that must fit into the time at a larger side
LONG = 100  # epochs from which strong augmentation helps: below, blood cells scored lower with it
DEEPER = 1.2  # time with one more level: 33 ms an image instead of 28 at 128x128
OVERHEAD = 1.15  # time of an epoch over its training steps: loading, validation, panels

_TEMPLATE = jinja2.Template(
    Path(__file__).with_name("plan.yaml.jinja").read_text(encoding="utf-8"),
    undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True,
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """The device, the width of the network for it, and seconds for an image at BASE x BASE."""

    hardware: Hardware
    width: int
    seconds: float


def time_machine(hardware: Hardware, *, channels: int, outputs: int, batch: int) -> Machine:
    """Time training steps of the network that a plan would choose."""
    on_cpu = hardware.accelerator == "cpu"
    width = 16 if on_cpu else 32
    device = "cpu" if on_cpu else "mps" if torch.backends.mps.is_available() else "cuda"
    dtype = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(hardware.precision)
    model = UNet(in_channels=channels, out_channels=outputs, width=width, depth=4)
    model = fast_layout(model).to(device)
    optimizer = torch.optim.AdamW(model.parameters())
    image = torch.rand(batch, channels, BASE, BASE, device=device)
    image = image.contiguous(memory_format=torch.channels_last)
    target = torch.zeros(batch, outputs, BASE, BASE, device=device)
    seconds = []
    for _ in range(12):
        started = time.perf_counter()
        with torch.autocast(device, dtype=dtype, enabled=dtype is not None):
            loss = F.binary_cross_entropy_with_logits(model(image).float(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device
        seconds.append(time.perf_counter() - started)
    return Machine(hardware, width, min(seconds) / batch)  # the least disturbed


def sample(facts: Sequence[CaseFacts], count: int = 40) -> list[int]:
    """Indices of about `count` cases with foreground, evenly among them."""
    indices = [i for i, f in enumerate(facts) if f.foreground]
    return indices[:: max(1, len(indices) // count)][:count]


def plan(
    facts: Sequence[CaseFacts],
    *,
    dataset: Mapping[str, Any],
    choice: str,
    classes: Mapping[str, Any] | None,
    trained: int,
    structure: float | None,
    mirrored: bool,
    machine: Machine,
    minutes: float,
    name: str,
) -> str:
    """The text of experiment/NAME.yaml.

    Args:
        facts: of the audit, without faults.
        dataset: the resolved `dataset` node.
        choice: its name in the group.
        classes: as configured or discovered.
        trained: number of training cases.
        structure: median width in pixels of the thinnest class, None where all masks are empty.
        mirrored: whether classes are each other's mirror image, such as left and right.
        machine: from `time_machine`.
        minutes: of training.
        name: NAME.
    """
    sizes = np.array([f.size for f in facts])  # (N, 2)
    median = np.median(sizes, axis=0)
    empty = float(np.mean([f.foreground == 0 for f in facts]))
    share = float(np.median([f.foreground for f in facts if f.foreground] or [0.0]))
    grey = all("grey" in f.kind or "1-bit" in f.kind for f in facts)
    stacked = dataset["channels"] not in (1, 3) or any(len(f.pair.images) > 1 for f in facts)
    channels = "1 # all are grey" if grey else "3 # colour, or a mixture"
    if stacked:
        channels = f"{dataset['channels']} # of the files of each case"
    several = classes is not None and len(classes) > 1
    exclusive = several and not dataset["overlap"]
    side, why_side = _side(median, structure, trained, machine, minutes)
    height, width = _rectangle(median, side)
    seconds = machine.seconds * OVERHEAD * (PATCH / BASE) ** 2 * trained  # a patch of each image
    patches = plan_patches(median, structure, affordable=minutes * 60 / seconds)
    size_line = f"{height if height == width else [height, width]} # {why_side}"
    if patches is not None:
        height, width, trained = PATCH, PATCH, trained * patches.per_image
        size_line = "null # their own"
    batch = int(np.clip(trained // 4, 1, 8 if machine.hardware.accelerator == "cpu" else 16))
    cost = machine.seconds * height * width / BASE**2 * OVERHEAD
    epochs = max(10, int(minutes * 60 / (cost * trained)))
    long = epochs >= LONG * DEEPER
    if long:
        cost *= DEEPER
        epochs = int(minutes * 60 / (cost * trained))
    bottom = 4 if long else 8  # pixels at the deepest level: one level less allows more epochs
    depth = int(np.clip(math.floor(math.log2(min(height, width) / bottom)), 2, 5))
    square = height == width
    pooled = None
    if empty >= 0.3:
        pooled = f"{empty:.0%} of the masks are empty"
    elif share < 0.01:
        pooled = "the objects are small"
    what = "classes and background" if exclusive else "classes that may share pixels"
    what = f"{len(classes or ())} {what}" if several else "one class"
    loss = f"{'ce' if exclusive else 'bce'}_dice # {what}"
    return _TEMPLATE.render(
        name=name,
        cases=len(facts),
        median=f"{int(median[1])}x{int(median[0])}",
        empty=f"{empty:.0%}",
        machine=machine,
        choice=choice,
        augmentation=_augmentation(square, epochs, long=long, mirrored=mirrored, stacked=stacked),
        loss=loss,
        source=_source_keys(dataset, classes),
        image_size=size_line,
        patches=patches,
        side=PATCH,
        channels=channels,
        batch=batch,
        pooled=pooled,
        depth=f"{depth} # {min(height, width) >> depth} pixels across at the bottom",
        epochs=epochs,
        minutes=minutes,
        cost=cost,
        trained=trained,
    )


def _augmentation(square: bool, epochs: int, *, long: bool, mirrored: bool, stacked: bool) -> str:
    if mirrored:
        return "rotate_zoom # flips would exchange classes that mirror each other"
    if long and stacked:
        return "mri # scale, shape, and the light of each channel"
    if square and long:
        return "strong # any turn, scale, light and colour"
    why = f"{epochs} epochs are too few for more" if square else "turns by 90 degrees need a square"
    return f"flip_rotate_zoom # {why}"


def _side(
    median: np.ndarray, structure: float | None, trained: int, machine: Machine, minutes: float
) -> tuple[int, str]:
    """The side of a square of the training size, and the reason in words."""
    native = math.sqrt(median[0] * median[1])
    below = [s for s in SIDES if s <= native * 1.1] or [SIDES[0]]
    least = max((s for s in below if s <= BASE), default=below[0])
    if structure is not None and structure * least / native < FINEST:
        least = next((s for s in below if structure * s / native >= FINEST), below[-1])
        return least, f"structures are {structure:.1f} pixels wide, and must keep {FINEST:g}"
    affordable = [
        s
        for s in below
        if machine.seconds * OVERHEAD * (s / BASE) ** 2 * trained * PASSES <= minutes * 60
    ]
    side = max([least, *affordable])
    if side == below[-1]:
        return side, "about the images' own size"
    if side > least:
        return side, f"the largest that {PASSES} epochs can be afforded at"
    return side, "a larger one would cost epochs; the images allow it"


def _rectangle(median: np.ndarray, side: int) -> tuple[int, int]:
    """Height and width: square, or multiples of 32 of the images' aspect if that is far from it."""
    aspect = median[1] / median[0]
    if 1 / 1.5 < aspect < 1.5:
        return side, side
    height = max(32, round(side / math.sqrt(aspect) / 32) * 32)
    return height, max(32, round(side * math.sqrt(aspect) / 32) * 32)


def _source_keys(dataset: Mapping[str, Any], classes: Mapping[str, Any] | None) -> str:
    """YAML of the source's keys that differ from the defaults of its class, of window and split."""
    parameters = inspect.signature(import_target(dataset["_target_"])).parameters
    kept = {
        key: value
        for key, value in dataset.items()
        if key in parameters and key != "classes" and value != parameters[key].default
    }
    if classes is not None:
        kept["classes"] = dict(classes)
    kept |= {k: dataset[k] for k in ("window", "mask_threshold") if dataset[k] is not None}
    kept |= {"overlap": True} if dataset["overlap"] else {}
    kept["split"] = {k: v for k, v in dataset["split"].items() if v is not None}
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, default_flow_style=None)
    return text.rstrip("\n")


def write(text: str, name: str, folder: Path) -> Path:
    """Write `folder/experiment/NAME.yaml`. Raises ValueError if it exists: it may be edited."""
    path = folder / "experiment" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError:
        raise ValueError(f"{path}: is there already; delete it, or choose another plan=") from None
    return path
