"""A folder of images and masks with equal names."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from seg.data.formats import stem_of
from seg.data.pairs import (
    MaskFile,
    Pair,
    PairingErrors,
    check_group_rule,
    content,
    expand,
    group_of,
    image_files,
    locate,
    pair_by_name,
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
        mask_dir: the masks' folder; the same as `image_dir` where masks are beside their images. Or
            class -> folder: all foreground there is of that class.
        image_suffix: the end of image names, before the extension; mask_suffix likewise.
        group: `file` (every image is its own group; so is a volume, or a DICOM's patient), `folder`
            (each subfolder of image_dir is a patient, with all below it; otherwise subfolders are
            left out), or a regular expression, searched in the case, whose first group is the
            patient.
        axis: the axis of volumes along which they are cut into slices.
        classes: name -> mask value, list of values or colour; None is one class of value 1 or 255.
        ignore_value: mask value of ignored pixels (no loss, no metric), or None.
    """

    root: str | Path
    image_dir: str = "images"
    mask_dir: str | dict[str, str] = "masks"
    image_suffix: str = ""
    mask_suffix: str = ""
    group: str = "file"
    axis: int = 2
    classes: dict[str, int | str | list[int] | list[list[int]]] | None = None
    ignore_value: int | None = None

    def __post_init__(self) -> None:
        check_group_rule(self.group)
        self.root = Path(self.root).expanduser()
        if isinstance(self.mask_dir, dict):
            self.classes = self.classes or dict.fromkeys(self.mask_dir)
            if set(self.classes) != set(self.mask_dir):
                raise ValueError(
                    f"dataset.mask_dir has folders of {', '.join(self.mask_dir)}, but "
                    f"dataset.classes are {', '.join(self.classes)}"
                )
        elif Path(self.image_dir) == Path(self.mask_dir) and not self.mask_suffix:
            raise ValueError(
                f"dataset.image_dir and dataset.mask_dir are both {self.image_dir}: "
                "dataset.mask_suffix must tell the masks from the images"
            )

    def has_layout(self, folder: Path) -> bool:
        """Whether a folder has this layout."""
        if isinstance(self.mask_dir, dict):
            return all(one.has_layout(folder) for one in self._by_class().values())
        return folder.is_dir() and any(self._parts(folder))

    def pairs(self) -> list[Pair]:
        """Every case, in natural order. Raises FileNotFoundError or PairingErrors."""
        if isinstance(self.mask_dir, dict):
            return join_classes(self._by_class())
        root = locate(
            self.root,
            has_layout=self.has_layout,
            layout=f"{self.image_dir}/ beside {self.mask_dir}/",
            keys="dataset.image_dir and dataset.mask_dir",
        )
        problems: list[str] = []
        pairs: list[Pair] = []
        top = root / self.image_dir
        if top.is_dir() and self.group != "folder" and _split_folders(top) and image_files(top):
            names = ", ".join(folder.name for folder, _ in _split_folders(top))
            log.warning("%s: images beside the folders %s; the folders are not used", top, names)
        image_count = 0
        for images, masks, split in self._parts(root):
            for subfolder in self._subfolders(images):
                count, matches = self._match(images / subfolder, masks / subfolder, problems)
                image_count += count
                for image, mask in matches:
                    case = image.relative_to(root).as_posix()
                    try:
                        group = self._group(case, subfolder)
                    except ValueError as error:
                        problems.append(str(error))
                        continue
                    pair = Pair(case, (image,), (MaskFile(mask),), group, split)
                    pairs += expand(pair, self.axis, problems)
        if problems:
            raise PairingErrors(problems, pairs)
        if not pairs:
            wanted = f" whose name ends in dataset.image_suffix={self.image_suffix!r}"
            where = top if top.is_dir() else root
            raise FileNotFoundError(
                f"{where}: no images in it{wanted if image_count else ''}, but {content(where)}"
            )
        return pairs

    def _by_class(self) -> dict[str, "Folder"]:
        """For each class, the same images with the folder of its masks."""
        return {name: replace(self, mask_dir=path) for name, path in self.mask_dir.items()}

    def _parts(self, root: Path) -> Iterator[tuple[Path, Path, str | None]]:
        """Folders of images, their folders of masks, and the split that they are named after."""
        images, masks = root / self.image_dir, root / self.mask_dir
        if images.is_dir() and masks.is_dir():  # images/train or images/
            splits = [] if image_files(images) else _split_folders(images)
            if not splits:
                yield images, masks, None
            for folder, split in splits:
                yield folder, masks / folder.name, split
            return
        parts = [  # train/images
            (folder / self.image_dir, folder / self.mask_dir, split)
            for folder, split in _split_folders(root)
        ]
        if any(images.is_dir() and masks.is_dir() for images, masks, _ in parts):
            # keep a part without masks: its images are then reported as without masks
            yield from (part for part in parts if part[0].is_dir())

    def _subfolders(self, images: Path) -> list[Path]:
        """Where to look for images, relative to `images`: there, and in patients' folders."""
        if self.group != "folder":
            return [Path()]
        folders = sorted(p.relative_to(images) for p in images.rglob("*") if p.is_dir())
        visible = (p for p in folders if not any(part.startswith(".") for part in p.parts))
        return [Path(), *visible]

    def _match(
        self, images: Path, masks: Path, problems: list[str]
    ) -> tuple[int, list[tuple[Path, Path]]]:
        """The number of images, and the pairs of image and mask files."""
        files = image_files(images)
        if Path(self.image_dir) == Path(self.mask_dir):
            mask_files = [f for f in files if stem_of(f).endswith(self.mask_suffix)]
            files = [f for f in files if not stem_of(f).endswith(self.mask_suffix)]
        else:
            mask_files = image_files(masks) if masks.is_dir() else []
        return len(files), pair_by_name(
            files, mask_files, image_suffix=self.image_suffix, mask_suffix=self.mask_suffix,
            problems=problems,
        )  # fmt: skip

    def _group(self, case: str, subfolder: Path) -> str:
        if self.group != "folder":
            return group_of(case, self.group)
        if not subfolder.parts:
            raise ValueError(
                f"{case}: dataset.group=folder, but it is in no subfolder; move it into one, or "
                "set dataset.group"
            )
        return subfolder.parts[0]


def join_classes(sources: Mapping[str, Folder]) -> list[Pair]:
    """The cases of all sources, each with the mask files of every class.

    Args:
        sources: class -> the source of its masks.

    Raises:
        PairingErrors: what any source cannot pair.
    """
    cases: dict[str, Pair] = {}
    problems: list[str] = []
    for name, source in sources.items():
        try:
            pairs = source.pairs()
        except PairingErrors as error:
            pairs = error.pairs
            problems += error.messages
        for pair in pairs:
            masks = tuple(replace(mask, label=name) for mask in pair.masks)
            before = cases[pair.case].masks if pair.case in cases else ()
            cases[pair.case] = replace(pair, masks=before + masks)
    if problems:
        raise PairingErrors(list(dict.fromkeys(problems)), list(cases.values()))
    return list(cases.values())


def _split_folders(folder: Path) -> list[tuple[Path, str]]:
    """Subfolders whose names say a split, with that split."""
    folders = [p for p in sorted(folder.iterdir()) if p.name.lower() in SPLIT_NAMES and p.is_dir()]
    return [(p, SPLIT_NAMES[p.name.lower()]) for p in folders]
