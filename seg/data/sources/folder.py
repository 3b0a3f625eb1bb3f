"""A folder of images and masks with equal names."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seg.data.exclusion import Exclusion
from seg.data.matching import Match, Matching, Suffix, listed
from seg.data.pairs import (
    Pair,
    check_group_rule,
    content,
    expand,
    group_of,
    has_images,
    image_files,
    locate,
    settled,
)

log = logging.getLogger(__name__)

# Folders with these names say which split their images belong to.
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(kw_only=True)
class Folder:
    """`root/image_dir/<name><image_suffix>.*` and `root/mask_dir/<name><mask_suffix>.*`.

    Both may be in folders named train, val and test, above or below `image_dir`, which then give
    the split.

    Args:
        root: the folder that has both, or a parent of it.
        image_dir: the images' folder.
        mask_dir: the masks' folder; the same as `image_dir` where masks are beside their images;
            class -> folder where each class has files of its own.
        image_suffix: the end of image names, before the extension, with `*` and `?`; several are
            the files of one case, stacked as channels in that order.
        mask_suffix: likewise of masks; all files of a case that match are united. Class -> suffix
            where each class has files of its own.
        exclude: globs relative to root of files that are left out.
        recursive: whether subfolders are searched.
        missing_masks: an image without mask is an `error`, or its mask is `empty`.
        group: `file` (every image is its own group; so is a volume, or a DICOM's patient), `folder`
            (each subfolder of image_dir is a patient, with all below it), or a regular expression,
            searched in the case, whose first group is the patient.
        axis: the axis of volumes along which they are cut into slices.
        classes: name -> mask value, list of values or colour; None is one class of value 1 or 255.
            Where each class has files of its own, only the names and their order are used.
        ignore_value: mask value of ignored pixels (no loss, no metric), or None.
    """

    root: str | Path
    image_dir: str = "images"
    mask_dir: str | dict[str, str] = "masks"
    image_suffix: Suffix = ""
    mask_suffix: Suffix | dict[str, Suffix] = ""
    exclude: str | list[str] | None = None
    recursive: bool = False
    missing_masks: Literal["error", "empty"] = "error"
    group: str = "file"
    axis: int = 2
    classes: dict[str, int | str | list[int] | list[list[int]]] | None = None
    ignore_value: int | None = None

    def __post_init__(self) -> None:
        check_group_rule(self.group)
        self.root = Path(self.root).expanduser()
        keys = ("mask_dir", "mask_suffix")
        by_class = {
            key: list(own) for key in keys if isinstance(own := getattr(self, key), Mapping)
        }
        self._labels: list[str | None] = next(iter(by_class.values()), [None])
        for key, labels in by_class.items():
            if set(labels) != set(self._labels) or set(labels) != set(self.classes or labels):
                wanted = ", ".join(map(str, self.classes or self._labels))
                raise ValueError(
                    f"dataset.{key} names the classes {', '.join(labels)}, not {wanted}; "
                    "name the same"
                )
            self.classes = self.classes or dict.fromkeys(labels)
        self._mask_dirs: dict[str | None, str] = {
            label: self.mask_dir[label] if isinstance(self.mask_dir, Mapping) else self.mask_dir
            for label in self._labels
        }
        suffix = self.mask_suffix
        suffixes = suffix.values() if isinstance(suffix, Mapping) else [suffix]
        if self._is_beside and any("" in listed(one) for one in suffixes):
            raise ValueError(
                f"dataset.image_dir and dataset.mask_dir are both {self.image_dir}: "
                "dataset.mask_suffix must tell the masks from the images"
            )

    @property
    def _is_beside(self) -> bool:
        """Whether masks are in the folder of the images."""
        return any(Path(self.image_dir) == Path(folder) for folder in self._mask_dirs.values())

    def has_layout(self, folder: Path) -> bool:
        """Whether a folder has this layout."""
        return folder.is_dir() and any(self._parts(folder))

    def pairs(self) -> list[Pair]:
        """Every case, in natural order. Raises FileNotFoundError or PairingErrors."""
        masks = ", ".join(f"{folder}/" for folder in self._mask_dirs.values())
        root = locate(
            self.root,
            has_layout=self.has_layout,
            layout=f"{self.image_dir}/ beside {masks}",
            keys="dataset.image_dir and dataset.mask_dir",
        )
        top = root / self.image_dir
        deep = self.recursive or self.group == "folder"
        if top.is_dir() and not deep and _split_folders(top) and has_images(top):
            names = ", ".join(folder.name for folder, _ in _split_folders(top))
            log.warning("%s: images beside the folders %s; the folders are not used", top, names)
        exclusion = Exclusion(self.exclude, root=root)
        matching = Matching(
            image_suffix=self.image_suffix,
            mask_suffix=self.mask_suffix,
            allow_missing=self.missing_masks == "empty",
        )
        pairs: list[Pair] = []
        image_count = 0
        for images, masks, split in self._parts(root):
            for subfolder in self._subfolders(images, masks.values()):
                count, matches = self._match(
                    images / subfolder,
                    {label: folder / subfolder for label, folder in masks.items()},
                    exclusion, matching,
                )  # fmt: skip
                image_count += count
                below = (images / subfolder).relative_to(root)
                for files, of_case in matches:
                    case = (below / files[0].name).as_posix()
                    try:
                        group = self._group(case, subfolder)
                    except ValueError as error:
                        matching.problems.append(str(error))
                        continue
                    pair = Pair(case, files, of_case, group, split)
                    pairs += expand(pair, self.axis, matching.problems)
        exclusion.report()
        matching.report()
        pairs = settled(pairs, matching.problems, root=root)
        if not pairs:
            suffix = ",".join(listed(self.image_suffix))
            wanted = f" whose name ends in dataset.image_suffix={suffix!r}" if image_count else ""
            where = top if top.is_dir() else root
            below = any(p.is_dir() for p in where.iterdir()) and not deep
            more = "; dataset.recursive=true looks into its subfolders" if below else ""
            raise FileNotFoundError(f"{where}: no images in it{wanted}, but {content(where)}{more}")
        return pairs

    def _parts(self, root: Path) -> Iterator[tuple[Path, dict[str | None, Path], str | None]]:
        """Folders of images, their folders of masks, and the split that they are named after."""
        images = root / self.image_dir
        masks = {label: root / folder for label, folder in self._mask_dirs.items()}
        if images.is_dir() and all(map(Path.is_dir, masks.values())):  # images/train or images/
            splits = [] if has_images(images) else _split_folders(images)
            if not splits:
                yield images, masks, None
            for folder, split in splits:
                yield folder, {label: m / folder.name for label, m in masks.items()}, split
            return
        parts = [  # train/images
            (
                folder / self.image_dir,
                {label: folder / below for label, below in self._mask_dirs.items()},
                split,
            )
            for folder, split in _split_folders(root)
        ]
        if any(part[0].is_dir() and all(map(Path.is_dir, part[1].values())) for part in parts):
            # keep a part without masks: its images are then reported as without masks
            yield from (part for part in parts if part[0].is_dir())

    def _subfolders(self, images: Path, masks: Iterable[Path]) -> list[Path]:
        """Where to look for images, relative to `images`: there, and in folders below it."""
        if not self.recursive and self.group != "folder":
            return [Path()]
        apart = [folder for folder in masks if folder != images]  # masks/ may lie within images/
        folders = sorted(p.relative_to(images) for p in images.rglob("*") if p.is_dir())
        return [Path()] + [
            folder
            for folder in folders
            if not any(part.startswith(".") for part in folder.parts)
            and not any((images / folder).is_relative_to(mask) for mask in apart)
        ]

    def _match(
        self,
        images: Path,
        masks: Mapping[str | None, Path],
        exclusion: Exclusion,
        matching: Matching,
    ) -> tuple[int, list[Match]]:
        """The number of images, and the files of each case."""
        files = exclusion.kept(image_files(images))
        mask_files = {
            label: exclusion.kept(image_files(folder)) if folder.is_dir() else []
            for label, folder in masks.items()
        }
        if self._is_beside:
            files = [file for file in files if not matching.is_mask(file)]
            mask_files = {
                label: [file for file in of_class if matching.is_mask(file)]
                for label, of_class in mask_files.items()
            }
        return len(files), matching.match(files, mask_files)

    def _group(self, case: str, subfolder: Path) -> str:
        if self.group != "folder":
            return group_of(case, self.group)
        if not subfolder.parts:
            raise ValueError(
                f"{case}: dataset.group=folder, but it is in no subfolder; move it into one, or "
                "set dataset.group"
            )
        return subfolder.parts[0]


def _split_folders(folder: Path) -> list[tuple[Path, str]]:
    """Subfolders whose names say a split, with that split."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.lower() in SPLIT_NAMES]
    folders = [folder / name for name in sorted(names) if (folder / name).is_dir()]
    return [(p, SPLIT_NAMES[p.name.lower()]) for p in folders]
