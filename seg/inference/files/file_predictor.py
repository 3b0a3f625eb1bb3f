"""Predict image files into an output folder: read, predict, segment, measure, write, record."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

import cv2
import numpy as np

from seg.data.errors import DataError
from seg.inference.files import output
from seg.inference.files.journal import Journal
from seg.inference.files.pipeline import Failed, Pipeline, Prediction, Record
from seg.inference.files.reading import File, Picture, Read, bytes_of, reader
from seg.inference.model import LoadedModel, Strips, strips_of
from seg.inference.segmentation import NonFiniteError, Segmentation, segment
from seg.metrics.planes import area_of
from seg.training import progress

log = logging.getLogger(__name__)

Draw = Callable[..., None]  # image, class indices, path, form=; see `report.predictions.overlay`
LARGE = 4_000_000  # pixels; a larger image that goes alone is predicted strip by strip


@dataclass
class PartialFile:
    """A file of which not all pictures are predicted yet; its threads take turns by `lock`."""

    segmentations: dict[int, Segmentation] = field(default_factory=dict)
    rows: dict[int, Record] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


class FilePredictor:
    """Predicts image files into the folder of a journal.

    Args:
        draw: draws a mask over its image, if `writer` has overlays.
        resized: whether images are resized whole, so that an odd size gets a warning.
        batch_size: pictures that are predicted together.
    """

    def __init__(
        self,
        *,
        model: LoadedModel,
        writer: output.MaskWriter,
        journal: Journal,
        draw: Draw,
        resized: bool,
        batch_size: int,
    ) -> None:
        self.model, self.writer, self.journal, self.draw = model, writer, journal, draw
        self.partial: dict[File, PartialFile] = {}
        self.failed: set[File] = set()
        self.pipeline = Pipeline(
            size=lambda picture: bytes_of(picture, model.preprocessing.channels),
            read=reader(model, resized=resized),
            predict=self._predict,
            write=self._write,
            batch_size=batch_size,
        )

    def run(self, files: Sequence[File]) -> dict[File, Record | Failed]:
        """Predict the files that no earlier command has predicted in the same way.

        Returns:
            The record of each file, or the first error of its pictures, in the order of `files`.
        """
        results: dict[File, Record | Failed | None] = {file: self._finished(file) for file in files}
        todo = [file for file, record in results.items() if record is None]
        if kept := len(files) - len(todo):
            log.info("%d of %d were there already, and are kept", kept, len(files))
        started, count = time.perf_counter(), 0
        for file, result in progress.with_bar(self._predicted(todo), len(todo), "predicting"):
            results[file] = result
            count += not isinstance(result, Failed)
        seconds = time.perf_counter() - started
        if count:
            log.info("%d predicted in %.1f s: %.3g images/s", count, seconds, count / seconds)
        return results

    def _finished(self, file: File) -> Record | None:
        """The record of a file that an earlier command has predicted into the same files."""
        record = self.journal.records.get(file.input.image)
        if record is None or record["files"].keys() != set(self.writer.names(file)):
            return None
        try:
            return self.journal.valid_record(file.input.image, file.sha256)
        except OSError:  # predicting it will say what is wrong
            return None

    def _predicted(self, files: Sequence[File]) -> Iterator[tuple[File, Record | Failed]]:
        pictures = (picture for file in files for picture in file.pictures())
        for picture, result in self.pipeline.run(pictures):
            file = picture.file
            if isinstance(result, Failed):
                self.partial.pop(file, None)
                if file not in self.failed:
                    self.failed.add(file)
                    yield file, result
            elif result is not None:
                yield file, result

    def _predict(self, reads: Sequence[Read]) -> list[Prediction]:
        """Probabilities; a large image's do not fit into memory and are segmented at once."""
        image, *others = [read.image for read in reads]
        if others:
            return self.model.predictor.batch([image, *others])
        if math.prod(image.shape[:2]) > LARGE:
            return [self._segment(strips_of(self.model.predictor, image), image.shape[:2])]
        return [self.model.predictor.probabilities(image)]

    def _segment(self, strips: Strips, size: tuple[int, int]) -> Segmentation:
        keep_probs = self.writer.probabilities is not None
        return segment(strips, size, self.model, keep_probs=keep_probs)

    def _write(
        self, picture: Picture, read: Read, prediction: Prediction, seconds: float
    ) -> Record | None:
        """The file's record if this was its last picture, else None."""
        started = time.perf_counter()
        file = picture.file
        if file in self.failed:  # because of another slice
            return None
        try:
            if not isinstance(prediction, Segmentation):
                prediction = self._segment(iter([(0, prediction)]), read.image.shape[:2])
        except NonFiniteError as error:
            raise DataError(picture, str(error), "look at the image, and at the training") from None
        for form, name in self.writer.overlays_of(file, picture.index).items():
            self.draw(read.image, prediction.mask, self.journal.temporary(name), form=form)
        partial = self.partial.setdefault(file, PartialFile())
        with partial.lock:
            row = row_of(picture, read, prediction, self.writer)
            partial.segmentations[picture.index], partial.rows[picture.index] = prediction, row
            row["seconds"] = round(read.seconds + seconds + time.perf_counter() - started, 4)
            if len(partial.rows) < (file.slices or 1):
                return None
        return self._complete(file, partial, read, row, started)

    def _complete(
        self, file: File, partial: PartialFile, read: Read, row: Record, started: float
    ) -> Record:
        """Write and record a file, all of whose pictures are predicted."""
        segmentations = [partial.segmentations[i] for i in sorted(partial.segmentations)]
        self.writer.write(
            file,
            [one.mask for one in segmentations],
            [one.probs for one in segmentations],
            self.journal.temporary,
            orientation=read.header.orientation,
        )
        row["seconds"] = round(row["seconds"] + time.perf_counter() - started, 4)
        facts = {"rows": [partial.rows[i] for i in sorted(partial.rows)]}
        self.partial.pop(file, None)
        return self.journal.place(file.input.image, file.sha256, self.writer.names(file), facts)


def row_of(
    picture: Picture, read: Read, segmentation: Segmentation, writer: output.MaskWriter
) -> Record:
    """A row of predictions.csv, which `predictions.table` writes."""
    mask = segmentation.mask
    height, width = mask.shape[-2:]
    row: Record = {
        "image": picture.name,
        **writer.masks_of(picture.file, picture.index),
        "height": height,
        "width": width,
        "foreground_pixels": int(np.count_nonzero(mask if mask.ndim == 2 else mask.any(0))),
    }
    spacing, sure = read.header.spacing, segmentation.foreground_confidence
    for index, name in enumerate(writer.classes, start=1):
        area = area_of(mask, index)
        pixels = int(np.count_nonzero(area))
        components = cv2.connectedComponents(area.astype(np.uint8), connectivity=8)[0] - 1
        row[f"{name}_pixels"] = pixels
        row[f"{name}_mm2"] = round(pixels * spacing[0] * spacing[1], 4) if spacing else None
        row[f"{name}_components"] = components
        row[f"{name}_mask_confidence"] = round(float(sure[index - 1]), 5)
    row["foreground_confidence"] = round(float(sure.mean()), 5)
    row["confidence"] = round(segmentation.confidence, 5)
    row["entropy"] = round(segmentation.entropy, 5)
    row["seconds"] = 0.0
    row["remarks"] = [[warning.kind, warning.detail] for warning in read.warnings]
    return row
