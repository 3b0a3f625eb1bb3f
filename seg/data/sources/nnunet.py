"""nnU-Net's raw data: `imagesTr`, `labelsTr` and a `dataset.json` that names channels and labels.

Isensee et al. 2021, doi:10.1038/s41592-020-01008-z; the format is described in nnU-Net's
documentation/dataset_format.md.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seg.data.class_names import Chosen
from seg.data.errors import DataError, data_errors
from seg.data.formats import stem_of
from seg.data.pairs import Pair, content, image_files, locate
from seg.data.sources.folder import Folder

log = logging.getLogger(__name__)

FILE = "dataset.json"
TRAIN, TEST = ("imagesTr", "labelsTr"), ("imagesTs", "labelsTs")


@dataclass(kw_only=True)
class NnUNet:
    """`root/imagesTr/<case>_0000.*`, one file for each channel, and `root/labelsTr/<case>.*`.

    Cases of `imagesTs` are the test set where `labelsTs` has their labels.

    Args:
        root: the folder of dataset.json, or a parent of it.
        exclude: globs relative to root of files that are left out.
        group, axis: those of `folder.Folder`.
        classes: names of the labels to keep, or name -> values; None keeps all but the background.
            A label of several values, a region, needs dataset.overlap=true where it shares them.
    """

    root: str | Path
    exclude: str | list[str] | None = None
    group: str = "file"
    axis: int = 2
    classes: Chosen = None
    ignore_value: int | None = field(default=None, init=False)  # the label called ignore
    image_suffix: list[str] = field(default_factory=list, init=False)
    channels: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        self.root = Path(self.root).expanduser()
        found = self.root.is_dir() and any(self.root.iterdir())  # it may be downloaded later
        if not found:
            return
        self._root = locate(
            self.root,
            has_layout=self.has_layout,
            layout=f"{FILE} beside {TRAIN[0]}/ and {TRAIN[1]}/",
        )
        about = self._about()
        labels, self.ignore_value = _labels(about, self._root / FILE)
        if not isinstance(self.classes, Mapping):
            unknown = [name for name in self.classes or () if name not in labels]
            if unknown:
                fix = f"it has {', '.join(labels)}"
                raise DataError(self._root / FILE, f"no label {unknown[0]} in it", fix)
            self.classes = {name: labels[name] for name in self.classes or labels}
        channels = about.get("channel_names") or about.get("modality") or {}
        self.channels = len(channels) or 1
        ends = {stem_of(image)[-5:] for image in image_files(self._root / TRAIN[0])}
        numbered = [f"_{number:04d}" for number in range(self.channels)]
        if "_0000" not in ends:  # the decathlon's files have all channels, and no numbers
            numbered = [""]
        elif ends & set(numbered) == {"_0000"}:  # colour pictures have all channels, too
            numbered = ["_0000"]
        self.image_suffix = numbered

    def has_layout(self, folder: Path) -> bool:
        """Whether a folder has this layout."""
        return (folder / FILE).is_file() and all((folder / name).is_dir() for name in TRAIN)

    def pairs(self) -> list[Pair]:
        """Every case, in natural order. Raises FileNotFoundError or PairingErrors."""
        if not self.image_suffix:
            raise FileNotFoundError(f"dataset.root={self.root}: no such folder, or nothing in it")
        has_test = all((self._root / name).is_dir() for name in TEST)
        log.info(
            "%s: classes %s; image files of a case: %d", self._root / FILE,
            ", ".join(self.classes), len(self.image_suffix),
        )  # fmt: skip
        pairs = self._folder(TRAIN).pairs()
        if has_test and image_files(self._root / TEST[1]):
            pairs += [replace(pair, split="test") for pair in self._folder(TEST).pairs()]
        elif (self._root / TEST[0]).is_dir():
            log.info("%s: no labels in %s, not used", self._root / TEST[0], content(self._root))
        return pairs

    def _folder(self, names: tuple[str, str]) -> Folder:
        images, masks = names
        return Folder(
            root=self._root, image_dir=images, mask_dir=masks, image_suffix=self.image_suffix,
            exclude=self.exclude, group=self.group, axis=self.axis, classes=self.classes,
        )  # fmt: skip

    def _about(self) -> dict[str, Any]:
        path = self._root / FILE
        with data_errors(path):
            about = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(about, dict) or not isinstance(about.get("labels"), dict):
            raise DataError(path, "has no labels", "see dataset_format.md of nnU-Net")
        return about


def _labels(about: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], int | None]:
    """Name -> value or values, without the background, and the value of ignored pixels.

    Version 2 writes name -> value, version 1 value -> name.
    """
    labels = about["labels"]
    if all(isinstance(name, str) and value.isdecimal() for value, name in labels.items()):
        labels = {name: int(value) for value, name in labels.items()}
    labels = {name: v for name, v in labels.items() if v not in (0, [0])}
    ignored = labels.pop("ignore", None)
    if not labels:
        raise DataError(path, "has no labels but the background", "name them in it")
    return labels, ignored


def channels_of(root: str) -> int:
    """`dataset.channels` as dataset.json says; 1 where there is none yet."""
    try:
        return NnUNet(root=root).channels
    except (FileNotFoundError, DataError):
        return 1  # pairs() says what is wrong
