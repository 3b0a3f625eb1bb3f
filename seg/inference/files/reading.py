"""Image files as the pictures in them, and each picture read for the network."""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seg.data import formats
from seg.data.errors import DataError, UnknownRangeError
from seg.data.formats.intensity import Window
from seg.data.formats.pictures import Header
from seg.data.formats.volume_cache import Plane
from seg.data.images import read_image, read_stack
from seg.inference.files.input_checks import InputWarning, input_warnings, is_colourful
from seg.inference.files.inputs import Input
from seg.inference.model import LoadedModel

FRAMES = 0  # the axis along which a DICOM file of several frames is cut


RANGE = "save it with the values that the training images have, such as 8 bits, or 0 to 1"


@dataclass(eq=False)
class File:
    """An image file to predict, or several that are one image.

    Args:
        input: its path and names.
        axis: along which it is cut, if it is a volume.
        slices: how many pictures it has along `axis`; None if it is a picture itself.
    """

    input: Input
    axis: int
    slices: int | None

    @cached_property
    def sha256(self) -> str:
        """Of the file's bytes, as hex digits; of several files, of their digests."""
        digests = []
        for path in self.input.paths:
            with path.open("rb") as handle:
                digests.append(hashlib.file_digest(handle, "sha256").hexdigest())
        one = len(digests) == 1
        return digests[0] if one else hashlib.sha256("".join(digests).encode()).hexdigest()

    def pictures(self) -> list["Picture"]:
        """The file itself, or its slices."""
        if self.slices is None:
            return [Picture(self, None)]
        return [Picture(self, (self.axis, index)) for index in range(self.slices)]


@dataclass(frozen=True)
class Picture:
    """One file, or one slice of it."""

    file: File
    plane: Plane | None

    def __str__(self) -> str:
        return f"{self.file.input.path}{self._slice}"

    @property
    def name(self) -> str:
        """The image's, and `#17` for a slice, like `case` in the tables of a training."""
        return f"{self.file.input.image}{self._slice}"

    @cached_property
    def header(self) -> Header:
        """Raises DataError for a file that cannot be used."""
        return formats.read_header(self.file.input.path, self.plane)

    @property
    def index(self) -> int:
        """Of the slice; 0 for a picture of its own."""
        return self.plane[1] if self.plane else 0

    @property
    def _slice(self) -> str:
        return f"#{self.plane[1]}" if self.plane else ""


@dataclass
class Read:
    """A picture that was read.

    Args:
        image: (H, W, C), 0-255.
        header: of the file.
        warnings: how the image differs from the training's.
        seconds: that reading took.
    """

    image: NDArray
    header: Header
    warnings: list[InputWarning] = field(default_factory=list)
    seconds: float = 0.0


def open_files(images: Iterable[Input], axis: int) -> tuple[list[File], dict[str, str]]:
    """The files that can be opened, and why the others cannot, by image.

    Volumes are cut along `axis`; DICOM files of several frames have only one.
    """
    files, failed = [], {}
    for image in images:
        own = FRAMES if formats.suffix_of(image.path) in formats.DICOM_SUFFIXES else axis
        try:
            first, *others = [(path, formats.slice_count(path, own)) for path in image.paths]
            for path, slices in others:
                if slices != first[1]:
                    reason = f"has {slices or 1} slices, {first[0].name} has {first[1] or 1}"
                    raise DataError(path, reason, "save both with the same shape")
            files.append(File(image, own, first[1]))
        except DataError as error:
            failed[image.image] = str(error)
    return files, failed


def bytes_of(picture: Picture, channels: int) -> int:
    """Memory that a picture takes while it is read and predicted, roughly, by its header alone."""
    try:
        header = picture.header
    except DataError:  # reading the picture will raise it again
        return 0
    return bytes_of_shape((header.height, header.width, channels))


def bytes_of_shape(shape: tuple[int, ...]) -> int:
    """As `bytes_of`, of an image (H, W, C)."""
    height, width, channels = shape
    return height * width * (2 * channels + 12)


def reader(model: LoadedModel, *, resized: bool) -> Callable[[Picture], Read]:
    """A function that reads pictures as `model` needs them.

    `resized` says whether images are resized whole, so that an odd size gets a warning.
    """
    prepared = model.preprocessing

    def read(picture: Picture) -> Read:
        started = time.perf_counter()
        paths, plane = picture.file.input.paths, picture.plane
        _ = picture.file.sha256  # computed in this thread, not when the mask is written
        try:
            image, colourful = _read(paths, plane, prepared.channels, prepared.window)
        except UnknownRangeError as error:  # its fix is a training's
            raise DataError(error.path, error.reason, RANGE) from None
        header = picture.header
        warnings = input_warnings(
            image,
            colourful=colourful,
            mean=model.mean,
            std=model.std,
            size=prepared.size if resized else None,
            windowed=prepared.window is not None,
            orientation=header.orientation,
        )
        return Read(image, header, warnings, time.perf_counter() - started)

    return read


def _read(
    paths: Sequence[Path], plane: Plane | None, channels: int, window: Window
) -> tuple[NDArray, bool | None]:
    """The image, and whether the file has colours, decoded once where that is enough.

    None where the channels are no colours: of several files, or of another number than 1 and 3.
    """
    if len(paths) > 1 or channels not in (1, 3):
        return read_stack(paths, channels=channels, plane=plane, window=window), None
    path = paths[0]
    nifti = formats.suffix_of(path) in formats.NIFTI_SUFFIXES
    image = read_image(path, channels=None if nifti else 3, plane=plane, window=window)
    if nifti and image.shape[2] > 1:
        return read_image(path, channels=channels, plane=plane, window=window), None
    colourful = not nifti and is_colourful(image)
    if image.shape[2] == channels:
        return image, colourful
    if nifti:
        return np.repeat(image, channels, axis=2), False
    if not colourful and (image == image[..., :1]).all():
        return np.ascontiguousarray(image[..., :channels]), False
    # the reader knows by which weights colours become grey
    return read_image(path, channels=channels, plane=plane, window=window), True
