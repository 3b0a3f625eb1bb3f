"""Files to masks on disk: read, asked, decided, measured, written, and recorded."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.data.errors import DataError
from seg.inference.files import output
from seg.inference.files.journal import Journal
from seg.inference.files.pipeline import Failed, Pipeline
from seg.inference.files.reading import File, Picture, Read, bytes_of, reader
from seg.inference.model import LoadedModel, strips_of
from seg.inference.segmentation import NonFiniteError, Segmentation, segment

Draw = Callable[[NDArray, NDArray, Path], None]  # an image, its class indices, where to
LARGE = 4_000_000  # pixels; such an image goes alone, and its probabilities some rows at a time


@dataclass
class PartialFile:
    """A file of which not all pictures are predicted yet."""

    outcomes: dict[int, Segmentation] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    drawn: dict[str, Path] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


class FilePredictor:
    """Predicts files into the folder of a journal.

    key: of all that predictions depend on. threshold: on the probability of a single class. steps:
    the clean-up. draw: pictures of masks, where they are wanted. resized: whether images are
    resized whole.
    """

    def __init__(
        self,
        *,
        model: LoadedModel,
        wanted: output.Wanted,
        journal: Journal,
        key: str,
        draw: Draw,
        resized: bool,
        batch_size: int,
    ) -> None:
        self.model, self.wanted, self.journal, self.key = model, wanted, journal, key
        self.draw = draw
        self.halves: dict[int, PartialFile] = {}
        self.failed: set[int] = set()
        self.pipeline = Pipeline(
            size=lambda picture: bytes_of(picture, model.preprocessing.channels),
            read=reader(model, resized=resized),
            predict=self._ask,
            write=self._write,
            batch_size=batch_size,
        )

    def run(self, files: Sequence[File]) -> Iterator[tuple[File, dict[str, Any] | Failed]]:
        """Each file with its record in the journal, or with why there is none."""
        pictures = (picture for file in files for picture in file.pictures())
        for picture, found in self.pipeline.run(pictures):
            file = picture.file
            if isinstance(found, Failed):
                told = id(file) in self.failed
                self.failed.add(id(file))
                self.halves.pop(id(file), None)
                if not told:
                    yield file, found
            elif found is not None:
                yield file, found

    def _ask(self, reads: Sequence[Read]) -> list[Any]:
        """Probabilities; of a large image what is made of them."""
        images = [read.image for read in reads]
        if len(images) == 1 and math.prod(images[0].shape[:2]) > LARGE:
            return [self._decided(strips_of(self.model.predictor, images[0]), images[0].shape[:2])]
        if len(images) == 1:
            return [self.model.predictor.probabilities(images[0])]
        return self.model.predictor.batch(images)

    def _decided(self, rows: Iterator, size: tuple[int, int]) -> Segmentation:
        keep = self.wanted.probabilities is not None
        return segment(rows, size, self.model, keep_probs=keep)

    def _write(
        self, picture: Picture, read: Read, answer: Any, seconds: float
    ) -> dict[str, Any] | None:
        """The file's record, where this was its last picture."""
        started = time.perf_counter()
        file = picture.file
        if id(file) in self.failed:  # another slice of it
            return None
        try:
            done = (
                answer
                if isinstance(answer, Segmentation)
                else self._decided(iter([(0, answer)]), read.image.shape[:2])
            )
        except NonFiniteError as error:
            raise DataError(picture, str(error), "look at the image, and at the training") from None
        index = picture.plane[1] if picture.plane else 0
        half = self.halves.setdefault(id(file), PartialFile())
        if self.wanted.overlays:
            name = output.overlay_names(file)[index]
            path = self.journal.temporary(name)
            self.draw(read.image, done.mask, path)
        with half.lock:
            if self.wanted.overlays:
                half.drawn[name] = path
            half.outcomes[index] = done
            row = self._row(picture, read, done)
            half.rows[index] = row
            row["seconds"] = round(read.seconds + seconds + time.perf_counter() - started, 4)
            if len(half.outcomes) < (file.slices or 1):
                return None
        return self._place(file, half, read, row, started)

    def _place(
        self, file: File, half: PartialFile, read: Read, row: dict[str, Any], started: float
    ) -> dict[str, Any]:
        outcomes = [half.outcomes[i] for i in sorted(half.outcomes)]
        written = output.write(
            file,
            [one.mask for one in outcomes],
            [one.probs for one in outcomes],
            self.wanted,
            self.journal.temporary,
            drawn=half.drawn,
            orientation=read.header.orientation,
        )
        row["seconds"] = round(row["seconds"] + time.perf_counter() - started, 4)
        rows = [half.rows[i] for i in sorted(half.rows)]
        self.halves.pop(id(file), None)
        facts = {"rows": rows}
        return self.journal.place(file.input.image, self.key, file.sha256, written, facts)

    def _row(self, picture: Picture, read: Read, done: Segmentation) -> dict[str, Any]:
        height, width = done.mask.shape
        masks = output.mask_names(picture.file)
        index = picture.plane[1] if picture.plane else 0
        row: dict[str, Any] = {
            "image": picture.name,
            "mask": masks[index] if len(masks) > 1 else masks[0],
            "height": height,
            "width": width,
        }
        spacing = read.header.spacing
        for k, name in enumerate(self.model.classes, start=1):
            area = done.mask == k
            pixels = int(np.count_nonzero(area))
            parts = cv2.connectedComponents(area.astype(np.uint8), connectivity=8)[0] - 1
            row[f"{name}_pixels"] = pixels
            row[f"{name}_mm2"] = round(pixels * spacing[0] * spacing[1], 4) if spacing else None
            row[f"{name}_components"] = parts
        row["confidence"] = round(done.confidence, 5)
        row["entropy"] = round(done.entropy, 5)
        row["seconds"] = 0.0
        row["remarks"] = [[remark.kind, remark.detail] for remark in read.input_warnings]
        return row
