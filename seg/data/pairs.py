"""Pairs of image and mask files, matched by name, each with the group that must not be split."""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from seg.data.errors import DataError, DataErrors
from seg.data.formats import is_image, patient_of, slice_count, stem_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """One case. `case` is the image's path relative to the root, with forward slashes.

    split: train, val or test where the layout itself says it. plane: (axis, index) of a slice of a
    volume; its case is then `<path>#<index>`.
    """

    case: str
    image: Path
    mask: Path
    group: str
    split: str | None = None
    plane: tuple[int, int] | None = None


class PairingErrors(DataErrors):
    """Files that could not be paired; `pairs` are the others, so that a report can include them."""

    def __init__(self, messages: list[str], pairs: list[Pair] | None = None) -> None:
        super().__init__(messages)
        self.pairs = pairs or []


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which `2.png` comes before `10.png`."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p)


def image_files(folder: Path) -> list[Path]:
    """Image files directly inside `folder`, in natural order; hidden files and subfolders are left
    out.
    """
    found = [
        p
        for p in folder.iterdir()
        if not p.name.startswith(".")
        and is_image(p)
        and (p.is_symlink() or not p.is_dir())  # a dangling link is reported when it is read
    ]
    return sorted(found, key=lambda p: natural_key(p.name))


def locate(
    root: Path,
    *,
    holds: Callable[[Path], bool],
    layout: str,
    keys: str = "dataset.root",
    depth: int = 2,
) -> Path:
    """The folder with the known layout: `root` itself, or the one below it, at most `depth` levels
    down. keys: what a user would set where the layout is another one.

    Raises FileNotFoundError if there is none, or several on one level.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"dataset.root={root}: no such folder; expected {layout}")
    level = [root]
    for _ in range(depth + 1):
        found = [folder for folder in level if holds(folder)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(sorted(folder.name for folder in found))
            raise FileNotFoundError(
                f"dataset.root={root}: several data sets ({names}); name one of them"
            )
        level = [
            child
            for folder in level
            for child in folder.iterdir()
            if child.is_dir() and not child.name.startswith(".")
        ]
    raise FileNotFoundError(
        f"dataset.root={root}: {layout} not found in it, but {content(root)}; set {keys}"
    )


def content(folder: Path) -> str:
    """The first names in a folder, for a message; subfolders end in a slash."""
    held = sorted(
        (p for p in folder.iterdir() if not p.name.startswith(".")),
        key=lambda p: natural_key(p.name),
    )
    shown = [f"{p.name}/" if p.is_dir() else p.name for p in held[:6]]
    return ", ".join([*shown, *["..."][: len(held) > 6]]) or "nothing at all"


def _by_stem(files: Iterable[Path], suffix: str, problems: list[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in files:
        if not stem_of(file).endswith(suffix):
            continue
        stem = stem_of(file).removesuffix(suffix)
        if stem in found:
            problems.append(f"{file}: same name as {found[stem].name}; keep one of them")
        found[stem] = file
    return found


def pair_by_name(
    images: Iterable[Path],
    masks: Iterable[Path],
    *,
    image_suffix: str = "",
    mask_suffix: str = "",
    problems: list[str] | None = None,
) -> list[tuple[Path, Path]]:
    """Match files whose names, without extension and suffix, are equal.

    Every image without a mask and every ambiguous name is added to `problems`, or raised as
    DataErrors if there is no such list; a mask without an image is a warning, since such leftovers
    are common and harmless.
    """
    found = [] if problems is None else problems
    by_image = _by_stem(images, image_suffix, found)
    by_mask = _by_stem(masks, mask_suffix, found)
    found += [
        f"{image}: no mask named {stem}{mask_suffix}.*; add it or remove the image"
        for stem, image in by_image.items()
        if stem not in by_mask
    ]
    if found and problems is None:
        raise DataErrors(found)
    orphans = [mask.name for stem, mask in by_mask.items() if stem not in by_image]
    if orphans:
        log.warning(
            "%d masks have no image and are not used: %s", len(orphans), ", ".join(orphans[:5])
        )
    return [(image, by_mask[stem]) for stem, image in by_image.items() if stem in by_mask]


def check_rule(rule: str) -> None:
    """Raises ValueError unless `rule` is one that `group_of` can follow."""
    if rule in ("file", "folder"):
        return
    try:
        groups = re.compile(rule).groups
    except re.error as error:
        raise ValueError(f"dataset.group={rule!r} is no regular expression: {error}") from error
    if groups < 1:
        raise ValueError(f"dataset.group={rule!r} needs a group in parentheses around the patient")


def group_of(case: str, rule: str) -> str:
    """The group of a case: `file`, `folder`, or a regular expression whose first group is the
    patient.

    Raises ValueError where the expression does not match, or there is no folder.
    """
    if rule == "file":
        return case
    if rule == "folder":
        if "/" not in case:
            raise ValueError(
                f"{case}: dataset.group=folder, and it lies in no subfolder; move it into one, or "
                "set dataset.group"
            )
        return case.rpartition("/")[0]
    match = re.search(rule, case)
    if match is None:
        raise ValueError(f"dataset.group={rule!r} does not match {case}")
    return match.group(1)


def expand(pair: Pair, axis: int, problems: list[str]) -> list[Pair]:
    """The pair itself, or a pair for each slice of its volumes; what cannot be cut is a problem.

    A volume is a group of its own, and so are a patient's DICOM files, where nothing else is said.
    """
    try:
        slices = slice_count(pair.image, axis)
        of_mask = slice_count(pair.mask, axis)
        patient = patient_of(pair.image) if pair.group == pair.case else None
    except DataError as error:
        problems.append(str(error))
        return []
    if slices != of_mask:
        shown = [f"{n} slices" if n is not None else "a picture" for n in (slices, of_mask)]
        problems.append(
            f"{pair.image}: is {shown[0]}, its mask {pair.mask} is {shown[1]}; "
            "save both as one kind and of one size"
        )
        return []
    pair = replace(pair, group=patient or pair.group)
    if slices is None:
        return [pair]
    return [replace(pair, case=f"{pair.case}#{i}", plane=(axis, i)) for i in range(slices)]
