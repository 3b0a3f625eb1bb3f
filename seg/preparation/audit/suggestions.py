"""Classes that nobody has named and that the masks of a data set suggest."""

import math
from collections import Counter
from collections.abc import Sequence

from seg.data import class_map
from seg.data.preprocess import Preprocessing
from seg.data.unknown_values import UnknownValues
from seg.preparation.audit.facts import VALUES, CaseFacts

MAX_CLASSES = 20  # more values than this are no classes


def discover_classes(
    facts: Sequence[CaseFacts], ignore_value: int | None
) -> tuple[dict[str, object] | None, list[str] | None]:
    """What the values that most masks share suggest, where these are not of one class.

    Returns:
        Classes; or else the greys that are only the soft outlines of one class, as a resized mask
        has them; or None for both.
    """
    exact = [f for f in facts if f.values]
    mostly_jpeg = len(exact) < sum(f.lossy for f in facts)  # few exact masks say nothing of the set
    if mostly_jpeg or not any(f.has_fault(VALUES) for f in exact):
        return None, None
    in_colour = any(key.startswith("#") for f in exact for key in f.values)
    masks: Counter[str] = Counter()
    pixels: Counter[str] = Counter()
    for f in exact:
        for key, count in _keys(f, in_colour).items():
            masks[key] += 1
            pixels[key] += count
    enough = max(2, math.ceil(0.05 * len(exact)))  # masks that share a value
    ignored = {0} if ignore_value is None else {0, ignore_value, ignore_value * 0x010101}
    common = [k for k, count in masks.items() if count >= enough and value_of(k) not in ignored]
    if set(common) <= {"1"} or set(common) <= {"255"} or not common:
        return None, None
    both = any({"1", "255"} <= f.values.keys() for f in exact)
    if set(common) == {"1", "255"} and not both:  # two conventions for one class
        return None, None
    common.sort(key=value_of)
    total = sum(pixels[key] for key in common)
    leading = max(common, key=lambda key: pixels[key])
    rims = [key for key in common if key != leading and pixels[key] < 0.02 * total]
    if len(rims) == len(common) - 1 >= 4:
        return None, rims if len(rims) <= 6 else [*rims[:5], f"{len(rims) - 5} more"]
    if len(common) > MAX_CLASSES:
        return None, None
    return {
        f"class_{k}": list(bytes.fromhex(key[1:])) if in_colour else int(key)
        for k, key in enumerate(common, start=1)
    }, None


def explain_values(facts: Sequence[CaseFacts], pre: Preprocessing) -> str:
    """One line for all masks with values of no class; nothing where each needs its own."""
    errors = [fault.error for f in facts for fault in f.faults]
    unknown = [error for error in errors if isinstance(error, UnknownValues)]
    lines = class_map.messages(unknown, [f.pair for f in facts], pre)
    return lines[0] if len(lines) == 1 else ""


def value_of(key: str) -> int:
    """The number of a raw value, '7' or '#rrggbb', by which values are sorted."""
    return int(key.removeprefix("#"), 16 if key.startswith("#") else 10)


def _keys(facts: CaseFacts, in_colour: bool) -> dict[str, int]:
    """The raw values, greys as colours where other masks of the set are in colour."""
    if not in_colour or any(key.startswith("#") for key in facts.values):
        return facts.values
    return {f"#{min(int(v), 255) * 0x010101:06x}": count for v, count in facts.values.items()}


def class_pixels(facts: CaseFacts, discovered: dict | None) -> list[int] | None:
    """Pixels of background and each class; of the discovered ones if they explain the mask."""
    if discovered is None or not facts.values:
        return facts.class_pixels if discovered is None else None
    in_colour = any(isinstance(value, list) for value in discovered.values())
    counts = _keys(facts, in_colour)
    keys = [f"#{bytes(v).hex()}" if in_colour else str(v) for v in discovered.values()]
    keys.insert(0, "#000000" if in_colour else "0")
    return [counts.get(key, 0) for key in keys] if counts.keys() <= set(keys) else None
