"""An input as the pictures in it, each read for the network, with what is unlike the training."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seg.data import formats
from seg.data.formats import Header, Plane
from seg.data.images import read_image
from seg.inference.files.input_checks import InputWarning, in_grey, input_warnings, is_colourful
from seg.inference.files.inputs import Input
from seg.inference.model import LoadedModel

FRAMES = 0  # the axis along which a DICOM file of several frames is cut


@dataclass
class File:
    """An input that is being predicted. slices: how many pictures it holds along `axis`; None if it
    is one itself.
    """

    input: Input
    axis: int
    slices: int | None

    @cached_property
    def sha256(self) -> str:
        with self.input.path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()

    def pictures(self) -> list["Picture"]:
        if self.slices is None:
            return [Picture(self, None)]
        return [Picture(self, (self.axis, index)) for index in range(self.slices)]


@dataclass(frozen=True)
class Picture:
    """One file, or one slice of it."""

    file: File
    plane: Plane | None

    def __str__(self) -> str:
        return f"{self.file.input.path}" + (f"#{self.plane[1]}" if self.plane else "")

    @property
    def name(self) -> str:
        """The image's, and `#17` for the slice, as `case` is in tables of training."""
        return self.file.input.image + (f"#{self.plane[1]}" if self.plane else "")


@dataclass
class Read:
    """image: (H, W, C) in 0-255. seconds: that reading took."""

    image: NDArray
    header: Header
    input_warnings: list[InputWarning] = field(default_factory=list)
    seconds: float = 0.0


def opened(given: Input, axis: int) -> File:
    """Raises DataError, also where it is a volume without such an axis."""
    path = given.path
    axis = FRAMES if formats.suffix_of(path) in formats.DICOM_SUFFIXES else axis
    return File(given, axis, formats.slice_count(path, axis))


def bytes_of(picture: Picture, channels: int) -> int:
    """What it takes in memory while it is read and predicted, from its header alone, roughly."""
    header = formats.read_header(picture.file.input.path, picture.plane)
    return header.height * header.width * (2 * channels + 12)


def reader(model: LoadedModel, *, resized: bool) -> Callable[[Picture], Read]:
    """Reads pictures as `model` wants them. resized: whether the network resizes them whole."""
    shape = model.preprocessing
    grey = in_grey(model.mean, model.std)

    def read(picture: Picture) -> Read:
        started = time.perf_counter()
        path, plane = picture.file.input.path, picture.plane
        _ = picture.file.sha256  # now, while nobody waits for it
        image, colourful = _read(path, plane, shape.channels, shape.window)
        header = formats.read_header(path, plane)
        found = input_warnings(
            image,
            colourful=colourful if shape.channels == 3 or grey else False,
            mean=model.mean,
            std=model.std,
            size=shape.size if resized else None,
            windowed=shape.window is not None,
            orientation=header.orientation,
        )
        return Read(image, header, found, time.perf_counter() - started)

    return read


def _read(path: Path, plane: Plane | None, channels: int, window: object) -> tuple[NDArray, bool]:
    """The image, and whether the file has colours."""
    nifti = formats.suffix_of(path) in formats.NIFTI_SUFFIXES
    image = read_image(path, channels=1 if nifti else 3, plane=plane, window=window)
    colourful = not nifti and is_colourful(image)
    if image.shape[2] == channels:
        return image, colourful
    if nifti:
        return np.repeat(image, channels, axis=2), False
    if colourful:  # the reader knows its weights
        return read_image(path, channels=channels, plane=plane, window=window), True
    if (image == image[..., :1]).all():
        return np.ascontiguousarray(image[..., :channels]), False
    return read_image(path, channels=channels, plane=plane, window=window), True
