"""Which values the masks of a set hold, and a class map that has every one of them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from seg.data.errors import DataError
from seg.data.file_threads import file_threads
from seg.data.masks import uses_colours
from seg.data.pairs import Pair
from seg.data.preprocess import MaskPart, Preprocessing, read_mask_files
from seg.data.unknown_values import UnknownValues

MAX_CLASSES = 20  # more values than this are no classes
SHOWN = 8  # values that a message names
RARE = 0.05  # share of the masks below which a value may be a mistake in them


def messages(errors: Sequence[DataError], pairs: Sequence[Pair], pre: Preprocessing) -> list[str]:
    """The errors as they are reported: masks with values of no class are one line together.

    Args:
        errors: of these pairs, in order.
    """
    unknown = [error for error in errors if isinstance(error, UnknownValues)]
    one_class_each = any(mask.label for pair in pairs for mask in pair.masks)
    if not unknown or one_class_each or pre.overlap:
        return [str(error) for error in errors]
    line = str(_explained(unknown, pairs, pre))
    return [line if e is unknown[0] else str(e) for e in errors if e not in unknown[1:]]


def _explained(
    unknown: Sequence[UnknownValues], pairs: Sequence[Pair], pre: Preprocessing
) -> DataError:
    """The values of all masks, read once more, and keys that take every one of them."""
    pixels: Counter[str] = Counter()
    files: dict[str, set[Path]] = defaultdict(set)
    with file_threads() as pool:
        for part in (part for parts in pool.map(lambda p: _parts(p, pre), pairs) for part in parts):
            if not part.lossy:
                counts = _count(part.values)
                pixels += counts
                for value in counts:
                    files[value].add(part.file.path)
    new = sorted({value for error in unknown for value in error.values}, key=_number)
    wrong, every = {error.path for error in unknown}, set().union(*files.values())
    share = sum(pixels.values()) / 100
    shown = ", ".join(f"{v} ({n / share:.2g} %)" for v, n in pixels.most_common(SHOWN))
    more = f" and {len(pixels) - SHOWN} more" if len(pixels) > SHOWN else ""
    kind = "colours" if new[0].startswith("#") else "values"
    listed = ", ".join(new[:SHOWN]) + (", ..." if len(new) > SHOWN else "")
    few = all(len(files[value]) < max(2, RARE * len(every)) for value in new)
    return DataError(
        unknown[0].path,
        f"{kind} of no class ({listed}), in {len(wrong)} of {len(every)} masks, which hold "
        f"{shown}{more}",
        ("correct the masks, or " if few else "") + _keys(unknown, new, list(pixels), pre),
    )


def _parts(pair: Pair, pre: Preprocessing) -> list[MaskPart]:
    with suppress(DataError):
        return read_mask_files(pair, pre)
    return []


def _count(values: np.ndarray) -> Counter[str]:
    """Pixels of each stored value, `7`, or colour, `#rrggbb`."""
    in_colour = values.ndim == 3
    if in_colour:
        red, green, blue = np.moveaxis(values.astype(np.int32), -1, 0)
        values = red << 16 | green << 8 | blue
    present, counts = np.unique(values, return_counts=True)
    names = [f"#{v:06x}" if in_colour else str(v) for v in present.tolist()]
    return Counter(dict(zip(names, counts.tolist(), strict=True)))


def _number(value: str) -> int:
    return int(value.removeprefix("#"), 16 if value.startswith("#") else 10)


def _keys(
    unknown: Sequence[UnknownValues], new: Sequence[str], present: Sequence[str], pre: Preprocessing
) -> str:
    """Classes for all values that are present: those of `pre`, and one more for each new value."""
    in_colour = any(value.startswith("#") for value in present)
    soft = next((error.fix for error in unknown if "mask_threshold" in error.fix), None)
    if soft or len(new) > MAX_CLASSES:
        return soft or "give dataset.classes all of them"
    classes = dict(pre.classes or {})
    if not classes or (in_colour and not uses_colours(classes)):
        ignored = {0} if pre.ignore_value is None else {0, pre.ignore_value}
        ignored |= {value * 0x010101 for value in ignored} if in_colour else set()
        classes, new = {}, [v for v in sorted(present, key=_number) if _number(v) not in ignored]
    start = 1 + len(classes)
    for k, value in enumerate(new, start=start):
        classes[f"class_{k}"] = list(bytes.fromhex(value[1:])) if in_colour else int(value)
    listed = ", ".join(f"{name}: {_as_numbers(claim)}" for name, claim in classes.items())
    return f"give 'dataset.classes={{{listed}}}'"


def _as_numbers(claim: object) -> object:
    """'#rrggbb' as [r, g, b]: the command line takes no # without quotes within quotes."""
    if isinstance(claim, str):
        return list(bytes.fromhex(claim.removeprefix("#")))
    return [_as_numbers(part) for part in claim] if isinstance(claim, list | tuple) else claim
