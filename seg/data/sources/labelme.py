"""Images with LabelMe's annotations: a JSON beside each image."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from seg.data import class_names
from seg.data.annotations import labelme
from seg.data.class_names import Chosen
from seg.data.errors import DataError
from seg.data.exclusion import Exclusion
from seg.data.pairs import (
    MaskFile,
    Pair,
    check_group_rule,
    content,
    group_of,
    image_files,
    natural_key,
    settled,
)

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class LabelMeFolder:
    """Polygons, rectangles, circles and masks; points and lines have no pixels and are left out.

    A JSON without shapes is a negative. Where classes share pixels, a later shape of the file
    covers earlier ones, unless `dataset.overlap=true` keeps both.

    Args:
        root: the folder of the JSON files, with the images beside them or where they say.
        exclude: globs relative to root of files that are left out.
        recursive: whether subfolders are searched.
        missing_masks: an image without a JSON is an `error`, or its mask is `empty`.
        group: `file`, `folder` (that of the image), or a regular expression, searched in the case,
            whose first group is the patient.
        classes: labels to keep, in their order; None keeps all.
    """

    root: str | Path
    exclude: str | list[str] | None = None
    recursive: bool = False
    missing_masks: Literal["error", "empty"] = "error"
    group: str = "file"
    classes: Chosen = None
    ignore_value: None = field(default=None, init=False)

    def __post_init__(self) -> None:
        check_group_rule(self.group)
        self.root = Path(self.root).expanduser()
        files = self._files(Exclusion(self.exclude, root=self.root))
        if files and not isinstance(self.classes, dict):  # else the files may lack some of them
            self.classes = class_names.choose(self._labels(files), self.classes, path=self.root)

    def pairs(self) -> list[Pair]:
        """Every image, in natural order. Raises FileNotFoundError or PairingErrors."""
        exclusion = Exclusion(self.exclude, root=self.root)
        files = self._files(exclusion)
        if not files:
            name = f"dataset.root={self.root}"
            if not self.root.is_dir():
                raise FileNotFoundError(f"{name}: no such folder")
            deep = "" if self.recursive else "; dataset.recursive=true looks into subfolders"
            raise FileNotFoundError(f"{name}: no .json in it, but {content(self.root)}{deep}")
        class_names.say_left_out(self._labels(files), self.classes)
        problems: list[str] = []
        masks: dict[Path, tuple[MaskFile, ...]] = {}
        without_area: Counter[str] = Counter()
        for file in files:
            try:
                annotation = labelme.load(file)
            except DataError as error:
                problems.append(str(error))
                continue
            without_area.update(annotation.without_area)
            image = annotation.image
            if image in masks:
                problems.append(f"{file}: {image} has another JSON; keep one of them")
            labels = [label for label in annotation.labels if label in (self.classes or ())]
            masks[image] = tuple(MaskFile(file, label) for label in labels)
        if without_area:
            kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(without_area.items()))
            log.warning("shapes without pixels are left out: %s", kinds)
        for image in self._images(exclusion):
            if image in masks:
                continue
            if self.missing_masks == "error":
                problems.append(
                    f"{image}: no {image.with_suffix('.json').name}; annotate it, remove it, or "
                    "dataset.missing_masks=empty"
                )
            masks.setdefault(image, ())
        exclusion.report()
        pairs: list[Pair] = []
        for image in sorted(masks, key=lambda path: natural_key(path.as_posix())):
            inside = image.is_relative_to(self.root)
            case = (image.relative_to(self.root) if inside else image).as_posix()
            try:
                pairs.append(Pair(case, (image,), masks[image], group_of(case, self.group)))
            except ValueError as error:
                problems.append(str(error))
        return settled(pairs, problems, root=self.root)

    def _folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        below = [p for p in self.root.rglob("*") if p.is_dir()] if self.recursive else []
        shown = (p for p in below if not any(q[0] == "." for q in p.relative_to(self.root).parts))
        return [self.root, *sorted(shown)]

    def _files(self, exclusion: Exclusion) -> list[Path]:
        """Its JSON files."""
        files = (p for folder in self._folders() for p in sorted(folder.glob("*.json")))
        return exclusion.kept(p for p in files if not p.name.startswith("."))

    def _images(self, exclusion: Exclusion) -> list[Path]:
        return exclusion.kept(p for folder in self._folders() for p in image_files(folder))

    @staticmethod
    def _labels(files: list[Path]) -> list[str]:
        """All classes, sorted by name: the order of files means nothing."""
        names: set[str] = set()
        for file in files:
            try:
                names.update(labelme.load(file).labels)
            except DataError:
                continue  # pairs() names it
        return sorted(names, key=natural_key)
