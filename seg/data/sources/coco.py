"""Images with COCO's annotations: polygons and run-length encoded masks in one JSON."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seg.data import class_names, table_file
from seg.data.annotations import coco
from seg.data.class_names import Chosen
from seg.data.exclusion import Exclusion
from seg.data.pairs import MaskFile, Pair, check_group_rule, group_of, settled
from seg.data.split.draw import SPLITS

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class CocoImages:
    """The images of annotation files; those without an object of a class are negatives.

    Where classes share pixels, a later object of the file covers earlier ones, unless
    `dataset.overlap=true` keeps both. Crowds are pixels of their class.

    Args:
        root: the folder that all paths start from.
        annotations: a file, or {train: FILE, val: FILE, test: FILE} for a given split.
        image_dir: the folder that `file_name` starts from; for each split, where they differ.
        exclude: globs relative to root of images that are left out.
        group: `file`, `folder` (that of the image), or a regular expression, searched in the case,
            whose first group is the patient.
        classes: names of the categories to keep, in their order; None keeps all.
    """

    root: str | Path
    annotations: str | dict[str, str]
    image_dir: str | dict[str, str] = "."
    exclude: str | list[str] | None = None
    group: str = "file"
    classes: Chosen = None
    ignore_value: None = field(default=None, init=False)

    def __post_init__(self) -> None:
        check_group_rule(self.group)
        self.root = Path(self.root).expanduser()
        for key in ("annotations", "image_dir"):
            splits = set(own) if isinstance(own := getattr(self, key), Mapping) else set()
            if splits - set(SPLITS) or (splits and splits != set(self.annotations)):
                raise ValueError(
                    f"dataset.{key} is of {', '.join(sorted(splits))}: must be a file or folder, "
                    "or train, val and test, the same in dataset.annotations and image_dir"
                )
        files = [path for path, _, _ in self._parts() if path.is_file()]
        self._names = [name for path in files for name in coco.load(path).categories.values()]
        if files:  # they may be downloaded later
            self.classes = class_names.choose(self._names, self.classes, path=files[0])

    def pairs(self) -> list[Pair]:
        """Every image, in the order of the files. Raises FileNotFoundError or PairingErrors."""
        class_names.say_left_out(list(dict.fromkeys(self._names)), self.classes)
        exclusion = Exclusion(self.exclude, root=self.root)
        pairs: list[Pair] = []
        problems: list[str] = []
        for path, folder, split in self._parts():
            if not path.is_file():
                raise FileNotFoundError(f"dataset.annotations={path}: no such file")
            content = coco.load(path)
            if content.strays:
                log.warning(
                    "%s: %d annotations are of no image or category of the file, and not used",
                    path, content.strays,
                )  # fmt: skip
            files = {
                key: folder / Path(table_file.as_path(record["file_name"]))
                for key, record in content.images.items()
            }
            if files and not any(map(Path.is_file, files.values())):
                first = next(iter(files.values()))
                raise FileNotFoundError(
                    f"{path}: none of its {len(files)} images is there, such as {first}; "
                    "set dataset.image_dir"
                )
            kept = set(exclusion.kept(files.values()))
            for key, image in files.items():
                if image not in kept:
                    continue
                inside = image.is_relative_to(self.root)
                case = (image.relative_to(self.root) if inside else image).as_posix()
                try:
                    group = group_of(case, self.group)
                except ValueError as error:
                    problems.append(str(error))
                    continue
                labels = [label for label in content.labels(key) if label in self.classes]
                masks = tuple(MaskFile(path, label, entry=key) for label in labels)
                pairs.append(Pair(case, (image,), masks, group, split))
        exclusion.report()
        twice = [case for case, count in Counter(pair.case for pair in pairs).items() if count > 1]
        problems += [f"{self.root / case}: has several records; keep one" for case in twice]
        return settled(pairs, problems, root=self.root)

    def _parts(self) -> Iterator[tuple[Path, Path, str | None]]:
        """Each annotation file, the folder of its images, and its split."""
        by_split = self.annotations
        for split, file in (
            by_split.items() if isinstance(by_split, Mapping) else [(None, by_split)]
        ):
            folders = self.image_dir
            folder = folders[split] if isinstance(folders, Mapping) else folders
            yield self.root / Path(file).expanduser(), self.root / Path(folder).expanduser(), split
