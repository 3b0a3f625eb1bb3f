"""Raw mask values to class indices."""

from pathlib import Path

import numpy as np

from seg.data.errors import DataError
from seg.data.grey_masks import PNG, binarise
from seg.data.unknown_values import UnknownValues, refuse

BACKGROUND, IGNORE = 0, 255

_SOFT = 5  # so many values of no class, in a mask of one class, are greys of soft outlines


def to_indices(
    values: np.ndarray,
    *,
    lossy: bool,
    classes: dict[str, object] | None,
    ignore_value: int | None,
    path: Path,
) -> np.ndarray:
    """Class indices (H, W) uint8: 0 background, 1..K in the order of `classes`, 255 ignored.

    Args:
        values: (H, W), or (H, W, 3) colours, from `images.read_mask`, as is `lossy`.
        classes: name -> value, list of values, colour ([r, g, b] or '#rrggbb') or list of colours;
            None is one class of value 1 or 255. Where all of them could be either, three numbers
            are a colour for colour masks and three values for others.
        ignore_value: value of ignored pixels; in colour masks the grey of that value.
        path: the mask, for messages.

    Raises:
        DataError: a value that no class has, or values that the file's format cannot keep.
        ValueError: the classes contradict each other.
    """
    index_of = {}
    for code, members in _classes_of(classes, in_colour=values.ndim == 3).items():
        if len(members) > 1:
            value = f"'#{code:06x}'" if values.ndim == 3 else code
            names = " and ".join(list(classes or {})[index - 1] for index in members)
            raise ValueError(
                f"dataset.classes: {value} belongs to {names}; "
                "dataset.overlap=true lets classes share pixels"
            )
        index_of[code] = members[0] if members else BACKGROUND
    return _indexed(values, index_of, lossy, classes, ignore_value, path)


def to_planes(
    values: np.ndarray,
    *,
    lossy: bool,
    classes: dict[str, object],
    ignore_value: int | None,
    path: Path,
) -> np.ndarray:
    """A plane for each class, (H, W, K) uint8: 1 where a pixel is of the class, 255 ignored.

    A value or colour may belong to several classes. Arguments and errors as in `to_indices`.
    """
    classes_of = _classes_of(classes, in_colour=values.ndim == 3)
    sets = list(dict.fromkeys(classes_of.values()))  # of classes that a pixel can have together
    if len(sets) > IGNORE:
        raise ValueError(f"dataset.classes: {len(sets)} combinations of classes, at most {IGNORE}")
    index_of = {code: sets.index(members) for code, members in classes_of.items()}
    planes = np.zeros((256, len(classes)), dtype=np.uint8)
    for index, members in enumerate(sets):
        planes[index, [member - 1 for member in members]] = 1
    planes[IGNORE] = IGNORE
    return planes[_indexed(values, index_of, lossy, classes, ignore_value, path)]


def _indexed(
    values: np.ndarray,
    index_of: dict[int, int],
    lossy: bool,
    classes: dict[str, object] | None,
    ignore_value: int | None,
    path: Path,
) -> np.ndarray:
    """(H, W) uint8: the index of each value or colour, 255 ignored."""
    in_colour = values.ndim == 3
    if ignore_value is not None:
        code = ignore_value * 0x010101 if in_colour else ignore_value
        # Without `classes` both 1 and 255 mean foreground, and ignore_value may take one of them.
        if index_of.get(code, BACKGROUND) != BACKGROUND and classes is not None:
            raise ValueError(f"dataset.ignore_value={ignore_value} is also claimed by a class")
        index_of[code] = IGNORE
    if lossy:
        if len(classes or "1") > 1 or ignore_value is not None:
            raise DataError(path, "JPEG blurs the values of its classes", PNG)
        values = binarise(values, path)
    if in_colour:
        if classes is None or not uses_colours(classes) and not _may_be_colours(classes):
            fix = "give the colours: dataset.classes='{name: [255, 0, 0]}'"
            reason = "colour mask, but the classes are values"
            colours = [f"#{code:06x}" for code in np.unique(_codes_of(values)).tolist() if code]
            raise UnknownValues(path, reason, fix, colours)
        values = _codes_of(values)
    indices, unknown = _look_up(values, index_of)
    if unknown.size:
        soft = len(classes or "1") == 1 and not in_colour and len(np.unique(unknown)) >= _SOFT
        half = 128 if values.dtype == np.uint8 else (int(unknown.max()) + 1) // 2
        fix = f"dataset.mask_threshold={half} if it is one class with soft outlines" if soft else ""
        refuse(
            unknown, size=values.size, in_colour=in_colour, binary=classes is None, path=path,
            fix=fix,
        )  # fmt: skip
    # 1 and 255 are foreground in different conventions: with both in one mask, they mean something
    # else, such as two classes, or 255 for ignored pixels.
    binary = classes is None and ignore_value not in (1, 255)
    if binary and (values == 1).any() and (values == 255).any():
        fix = "'dataset.classes={class_1: 1, class_2: 255}'; dataset.ignore_value=255 if unlabelled"
        raise DataError(path, "both 1 and 255 in a binary mask", fix)
    return indices


