"""Pairs of image and mask files, matched by name, each with a group that no split may divide."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from seg.data.errors import DataError, DataErrors, shown
from seg.data.formats import is_image, is_picture, patient_of, slice_count

log = logging.getLogger(__name__)

DEPTH = 2  # levels below dataset.root that are searched for a layout


@dataclass(frozen=True, slots=True)
class MaskFile:
    """One file of a case's annotation.

    Args:
        label: the class of all its foreground; None where its values say it (`dataset.classes`).
        entry: the image's id in a file of COCO, which is about many.
    """

    path: Path
    label: str | None = None
    entry: int | str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """One case.

    Args:
        case: the path of the first image relative to the root, with forward slashes; for a slice of
            a volume `PATH#INDEX`.
        images: files whose channels are stacked, in this order; nearly always one.
        masks: files that are united; none where nothing is annotated: all of it is background.
        group: the patient, video or other unit that no split may divide.
        split: train, val or test where the layout or the table says it.
        plane: (axis, index) of a slice of a volume.
    """

    case: str
    images: tuple[Path, ...]
    masks: tuple[MaskFile, ...]
    group: str
    split: str | None = None
    plane: tuple[int, int] | None = None

    @property
    def image(self) -> Path:
        """The first image file: the case is called by its name."""
        return self.images[0]

    @property
    def mask_paths(self) -> tuple[Path, ...]:
        """Each mask file once."""
        return tuple(dict.fromkeys(mask.path for mask in self.masks))


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
    """Image files directly inside `folder`, in natural order, without hidden files."""
    return [folder / name for name in sorted(_image_names(folder), key=natural_key)]


def has_images(folder: Path) -> bool:
    """Whether `image_files` would list any; a folder of a million is not read to its end."""
    return next(_image_names(folder), None) is not None


def _image_names(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:  # tells folders apart without a look at each file
        for entry in entries:
            is_named = is_image(entry.name) and not entry.name.startswith(".")
            # dangling links fail later
            if is_named and (entry.is_symlink() or not entry.is_dir()):
                yield entry.name


def locate(
    root: Path,
    *,
    has_layout: Callable[[Path], bool],
    layout: str,
    keys: str = "dataset.root",
) -> Path:
    """The folder with the known layout: `root` itself, or one below it.

    Args:
        layout: the layout in words, for messages.
        keys: what a user would set where the layout is another one.

    Raises:
        FileNotFoundError: there is none, or several on one level.
    """
    name = f"dataset.root={shown(root)}"
    if not root.is_dir():
        raise FileNotFoundError(f"{name}: no such folder; expected {layout}")
    level = [root]
    for _ in range(1 + DEPTH):
        matches = [folder for folder in level if has_layout(folder)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            names = ", ".join(sorted(folder.name for folder in matches))
            raise FileNotFoundError(f"{name}: several data sets ({names}); name one of them")
        below = (child for folder in level for child in folder.iterdir())
        level = [child for child in below if child.is_dir() and not child.name.startswith(".")]
    raise FileNotFoundError(f"{name}: {layout} not found in it, but {content(root)}; set {keys}")


def content(folder: Path) -> str:
    """The first names in a folder, for a message; subfolders end in a slash."""
    paths = [p for p in folder.iterdir() if not p.name.startswith(".")]
    paths.sort(key=lambda p: natural_key(p.name))
    names = [f"{p.name}/" if p.is_dir() else p.name for p in paths[:6]]
    return ", ".join([*names, *["..."][: len(paths) > 6]]) or "nothing at all"


def settled(pairs: list[Pair], problems: list[str], *, root: Path) -> list[Pair]:
    """The pairs of a source, once it has listed its files; says how many have no or several masks.

    Raises:
        PairingErrors: there are problems.
        ValueError: no case has a mask.
    """
    if problems:
        raise PairingErrors(problems, pairs)
    with_mask = {pair.image: bool(pair.masks) for pair in pairs}
    negatives = len(with_mask) - sum(with_mask.values())
    if negatives and negatives == len(with_mask):
        raise ValueError(f"{root}: none of its {negatives} images has a mask; check the names")
    if negatives:
        log.info("%d of %d images have no mask and count as negatives", negatives, len(with_mask))
    kinds = {pair.image: [mask.label for mask in pair.masks] for pair in pairs}
    if several := sum(len(set(labels)) < len(labels) for labels in kinds.values()):
        log.info("%d of %d images have several mask files, which are united", several, len(kinds))
    return pairs


def check_group_rule(rule: str) -> None:
    """Raise ValueError for a rule that `group_of` cannot follow."""
    if rule in ("file", "folder"):
        return
    try:
        groups = re.compile(rule).groups
    except re.error as error:
        raise ValueError(f"dataset.group={rule!r} is no regular expression: {error}") from error
    if groups < 1:
        raise ValueError(f"dataset.group={rule!r} needs a group in parentheses around the patient")


def group_of(case: str, rule: str) -> str:
    """The group of a case.

    Args:
        rule: `file`, `folder`, or a regular expression whose first group is the patient.

    Raises:
        ValueError: the expression does not match, or there is no folder.
    """
    if rule == "file":
        return case
    if rule == "folder":
        if "/" not in case:
            raise ValueError(
                f"{case}: dataset.group=folder, but it is in no subfolder; move it into one, or "
                "set dataset.group"
            )
        return case.rpartition("/")[0]
    match = re.search(rule, case)
    if match is None:
        raise ValueError(f"dataset.group={rule!r} does not match {case}")
    return match.group(1)


def expand(pair: Pair, axis: int, problems: list[str]) -> list[Pair]:
    """The pair itself or, if its files are volumes, a pair for each slice.

    A volume is a group of its own, and so are a patient's DICOM files, unless the pair has a group.

    Args:
        axis: the axis of volumes along which they are cut.
        problems: gets a message if the pair cannot be cut.
    """
    if all(is_picture(path) for path in pair.images) and all(
        is_picture(mask.path) for mask in pair.masks
    ):
        return [pair]
    try:
        counts = {path: slice_count(path, axis) for path in (*pair.images, *pair.mask_paths)}
        patient = patient_of(pair.image) if pair.group == pair.case else None
    except DataError as error:
        problems.append(str(error))
        return []
    slices = counts[pair.image]
    other = next((path for path, count in counts.items() if count != slices), None)
    if other is not None:
        kinds = (f"{n} slices" if n else "a picture" for n in (slices, counts[other]))
        name = f"its mask {other}" if other in pair.mask_paths else str(other)
        problems.append(
            f"{pair.image}: is {next(kinds)}, {name} is {next(kinds)}; "
            "save both as one kind and of one size"
        )
        return []
    pair = replace(pair, group=patient or pair.group)
    if slices is None:
        return [pair]
    return [replace(pair, case=f"{pair.case}#{i}", plane=(axis, i)) for i in range(slices)]
