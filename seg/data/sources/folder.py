"""Any folder of images and masks with equal names."""

import logging
from collections.abc import Iterator
from pathlib import Path

from seg.data.formats import stem_of
from seg.data.pairs import (
    Pair,
    PairingErrors,
    check_rule,
    content,
    expand,
    group_of,
    image_files,
    locate,
    pair_by_name,
)

log = logging.getLogger(__name__)

# Folders that say which split their images are of.
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


class Folder:
    """`root/image_dir/<name><image_suffix>.*` and `root/mask_dir/<name><mask_suffix>.*`.

    root: the folder that holds both, or a parent of it. Both may lie in folders named train, val
        and test, above or below `image_dir`: the split is then as they say. With `image_dir` and
        `mask_dir` the same, masks lie beside their images and are known by `mask_suffix`.
    group: `file` (every image its own; a volume, or a DICOM's patient, is one), `folder` (each
        subfolder of image_dir is a patient, with all below it; else subfolders are left out), or a
        regular expression searched in the case's path whose first group is the patient.
    axis: of volumes, the one along which they are cut into slices.
    classes: name -> mask value, list of values or colour; None for one class, foreground, 1 or 255.
    ignore_value: mask value of void pixels (no loss, no metric), or None.
    """

    def __init__(
        self,
        *,
        root: str,
        image_dir: str = "images",
        mask_dir: str = "masks",
        image_suffix: str = "",
        mask_suffix: str = "",
        group: str = "file",
        axis: int = 2,
        classes: dict[str, int | str | list[int] | list[list[int]]] | None = None,
        ignore_value: int | None = None,
    ) -> None:
        check_rule(group)
        if Path(image_dir) == Path(mask_dir) and not mask_suffix:
            raise ValueError(
                f"dataset.image_dir and dataset.mask_dir are both {image_dir}: "
                "dataset.mask_suffix must tell the masks from the images"
            )
        self.root = Path(root).expanduser()
        self.image_dir = image_dir
        self.mask_dir = mask_dir
        self.image_suffix = image_suffix
        self.mask_suffix = mask_suffix
        self.group = group
        self.axis = axis
        self.classes = classes
        self.ignore_value = ignore_value

    def holds(self, folder: Path) -> bool:
        """Whether this layout begins at a folder."""
        return folder.is_dir() and any(self._parts(folder))

    def pairs(self) -> list[Pair]:
        """Every case, in natural order. Raises FileNotFoundError, or PairingErrors of all."""
        root = locate(
            self.root,
            holds=self.holds,
            layout=f"{self.image_dir}/ beside {self.mask_dir}/",
            keys="dataset.image_dir and dataset.mask_dir",
        )
        problems: list[str] = []
        pairs: list[Pair] = []
        loose = root / self.image_dir
        if loose.is_dir() and self.group != "folder" and _splits_in(loose) and image_files(loose):
            names = ", ".join(folder.name for folder, _ in _splits_in(loose))
            log.warning("%s: images beside the folders %s; the folders are not used", loose, names)
        seen = 0
        for images, masks, split in self._parts(root):
            for below in self._patients(images):
                found, matched = self._match(images / below, masks / below, problems)
                seen += found
                for image, mask in matched:
                    case = image.relative_to(root).as_posix()
                    try:
                        group = self._group(case, below)
                    except ValueError as error:
                        problems.append(str(error))
                        continue
                    pair = Pair(case, image, mask, group, split)
                    pairs += expand(pair, self.axis, problems)
        if problems:
            raise PairingErrors(problems, pairs)
        if not pairs:
            wanted = f" whose name ends in dataset.image_suffix={self.image_suffix!r}"
            where = root / self.image_dir if (root / self.image_dir).is_dir() else root
            raise FileNotFoundError(
                f"{where}: no images in it{wanted if seen else ''}, but {content(where)}"
            )
        return pairs

    def _parts(self, root: Path) -> Iterator[tuple[Path, Path, str | None]]:
        """Folders of images, their folders of masks, and the split that they are named after."""
        images, masks = root / self.image_dir, root / self.mask_dir
        if images.is_dir() and masks.is_dir():
            below = [] if image_files(images) else _splits_in(images)
            if not below:
                yield images, masks, None
            for folder, split in below:
                yield folder, masks / folder.name, split
            return
        above = [
            (folder / self.image_dir, folder / self.mask_dir, split)
            for folder, split in _splits_in(root)
        ]
        if any(images.is_dir() and masks.is_dir() for images, masks, _ in above):
            # one without masks is kept: its images are then reported as without masks
            yield from (part for part in above if part[0].is_dir())

    def _patients(self, images: Path) -> list[Path]:
        """Subfolders to look into, relative to `images`."""
        here = Path()
        if self.group != "folder":
            return [here]
        below = (p for p in images.rglob("*") if p.is_dir())
        shown = sorted(p.relative_to(images) for p in below)
        return [here, *(p for p in shown if not any(part.startswith(".") for part in p.parts))]

    def _match(
        self, images: Path, masks: Path, problems: list[str]
    ) -> tuple[int, list[tuple[Path, Path]]]:
        files = image_files(images)
        beside = Path(self.image_dir) == Path(self.mask_dir)
        if beside:
            found = [f for f in files if self._is_mask(f)]
            files = [f for f in files if not self._is_mask(f)]
        else:
            found = image_files(masks) if masks.is_dir() else []
        suffixes = {"image_suffix": self.image_suffix, "mask_suffix": self.mask_suffix}
        return len(files), pair_by_name(files, found, **suffixes, problems=problems)

    def _is_mask(self, file: Path) -> bool:
        return stem_of(file).endswith(self.mask_suffix)

    def _group(self, case: str, below: Path) -> str:
        if self.group != "folder":
            return group_of(case, self.group)
        if below == Path():
            raise ValueError(
                f"{case}: dataset.group=folder, and it lies in no subfolder; move it into one, or "
                "set dataset.group"
            )
        return below.parts[0]


def _splits_in(folder: Path) -> list[tuple[Path, str]]:
    named = [(p, SPLIT_NAMES.get(p.name.lower())) for p in sorted(folder.iterdir()) if p.is_dir()]
    return [(p, split) for p, split in named if split is not None]
