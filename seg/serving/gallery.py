"""Images that were sent to be tried: read and predicted as `seg.predict` does, by its own code."""

import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg.data.errors import DataError
from seg.inference.files import inputs
from seg.inference.files.file_predictor import row_of
from seg.inference.files.output import MaskWriter
from seg.inference.files.reading import File, Picture, Read, open_files, reader
from seg.inference.model import LoadedModel, joined, strips_of
from seg.inference.segmentation import NonFiniteError, Segmentation, segment
from seg.report import predictions

Threshold = float | list[float] | None  # None: the model's
KEPT = 8  # pictures whose pixels stay in memory; probabilities lie on the disk


@dataclass
class Entry:
    """One image that was sent, or why it cannot be used."""

    name: str
    file: File | None = None
    error: str = ""
    reads: dict[int, Read] = field(default_factory=dict)

    @property
    def pictures(self) -> list[Picture]:
        return [] if self.file is None else self.file.pictures()


class Gallery:
    """Images and their predictions; a context, which removes its temporary folder in the end.

    The network sees each picture once. Masks are made of its probabilities for every threshold.

    Args:
        model: with its way to predict large images, as `seg.predict` makes it.
        axis: along which volumes are cut.
        resized: whether images are resized whole, so that an odd size gets a note.
    """

    def __init__(self, model: LoadedModel, *, axis: int, resized: bool) -> None:
        self.model, self.axis = model, axis
        self.entries: list[Entry] = []
        self.writer = MaskWriter(
            classes=model.classes,
            colours=predictions.colours(model.preprocessing.classes, model.classes),
            overlap=model.overlap,
        )
        self._reader = reader(model, resized=resized)
        self._lock = RLock()  # the network is never called twice at a time

    def __enter__(self) -> "Gallery":
        self._temporary = tempfile.TemporaryDirectory(prefix="seg-demo-")
        self.folder = Path(self._temporary.name)
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def add(self, files: Mapping[str, bytes]) -> list[int]:
        """Take files by their names; those of one case, sent together, are one image.

        Returns:
            The indices of the new entries; what cannot be used is one with an error.
        """
        with self._lock:
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            paths, new = [], []
            for name, data in files.items():
                own = name.replace("\\", "/").rpartition("/")[2].lstrip(".")
                path = folder / (own or "image")
                if path.suffix.lower() == ".csv":  # it would name files of this machine
                    new.append(Entry(path.name, error=f"{path.name}: is a table; give its images"))
                    continue
                path.write_bytes(data)
                paths.append(path)
            if paths:
                new += self._opened(paths)
            self.entries += new
            return list(range(len(self.entries) - len(new), len(self.entries)))

    def _opened(self, paths: Sequence[Path]) -> list[Entry]:
        images = inputs.find([str(path) for path in paths], recursive=False, root=None)
        try:
            images, failed = inputs.stacked(images, self.model.preprocessing.image_suffix)
        except ValueError as error:
            return [Entry(path.name, error=str(error)) for path in paths]
        opened, unreadable = open_files(images, self.axis)
        bad = [Entry(name, error=self._said(why)) for name, why in (failed | unreadable).items()]
        return [*(Entry(file.input.image, file) for file in opened), *bad]

    def segmentation(
        self, entry: Entry, index: int, threshold: Threshold = None
    ) -> tuple[Read, Segmentation]:
        """A picture, and its mask at a threshold.

        Args:
            index: of the slice; 0 for a picture.
            threshold: one number, or one for each of classes that share pixels.

        Raises:
            DataError: it cannot be read, or the network gives no numbers.
        """
        model = self.model if threshold is None else replace(self.model, threshold=threshold)
        picture = entry.pictures[index]
        try:
            with self._lock:
                read = self._read(entry, index)
                probs = self._probabilities(entry, index, read)
                size = read.image.shape[:2]
                done = segment(iter([(0, probs)]), size, model, keep_probs=True)
        except NonFiniteError as error:
            raise DataError(picture.name, str(error), "look at the image") from None
        except Exception as error:  # as `seg.predict`: one image at fault does not stop the page
            why = str(error) if isinstance(error, DataError) else f"{picture.name}: {error}"
            raise DataError(self._said(why)) from error
        return read, done

    def row(self, entry: Entry, index: int, threshold: Threshold = None) -> dict[str, Any]:
        """The measurements of a picture, as predictions.csv has them."""
        read, done = self.segmentation(entry, index, threshold)
        row = row_of(entry.pictures[index], read, done, self.writer)
        return row | {"seconds": None}

    def masks(self, entry: Entry, threshold: Threshold = None) -> dict[str, bytes]:
        """The mask files of an image by name, as `seg.predict` writes them."""
        parts = [self.segmentation(entry, one.index, threshold) for one in entry.pictures]
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            paths: dict[str, Path] = {}

            def path_of(name: str) -> Path:
                paths[name] = Path(folder) / f"{len(paths)}-{Path(name).name}"
                return paths[name]

            masks = [done.mask for _, done in parts]
            orientation = parts[-1][0].header.orientation
            self.writer.write(entry.file, masks, [], path_of, orientation=orientation)
            return {name: path.read_bytes() for name, path in paths.items()}

    def table(self, threshold: Threshold = None) -> str:
        """The text of predictions.csv for all pictures."""
        rows, failed = [], {}
        for entry in self.entries:
            try:
                rows += [self.row(entry, one.index, threshold) for one in entry.pictures]
            except DataError as error:
                failed[entry.name] = str(error)
            if entry.error:
                failed[entry.name] = entry.error
        classes = self.model.classes
        return predictions.table(rows, failed, classes, overlap=self.model.overlap)

    def archive(self, threshold: Threshold = None) -> bytes:
        """A ZIP of all masks, and of the table."""
        every: dict[str, str | bytes] = {"predictions.csv": self.table(threshold)}
        for number, entry in enumerate(self.entries, start=1):
            try:
                files = self.masks(entry, threshold) if entry.file else {}
            except DataError:  # the table has the reason
                continue
            taken = every.keys() & files.keys()  # two images of one name
            every |= {f"{number}/{name}" if taken else name: data for name, data in files.items()}
        return zipped(every)

    def _read(self, entry: Entry, index: int) -> Read:
        if index not in entry.reads:
            kept = [(one, i) for one in self.entries for i in one.reads]
            for one, i in kept[: max(0, len(kept) - KEPT + 1)]:
                del one.reads[i]
            entry.reads[index] = self._reader(entry.pictures[index])
        return entry.reads[index]

    def _probabilities(self, entry: Entry, index: int, read: Read) -> NDArray[np.float32]:
        path = self.folder / f"{self.entries.index(entry)}-{index}.npy"
        if not path.exists():
            strips = strips_of(self.model.predictor, read.image)
            np.save(path, joined(strips, len(read.image)))
        return np.load(path, mmap_mode="r")

    def _said(self, message: str) -> str:
        """A message that names the file as the user does."""
        for folder in self.folder.iterdir():
            message = message.replace(f"{folder}/", "")
        return message


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A ZIP of files by name."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
