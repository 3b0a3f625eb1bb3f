"""Predictions on disk: masks as PNGs of the image's size, or as a volume like the image's."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.data import formats
from seg.data.errors import DataError
from seg.data.formats.volume_cache import Plane
from seg.inference.files import inputs
from seg.inference.files.mask_file import (
    Colour,
    is_volume,
    png,
    read_values,
    volume,
    write_nifti,
)
from seg.inference.files.reading import File

SUFFIXES = {"pdf": ".pdf", "svg": ".svg", "png": "_300dpi.png"}  # of figures for papers


@dataclass(frozen=True)
class MaskWriter:
    """Writes what was predicted of a file.

    Args:
        classes: names of the foreground classes, index 1 first.
        colours: of each class, for values=palette.
        values: what masks hold: `index`, `palette` (indices with colours), or 255 (indices spread
            evenly up to 255, to be looked at).
        probabilities: `png16`, `npy`, or None for none.
        overlays: whether there are pictures of masks over images, which the caller draws.
        figures: further formats of them, of `SUFFIXES`.
        overlap: whether masks are planes (K, H, W). Each class gets a file of its own then, with 0
            and 255; with 0 and 1 for values=palette, and in a volume unless values=255.
    """

    classes: list[str]
    colours: list[Colour]
    values: str | int = "index"
    probabilities: str | None = None
    overlays: bool = False
    figures: Sequence[str] = ()
    overlap: bool = False

    def names(self, file: File) -> list[str]:
        """The files that a prediction makes, relative to the output; masks come first."""
        return [
            *(name for part in self._parts for name in mask_names(file, part)),
            *(self._probability_names(file) if self.probabilities else []),
            *(n for i in range(file.slices or 1) for n in self.overlays_of(file, i).values()),
        ]

    def overlays_of(self, file: File, index: int) -> dict[str | None, str]:
        """The overlays of a picture by their format; None is the PNG for the screen."""
        if not self.overlays:
            return {}
        name = f"overlays/{_picture_names(file)[index]}"
        return {None: f"{name}.png"} | {form: name + SUFFIXES[form] for form in self.figures}

    def masks_of(self, file: File, index: int) -> dict[str, str]:
        """The mask files of a picture by their columns in the table: `mask`, or `mask_<class>`."""
        columns = [f"mask_{name}" for name in self.classes] if self.overlap else ["mask"]
        names = [mask_names(file, part) for part in self._parts]
        return {c: n[index if len(n) > 1 else 0] for c, n in zip(columns, names, strict=True)}

    def write(
        self,
        file: File,
        masks: Sequence[NDArray[np.uint8]],
        probs: Sequence[NDArray[np.float32] | None],
        path_of: Callable[[str], Path],
        *,
        orientation: int = 1,
    ) -> None:
        """Write the masks and probabilities of a file's pictures.

        Args:
            masks: of each picture, (H, W) class indices, or (K, H, W) planes.
            probs: (K, H, W) of each picture, if they are written.
            path_of: where to write the file of a name.
        """
        for k, part in enumerate(self._parts):
            names = mask_names(file, part)
            values = [self._stored(mask, k, file) for mask in masks]
            if is_volume(file):
                write_nifti(file, volume(file, values), path_of(names[0]))
                continue
            colours = self.colours[k : k + 1] if self.overlap else self.colours
            palette = colours if self.values == "palette" else None
            for name, one in zip(names, values, strict=True):
                path_of(name).write_bytes(png(one, palette=palette, orientation=orientation))
        if self.probabilities:
            self._write_probabilities(file, [p for p in probs if p is not None], path_of)

    def read_back(
        self, file: File, paths: Sequence[Path], plane: Plane | None
    ) -> NDArray[np.uint8]:
        """The mask that was written for a file, or for a slice of it, as `write` gets it.

        Args:
            paths: of `masks_of`.
        """
        if self.overlap:
            return np.stack([read_values(file, path, plane) > 0 for path in paths]).astype(np.uint8)
        values = read_values(file, paths[0], plane)
        indices = np.zeros(256, dtype=np.uint8)
        indices[self._values_of_indices()] = np.arange(len(self._values_of_indices()))
        return indices[values.astype(np.uint8)]

    @property
    def _parts(self) -> list[str]:
        """What the names of a picture's mask files have before their suffix."""
        return [f".{name}" for name in self._safe_names] if self.overlap else [""]

    @property
    def _safe_names(self) -> list[str]:
        """The classes' names, fit for a file system."""
        return [re.sub(r"[^\w.-]+", "_", name).strip("._") or "class" for name in self.classes]

    def _stored(self, mask: NDArray[np.uint8], part: int, file: File) -> NDArray[np.uint8]:
        """(H, W) values of one mask file."""
        if not self.overlap:
            return self._values_of_indices()[mask] if self.values == 255 else mask
        small = self.values == "palette" or (is_volume(file) and self.values != 255)
        return mask[part] * np.uint8(1 if small else 255)

    def _values_of_indices(self) -> NDArray[np.uint8]:
        if self.values != 255:
            return np.arange(256, dtype=np.uint8)
        count = len(self.classes)
        return np.array([k * 255 // count for k in range(count + 1)], dtype=np.uint8)

    def _probability_names(self, file: File) -> list[str]:
        top = "probabilities"
        if is_volume(file):
            return [f"{top}/{name}" for name in mask_names(file)]
        if self.probabilities == "npy":
            return [f"{top}/{name}.npy" for name in _picture_names(file)]
        if len(self.classes) == 1:
            return [f"{top}/{name}.png" for name in _picture_names(file)]
        every = self._safe_names if self.overlap else ["background", *self._safe_names]
        return [f"{top}/{folder}/{name}.png" for name in _picture_names(file) for folder in every]

    def _write_probabilities(
        self, file: File, probs: Sequence[NDArray[np.float32]], path_of: Callable[[str], Path]
    ) -> None:
        names = self._probability_names(file)
        if is_volume(file):
            volumes = [volume(file, [p[k] for p in probs]) for k in range(len(probs[0]))]
            values = volumes[0] if len(volumes) == 1 else np.stack(volumes, axis=-1)
            write_nifti(file, values, path_of(names[0]))
        elif self.probabilities == "npy":
            for name, one in zip(names, probs, strict=True):
                with path_of(name).open("wb") as handle:
                    np.save(handle, one)
        else:
            planes = [plane for one in probs for plane in one]
            for name, plane in zip(names, planes, strict=True):
                deep = np.rint(plane * np.float32(65535)).astype(np.uint16)
                done, data = cv2.imencode(".png", deep)
                if not done:
                    raise DataError(name, "its probabilities cannot be made a PNG", "use npy")
                path_of(name).write_bytes(data.tobytes())


def mask_names(file: File, part: str = "") -> list[str]:
    """Where the file's masks lie: one file, but for an image of several frames.

    Args:
        part: of the name, before its suffix.
    """
    if is_volume(file):
        return [f"{file.input.name}{part}{formats.suffix_of(file.input.path)}"]
    return [f"{name}{part}.png" for name in _picture_names(file)]


def refuse_inside(output: Path, source: str | Sequence[str]) -> None:
    """Raises ValueError where the output folder lies in a folder of images, or is a file."""
    for folder in inputs.folders(source):
        if output.resolve().is_relative_to(folder.resolve()):
            raise ValueError(
                f"output={output}: lies in input={folder}, whose files are only read; choose "
                "another folder"
            )
    if output.exists() and not output.is_dir():
        raise ValueError(f"output={output}: is a file; give a folder")


def refuse_collisions(
    output: Path, files: Sequence[File], writer: MaskWriter, *, others: Sequence[str]
) -> None:
    """Raises ValueError where a file has the name of another image's or of one of `others`, or
    would replace an image.
    """
    planned = [(name, file) for file in files for name in writer.names(file)]
    counts = Counter(name for name, _ in planned)
    for name, file in planned:
        if counts[name] > 1 or name in others:
            raise ValueError(
                f"output={output}: {file.input.path} and another would both be written to {name}; "
                "predict them into two folders"
            )
    images = {path.resolve() for file in files for path in file.input.paths}
    for name, file in planned:
        if (output / name).resolve() in images:
            raise ValueError(
                f"output={output}: {name}, of {file.input.path}, would replace an image; choose "
                "another folder"
            )


def _picture_names(file: File) -> list[str]:
    """One name; for several frames one each, in a folder that no other image is named like."""
    if file.slices is None:
        return [file.input.name]
    digits = len(str(file.slices - 1))
    return [f"{file.input.image}/{index:0{digits}d}" for index in range(file.slices)]
