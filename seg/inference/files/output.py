"""Predictions on disk: masks as PNGs of the image's size, or as a volume like the image's."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seg.data import formats
from seg.data.errors import DataError
from seg.data.formats.volume_cache import Plane, import_reader
from seg.inference.files import inputs
from seg.inference.files.reading import File

ORIENTATION = 0x0112  # the number of EXIF's tag
Colour = tuple[int, int, int]  # R, G, B


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
    """

    classes: list[str]
    colours: list[Colour]
    values: str | int = "index"
    probabilities: str | None = None
    overlays: bool = False

    def names(self, file: File) -> list[str]:
        """The files that a prediction makes, relative to the output; masks come first."""
        return [
            *mask_names(file),
            *(self._probability_names(file) if self.probabilities else []),
            *(overlay_names(file) if self.overlays else []),
        ]

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
            masks: (H, W) class indices of each picture.
            probs: (K, H, W) of each picture, if they are written.
            path_of: where to write the file of a name.
        """
        values = [self._values_of_indices()[mask] for mask in masks]
        if _is_volume(file):
            _write_nifti(file, _volume(file, values), path_of(mask_names(file)[0]))
        else:
            palette = self.colours if self.values == "palette" else None
            for name, one in zip(mask_names(file), values, strict=True):
                path_of(name).write_bytes(_png(one, palette=palette, orientation=orientation))
        if self.probabilities:
            self._write_probabilities(file, [p for p in probs if p is not None], path_of)

    def read_back(self, file: File, path: Path, plane: Plane | None) -> NDArray[np.uint8]:
        """Class indices (H, W) of a mask that was written for a file, or for a slice of it."""
        if _is_volume(file):
            nibabel = import_reader("nibabel", path)
            values = np.asarray(nibabel.load(path).dataobj)
            values = values.reshape((*values.shape, 1)[:3])
            axis, index = plane or (2, 0)
            values = values[(slice(None),) * axis + (index,)].T
        else:
            with Image.open(path) as picture:
                values = np.array(picture)
        indices = np.zeros(256, dtype=np.uint8)
        indices[self._values_of_indices()] = np.arange(len(self._values_of_indices()))
        return indices[values.astype(np.uint8)]

    def _values_of_indices(self) -> NDArray[np.uint8]:
        if self.values != 255:
            return np.arange(256, dtype=np.uint8)
        count = len(self.classes)
        return np.array([k * 255 // count for k in range(count + 1)], dtype=np.uint8)

    def _probability_names(self, file: File) -> list[str]:
        top = "probabilities"
        if _is_volume(file):
            return [f"{top}/{name}" for name in mask_names(file)]
        if self.probabilities == "npy":
            return [f"{top}/{name}.npy" for name in _picture_names(file)]
        if len(self.classes) == 1:
            return [f"{top}/{name}.png" for name in _picture_names(file)]
        # a class's name, fit for a file system
        folders = [re.sub(r"[^\w.-]+", "_", name).strip("._") or "class" for name in self.classes]
        every = ["background", *folders]
        return [f"{top}/{folder}/{name}.png" for name in _picture_names(file) for folder in every]

    def _write_probabilities(
        self, file: File, probs: Sequence[NDArray[np.float32]], path_of: Callable[[str], Path]
    ) -> None:
        names = self._probability_names(file)
        if _is_volume(file):
            volumes = [_volume(file, [p[k] for p in probs]) for k in range(len(probs[0]))]
            values = volumes[0] if len(volumes) == 1 else np.stack(volumes, axis=-1)
            _write_nifti(file, values, path_of(names[0]))
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


def mask_names(file: File) -> list[str]:
    """Where the file's masks lie: one file, but for an image of several frames."""
    if _is_volume(file):
        return [f"{file.input.name}{formats.suffix_of(file.input.path)}"]
    return [f"{name}.png" for name in _picture_names(file)]


def overlay_names(file: File) -> list[str]:
    """Where the overlays of the file's pictures lie."""
    return [f"overlays/{name}.png" for name in _picture_names(file)]


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


def _is_volume(file: File) -> bool:
    return formats.suffix_of(file.input.path) in formats.NIFTI_SUFFIXES


def _png(values: NDArray[np.uint8], *, palette: Sequence[Colour] | None, orientation: int) -> bytes:
    """(H, W) as a grey PNG, or with a palette; background is black.

    It has the EXIF orientation of its image, so that programs that turn the one turn the other.
    """
    picture = Image.fromarray(values)
    if palette is not None:
        picture.putpalette([0, 0, 0, *(c for colour in palette for c in colour)])
    more = {}
    if orientation != 1:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        more["exif"] = exif
    buffer = BytesIO()
    picture.save(buffer, format="PNG", compress_level=3, **more)
    return buffer.getvalue()


def _volume(file: File, pictures: Sequence[NDArray]) -> NDArray:
    """(H, W) slices put back where `seg.data.formats.nifti` cut them: (X, Y, Z)."""
    return np.stack([p.T for p in pictures], axis=2 if file.slices is None else file.axis)


def _write_nifti(file: File, values: NDArray, path: Path) -> None:
    """(X, Y, Z), or with classes last, with the header and the position of the image."""
    nibabel = import_reader("nibabel", file.input.path)
    image = nibabel.load(file.input.path)
    if values.ndim == 3:
        # which may have further axes of length 1, or one of channels
        one = values.size == np.prod(image.shape)
        values = values.reshape(image.shape) if one else values
    header = image.header.copy()
    header.set_data_dtype(values.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = 0, 0  # they were of the image's values
    volume = type(image)(values, image.affine, header)
    volume.header.set_xyzt_units(*image.header.get_xyzt_units())
    nibabel.save(volume, path)
