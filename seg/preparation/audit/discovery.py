"""Classes that nobody has named, told from the values that the masks share."""

import math
from collections import Counter
from collections.abc import Sequence

from seg.preparation.audit.facts import VALUES, CaseFacts

MAX_CLASSES = 20  # more values than this are no classes


def discover(
    facts: Sequence[CaseFacts], ignore_value: int | None
) -> tuple[dict[str, object] | None, list[str] | None]:
    """Classes that explain the values most masks share, where these are not of one class; or the
    greys that are but the soft rims of one class.
    """
    exact = [f for f in facts if f.values]
    few = len(exact) < sum(f.lossy for f in facts)  # they say nothing of a set of JPEG masks
    if few or not any(f.has(VALUES) for f in exact):
        return None, None
    in_colour = any(key.startswith("#") for f in exact for key in f.values)
    masks: Counter[str] = Counter()
    pixels: Counter[str] = Counter()
    for f in exact:
        for key, count in _keys(f, in_colour).items():
            masks[key] += 1
            pixels[key] += count
    enough = max(2, math.ceil(0.05 * len(exact)))  # masks that share a value
    void = set() if ignore_value is None else {ignore_value, ignore_value * 0x010101}
    common = [k for k, count in masks.items() if count >= enough and code(k) not in {0, *void}]
    if set(common) <= {"1"} or set(common) <= {"255"} or not common:
        return None, None
    both = any({"1", "255"} <= f.values.keys() for f in exact)
    if set(common) == {"1", "255"} and not both:
        return None, None
    common.sort(key=code)
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


def code(key: str) -> int:
    """The number of a raw value, '7' or '#rrggbb', by which values are put in order."""
    return int(key.removeprefix("#"), 16 if key.startswith("#") else 10)


def _keys(facts: CaseFacts, in_colour: bool) -> dict[str, int]:
    """The raw values, greys as colours where other masks of the set are in colour."""
    if not in_colour or any(key.startswith("#") for key in facts.values):
        return facts.values
    return {f"#{min(int(v), 255) * 0x010101:06x}": count for v, count in facts.values.items()}


def class_pixels(facts: CaseFacts, discovered: dict | None) -> list[int] | None:
    """Of background and each class; by the discovered ones, if they explain the whole mask."""
    if discovered is None or not facts.values:
        return facts.class_pixels if discovered is None else None
    in_colour = any(isinstance(value, list) for value in discovered.values())
    found = _keys(facts, in_colour)
    keys = [bytes(v).hex() if in_colour else str(v) for v in discovered.values()]
    keys = ["#000000" if in_colour else "0", *(f"#{k}" if in_colour else k for k in keys)]
    if not found.keys() <= set(keys):
        return None
    return [found.get(key, 0) for key in keys]