def _codes_of(colours: np.ndarray) -> np.ndarray:
    """(H, W, 3) as (H, W), 0xRRGGBB."""
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue


def uses_colours(classes: dict[str, object] | None) -> bool:
    """Whether `classes` can only be colours; palette masks are then to be read as colours."""
    return any(_is_colour(claim) for claim in (classes or {}).values())


def _is_colour(claim: object) -> bool:
    if isinstance(claim, str):
        return True
    if not isinstance(claim, list | tuple):
        return False
    if any(isinstance(part, list | tuple | str) for part in claim):
        return True
    # A list of values never has the background's 0, or one value twice: [255, 0, 0] is red.
    return len(claim) == 3 and (0 in claim or len(set(claim)) < 3)


def _may_be_colours(classes: dict[str, object]) -> bool:
    return all(isinstance(claim, list | tuple) and len(claim) == 3 for claim in classes.values())


def _classes_of(
    classes: dict[str, object] | None, *, in_colour: bool
) -> dict[int, tuple[int, ...]]:
    """Value, or colour as 0xRRGGBB, -> indices of its classes; the background's are none."""
    if classes is None:
        return {0: (), 1: (1,), 255: (1,)}
    if not 0 < len(classes) < IGNORE:
        raise ValueError(f"dataset.classes must name 1 to 254 classes, got {len(classes)}")
    as_colours = uses_colours(classes) or (in_colour and _may_be_colours(classes))
    classes_of: dict[int, tuple[int, ...]] = {0: ()}
    for index, (name, claim) in enumerate(classes.items(), start=1):
        codes = _codes(name, claim, as_colours=as_colours)
        # A mask that has only greys is read as values, also in a set of colour masks: grey colours
        # become these values, and other colours cannot occur in it.
        if as_colours and not in_colour:
            codes = [code // 0x010101 for code in codes if code % 0x010101 == 0]
        for code in dict.fromkeys(codes):
            if code == 0:
                raise ValueError(f"dataset.classes: {name}: {claim} belongs to the background")
            classes_of[code] = (*classes_of.get(code, ()), index)
    return classes_of


def _codes(name: str, claim: object, *, as_colours: bool) -> list[int]:
    """What the masks of one class hold: values, or colours as 0xRRGGBB."""
    problem = ValueError(
        f"dataset.classes: {name}: {claim!r} is neither a value nor a colour "
        f"([r, g, b] from 0 to 255, or '#rrggbb'), nor a list of only one of these"
    )
    several = isinstance(claim, list | tuple)
    if not as_colours:
        codes = list(claim) if several else [claim]
        if not codes or any(type(code) is not int for code in codes):  # True is an int, too
            raise problem
        return codes
    nested = several and any(isinstance(part, list | tuple | str) for part in claim)
    codes = []
    for part in claim if nested else [claim]:
        try:
            colour = list(bytes.fromhex(part.removeprefix("#"))) if isinstance(part, str) else part
        except ValueError:
            raise problem from None
        if not isinstance(colour, list | tuple) or len(colour) != 3:
            raise problem
        if any(type(c) is not int or not 0 <= c <= 255 for c in colour):
            raise problem
        codes.append(colour[0] << 16 | colour[1] << 8 | colour[2])
    return codes


def _look_up(values: np.ndarray, index_of: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The indices (H, W), and the values of all pixels that have no index."""
    if values.dtype == np.uint8:  # a table is faster than the search
        table = np.zeros(256, dtype=np.uint8)
        known = np.zeros(256, dtype=bool)
        for value, index in index_of.items():
            if 0 <= value <= 255:
                table[value], known[value] = index, True
        present = np.bincount(values.ravel(), minlength=256) > 0
        unknown = values[~known[values]] if (present & ~known).any() else values[:0].ravel()
        return table[values], unknown
    keys = np.array(sorted(index_of), dtype=np.int64)
    nearest = np.searchsorted(keys, values).clip(max=len(keys) - 1)  # (H, W)
    table = np.array([index_of[key] for key in keys.tolist()], dtype=np.uint8)
    return table[nearest], values[keys[nearest] != values]
