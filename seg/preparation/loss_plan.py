"""The loss of a plan, and which cases its epochs show: by the classes and shapes of the objects."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seg.preparation.structure import ClassShape, Structures

LONG = 50  # length over width from which objects are lines: vessels, nerves, fibres
EMPTY = 0.3  # share of the masks without foreground from which Dice is of the whole batch
RARE = 1 / 3  # of the masks that the commonest class is in, below which a class is drawn more often
SMALL = 1 / 20  # of the largest class's share of the pixels, below which classes get weights
OBJECTS = 0.01  # share of the pixels below which objects are small
ITERATIONS = 15  # of clDice's thinning at most, since each costs time


@dataclass(frozen=True)
class LossPlan:
    """A loss.

    Args:
        name: its choice in the group `loss`.
        why: the reason, in words.
        terms: keys of its members by name, with the reason in words.
    """

    name: str
    why: str
    terms: Mapping[str, tuple[Mapping[str, Any], str]] = field(default_factory=dict)


def is_thin(shape: ClassShape | None) -> bool:
    """Whether the objects of a class are lines."""
    return shape is not None and shape.elongation >= LONG


def choose_loss(
    structures: Structures,
    *,
    classes: Sequence[str],
    overlap: bool,
    empty: float,
    share: float,
    scale: float,
) -> LossPlan:
    """The loss of a plan.

    Args:
        structures: of the masks.
        classes: names; none for a single class.
        overlap: whether classes may share pixels.
        empty: share of the masks without foreground.
        share: median share of foreground in the other masks.
        scale: pixels in training for a pixel of the files.
    """
    several = len(classes) > 1
    exclusive = several and not overlap
    what = "classes and background" if exclusive else "classes that may share pixels"
    why = f"{len(classes)} {what}" if several else "one class"
    terms: dict[str, tuple[dict[str, Any], str]] = {}
    if exclusive and (small := _smallest(structures, classes)):
        terms["ce"] = {"class_weights": "auto"}, small
    if empty >= EMPTY:
        terms["dice"] = {"pooled": True}, f"{empty:.0%} of the masks are empty"
    elif share < OBJECTS:
        terms["dice"] = {"pooled": True}, "the objects are small"
    thin = structures.thinnest
    if is_thin(thin):
        steps = max(2, min(ITERATIONS, math.ceil(thin.radius * scale)))
        keys = {"_target_": "seg.losses.cldice.CLDiceLoss", "iterations": steps, "scale": 0.5}
        terms["cldice"] = keys, "long and thin objects: clDice keeps them in one piece"
    return LossPlan(f"{'ce' if exclusive else 'bce'}_dice", why, terms)


def _smallest(structures: Structures, classes: Sequence[str]) -> str | None:
    """The class whose pixels are far fewer than another's, in words."""
    shares = {k: sum(s.shares) / len(s.shares) for k, s in structures.classes.items()}
    if len(shares) < 2:
        return None
    least = min(shares, key=shares.__getitem__)
    ratio = max(shares.values()) / shares[least]
    if ratio * SMALL < 1:
        return None
    return f"{_name(classes, least)} has 1/{ratio:.0f} of the pixels of the largest class"


def why_sampled(structures: Structures, *, classes: Sequence[str]) -> str | None:
    """Why cases of rare classes are to be drawn more often; None if not.

    Empty masks alone are no reason: on LGG-MRI, 59 % empty, it was worse (docs/training.md).
    """
    counts = {k: len(s.shares) for k, s in structures.classes.items()}
    counts |= {k: 0 for k in range(1, len(classes) + 1) if k not in counts}
    least = min(counts, key=counts.__getitem__, default=None)
    if least is None or counts[least] >= RARE * max(counts.values()):
        return None
    return f"{_name(classes, least)} is in {counts[least]} of {structures.masks} masks looked at"


def _name(classes: Sequence[str], index: int) -> str:
    return classes[index - 1] if index <= len(classes) else "foreground"
