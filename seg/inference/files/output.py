"""A prediction on disk: class indices as a PNG of the image's size, or as the image's volume."""

import re
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
from seg.data.formats import Plane
from seg.data.formats.volume_cache import import_reader
from seg.inference.files.reading import File

VALUES = ("index", 255, "palette")
PROBABILITIES = (None, "png16", "npy")
ORIENTATION = 0x0112  # EXIF's number of it


@dataclass(frozen=True)
class Wanted:
    """What is written of each image. values: of masks. colours: (R, G, B) of each class, from 1."""

    values: str | int
    probabilities: str | None
    overlays: bool
    classes: list[str]
    colours: list[tuple[int, int, int]]


def names(file: File, wanted: Wanted) -> list[str]:
    """The files that an image's prediction makes, relative to the output; its mask comes first."""
    return [
        *mask_names(file),
        *(_probabilities(file, wanted) if wanted.probabilities else []),
        *(overlay_names(file) if wanted.overlays else []),
    ]


def write(
    file: File,
    masks: Sequence[NDArray[np.uint8]],
    probs: Sequence[NDArray[np.float32] | None],
    wanted: Wanted,
    temporary: Callable[[str], Path],
    *,
    drawn: dict[str, Path],
    orientation: int = 1,
) -> dict[str, Path]:
    """Write masks and probabilities of a file's pictures; returns name to where it was written.

    masks: (H, W) class indices of each picture. probs: (K, H, W) of each, where they are wanted.
    drawn: the same of what is there already.
    """
    paths = {name: temporary(name) for name in names(file, wanted)} | drawn
    shown = [show(mask, wanted) for mask in masks]
    if _is_volume(file):
        (name,) = mask_names(file)
        _write_nifti(file, _volume(file, shown), paths[name])
    else:
        for name, mask in zip(mask_names(file), shown, strict=True):
            palette = wanted.colours if wanted.values == "palette" else None
            paths[name].write_bytes(as_png(mask, palette=palette, orientation=orientation))
    if wanted.probabilities:
        _write_probabilities(file, [p for p in probs if p is not None], wanted, paths)
    return paths


def show(mask: NDArray[np.uint8], wanted: Wanted) -> NDArray[np.uint8]:
    """Class indices as the values that were asked for: with 255, spread evenly up to it."""
    if wanted.values != 255:
        return mask
    count = len(wanted.classes)
    table = np.array([k * 255 // count for k in range(count + 1)], dtype=np.uint8)
    return table[mask]


def as_png(
    values: NDArray, *, palette: Sequence[tuple[int, int, int]] | None = None, orientation: int = 1
) -> bytes:
    """(H, W) uint8 or uint16 as a grey PNG, or with a palette (index 0 black), and with the EXIF
    orientation of its image, so that programs that turn the one turn the other.
    """
    picture = Image.fromarray(values)
    if palette is not None:
        picture = picture.convert("L")
        picture.putpalette([0, 0, 0, *(c for colour in palette for c in colour)])
    more = {}
    if orientation != 1:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        more["exif"] = exif
    buffer = BytesIO()
    picture.save(buffer, format="PNG", compress_level=3, **more)
    return buffer.getvalue()


def file_name(text: str) -> str:
    """A class's name, fit for a file system."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "class"


def _is_volume(file: File) -> bool:
    return formats.suffix_of(file.input.path) in formats.NIFTI_SUFFIXES


def mask_names(file: File) -> list[str]:
    """Where the file's masks lie: one, but for a file of several frames."""
    if _is_volume(file):
        return [f"{file.input.name}{formats.suffix_of(file.input.path)}"]
    return [f"{name}.png" for name in _pictures(file)]


def _pictures(file: File) -> list[str]:
    """One name, or a folder with one for each frame: no other image can be named like it."""
    if file.slices is None:
        return [file.input.name]
    digits = len(str(file.slices - 1))
    return [f"{file.input.image}/{index:0{digits}d}" for index in range(file.slices)]


def overlay_names(file: File) -> list[str]:
    """Where pictures of the file's masks lie, one a picture."""
    if file.slices is None:
        return [f"overlays/{file.input.name}.png"]
    digits = len(str(file.slices - 1))
    return [f"overlays/{file.input.image}/{i:0{digits}d}.png" for i in range(file.slices)]


def _probabilities(file: File, wanted: Wanted) -> list[str]:
    top = "probabilities"
    if _is_volume(file):
        return [f"{top}/{file.input.name}{formats.suffix_of(file.input.path)}"]
    if wanted.probabilities == "npy":
        return [f"{top}/{name}.npy" for name in _pictures(file)]
    if len(wanted.classes) == 1:
        return [f"{top}/{name}.png" for name in _pictures(file)]
    outputs = ["background", *map(file_name, wanted.classes)]
    return [f"{top}/{output}/{name}.png" for name in _pictures(file) for output in outputs]


def _write_probabilities(
    file: File, probs: Sequence[NDArray[np.float32]], wanted: Wanted, paths: dict[str, Path]
) -> None:
    names = _probabilities(file, wanted)
    if _is_volume(file):
        each = [_volume(file, [p[k] for p in probs]) for k in range(len(probs[0]))]
        _write_nifti(file, each[0] if len(each) == 1 else np.stack(each, axis=-1), paths[names[0]])
    elif wanted.probabilities == "npy":
        for name, one in zip(names, probs, strict=True):
            with paths[name].open("wb") as handle:
                np.save(handle, one)
    else:
        planes = [plane for one in probs for plane in one]
        for name, plane in zip(names, planes, strict=True):
            deep = np.rint(plane * np.float32(65535)).astype(np.uint16)
            done, data = cv2.imencode(".png", deep)
            if not done:
                raise DataError(name, "its probabilities cannot be made a PNG", "use npy")
            paths[name].write_bytes(data.tobytes())


def _volume(file: File, pictures: Sequence[NDArray]) -> NDArray:
    """(H, W) slices put back where `seg.data.formats.nifti` cut them: (X, Y, Z)."""
    return np.stack([p.T for p in pictures], axis=2 if file.slices is None else file.axis)


def _write_nifti(file: File, values: NDArray, path: Path) -> None:
    """values: (X, Y, Z), or with classes last; written with the image's header and place."""
    nibabel = import_reader("nibabel", file.input.path)
    image = nibabel.load(file.input.path)
    if values.ndim == 3:
        values = values.reshape(image.shape)  # further axes of one
    header = image.header.copy()
    header.set_data_dtype(values.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = 0, 0  # they were of the image's values
    made = type(image)(values, image.affine, header)
    made.header.set_xyzt_units(*image.header.get_xyzt_units())
    nibabel.save(made, path)


def read_back(file: File, path: Path, plane: Plane | None, wanted: Wanted) -> NDArray[np.uint8]:
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
    values = values.astype(np.uint8)
    if wanted.values != 255:
        return values
    count = len(wanted.classes)
    table = np.zeros(256, dtype=np.uint8)
    table[[k * 255 // count for k in range(count + 1)]] = np.arange(count + 1)
    return table[values]
