"""A first experiment for a data set: every value from a rule in this file, written as plain YAML.

After nnU-Net's idea (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z) that a data set's
fingerprint and the machine decide most settings; here they are written to a file that people edit.
"""

import inspect
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import yaml

from seg.preparation.audit import CaseFacts
from seg.preparation.loss_plan import choose_loss, why_sampled
from seg.preparation.machine import BASE, Machine, NetworkPlan
from seg.preparation.patch_plan import FINEST, PATCH, plan_patches
from seg.preparation.structure import Structures
from seg.trust import import_target

SIDES = (64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768)
PASSES = 150  # epochs that must fit into the time at a larger side; with pretrained weights:
PASSES_PRETRAINED = 40
LONG = 100  # epochs from which strong augmentation helps: below, blood cells scored lower with it
LONG_PRETRAINED = 40
DEEPER = 1.2  # time with one more level: 33 ms an image instead of 28 at 128x128
OVERHEAD = 1.15  # time of an epoch over its training steps: loading, validation, panels

_PAGES = jinja2.Environment(
    undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True, autoescape=False
)
_PAGES.filters["flow"] = lambda node: yaml.safe_dump(
    dict(node), sort_keys=False, default_flow_style=True
).strip()
_TEMPLATE = _PAGES.from_string(
    Path(__file__).with_name("plan.yaml.jinja").read_text(encoding="utf-8")
)


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
    structures: Structures,
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
        structures: of the masks.
        mirrored: whether classes are each other's mirror image, such as left and right.
        machine: from `time_machine`.
        minutes: of training.
        name: NAME.
    """
    network = machine.network
    median = np.median(np.array([f.size for f in facts]), axis=0)
    empty = float(np.mean([f.foreground == 0 for f in facts]))
    share = float(np.median([f.foreground for f in facts if f.foreground] or [0.0]))
    grey = all("grey" in f.kind or "1-bit" in f.kind for f in facts)
    stacked = dataset["channels"] not in (1, 3) or any(len(f.pair.images) > 1 for f in facts)
    channels = "1 # all are grey" if grey else "3 # colour, or a mixture"
    if stacked:
        channels = f"{dataset['channels']} # of the files of each case"
    width = structures.thinnest.width if structures.thinnest else None
    side, why_side = _side(median, width, trained, machine, minutes)
    shape = _rectangle(median, side)
    seconds = machine.seconds * OVERHEAD * (PATCH / BASE) ** 2 * trained  # a patch of each image
    patches = plan_patches(median, width, affordable=minutes * 60 / seconds)
    size_line = f"{side if shape == (side, side) else list(shape)} # {why_side}"
    scale = math.sqrt(math.prod(shape) / math.prod(median))
    if patches is not None:
        shape, scale, trained = (PATCH, PATCH), 1.0, trained * patches.per_image
        size_line = "null # their own"
    batch = int(np.clip(trained // 4, 1, 8 if machine.hardware.accelerator == "cpu" else 16))
    cost = machine.seconds * math.prod(shape) / BASE**2 * OVERHEAD
    epochs = max(10, int(minutes * 60 / (cost * trained)))
    long = epochs >= (LONG_PRETRAINED if network.is_pretrained else LONG * DEEPER)
    depth = None
    if network.has_depth:
        bottom = 4 if long else 8  # pixels at the deepest level: a level less allows more epochs
        depth = int(np.clip(math.floor(math.log2(min(shape) / bottom)), 2, 5))
        if long:
            cost *= DEEPER
            epochs = int(minutes * 60 / (cost * trained))
    names = list(classes or ())
    augmentation = _augmentation(
        network, epochs, square=shape[0] == shape[1], long=long, mirrored=mirrored, stacked=stacked
    )
    return _TEMPLATE.render(
        name=name,
        cases=len(facts),
        median=f"{int(median[1])}x{int(median[0])}",
        empty=f"{empty:.0%}",
        machine=machine,
        network=network,
        choice=choice,
        augmentation=augmentation,
        loss=choose_loss(
            structures, classes=names, overlap=dataset["overlap"], empty=empty, share=share,
            scale=scale,
        ),
        sampled=why_sampled(structures, classes=names),
        source=_source_keys(dataset, classes),
        image_size=size_line,
        patches=patches,
        side=PATCH,
        channels=channels,
        batch=batch,
        depth=depth,
        bottom=None if depth is None else min(shape) >> depth,
        epochs=epochs,
        minutes=minutes,
        cost=cost,
        trained=trained,
    )  # fmt: skip


def _augmentation(
    network: NetworkPlan, epochs: int, *, square: bool, long: bool, mirrored: bool, stacked: bool
) -> str:
    if mirrored:
        return "rotate_zoom # flips would exchange classes that mirror each other"
    if network.name == "resenc_unet":
        return "nnunet # that of the network's authors"
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
    passes = PASSES_PRETRAINED if machine.network.is_pretrained else PASSES
    affordable = [
        s
        for s in below
        if machine.seconds * OVERHEAD * (s / BASE) ** 2 * trained * passes <= minutes * 60
    ]
    side = max([least, *affordable])
    if side == below[-1]:
        return side, "about the images' own size"
    if side > least:
        return side, f"the largest that {passes} epochs can be afforded at"
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
