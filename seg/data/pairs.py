"""Pairs of image and mask files, matched by name, each with the group that must not be split."""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from seg.data.images import IMAGE_SUFFIXES, DataErrors

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


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which `2.png` comes before `10.png`."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p)


def image_files(folder: Path) -> list[Path]:
    """Image files directly inside `folder`, in natural order; hidden files and subfolders are left
    out.
    """
    found = [
        p
        for p in folder.iterdir()
        if not p.name.startswith(".")
        and p.suffix.lower() in IMAGE_SUFFIXES
        and (p.is_symlink() or not p.is_dir())  # a dangling link is reported when it is read
    ]
    return sorted(found, key=lambda p: natural_key(p.name))


def locate(root: Path, *, holds: Callable[[Path], bool], layout: str, depth: int = 2) -> Path:
    """The folder with the known layout: `root` itself, or the one below it, at most `depth` levels
    down.

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
        f"dataset.root={root}: {layout} not found in it; set dataset.root to its folder"
    )


def _by_stem(files: Iterable[Path], suffix: str, problems: list[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in files:
        if not file.stem.endswith(suffix):
            continue
        stem = file.stem.removesuffix(suffix)
        if stem in found:
            problems.append(f"{file}: same name as {found[stem].name}; keep one of them")
        found[stem] = file
    return found


def pair_by_name(
    images: Iterable[Path], masks: Iterable[Path], *, image_suffix: str = "", mask_suffix: str = ""
) -> list[tuple[Path, Path]]:
    """Match files whose names, without extension and suffix, are equal.

    Raises DataErrors naming every image without a mask and every ambiguous name; a mask without
    an image is a warning, since such leftovers are common and harmless.
    """
    problems: list[str] = []
    by_image = _by_stem(images, image_suffix, problems)
    by_mask = _by_stem(masks, mask_suffix, problems)
    for stem, image in by_image.items():
        if stem not in by_mask:
            problems.append(
                f"{image}: no mask named {stem}{mask_suffix}.*; add it or remove the image"
            )
    if problems:
        raise DataErrors(problems)
    orphans = [mask.name for stem, mask in by_mask.items() if stem not in by_image]
    if orphans:
        log.warning(
            "%d masks have no image and are not used: %s", len(orphans), ", ".join(orphans[:5])
        )
    return [(image, by_mask[stem]) for stem, image in by_image.items()]


def group_of(case: str, rule: str) -> str:
    """The group of a case: `file`, `folder`, or a regular expression whose first group is the
    patient.

    Raises ValueError where the expression does not match.
    """
    if rule == "file":
        return case
    if rule == "folder":
        return case.rpartition("/")[0]
    match = re.search(rule, case)
    if match is None:
        raise ValueError(f"dataset.group={rule!r} does not match {case}")
    return match.group(1)
