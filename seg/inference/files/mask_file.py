"""One mask file: a PNG, or a volume that lies where its image's does."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seg.data import formats
from seg.data.formats.volume_cache import Plane, import_reader
from seg.inference.files.reading import File

ORIENTATION = 0x0112  # the number of EXIF's tag
Colour = tuple[int, int, int]  # R, G, B


def is_volume(file: File) -> bool:
    return formats.suffix_of(file.input.path) in formats.NIFTI_SUFFIXES


def png(values: NDArray[np.uint8], *, palette: Sequence[Colour] | None, orientation: int) -> bytes:
    """(H, W) as a grey PNG, or with a palette; background is black.

    It has the EXIF orientation of its image, so that programs that turn the one turn the other.
    """
    if palette is None and orientation == 1:  # half of Pillow's time, which tries all filters
        return cv2.imencode(".png", values)[1].tobytes()
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


def volume(file: File, pictures: Sequence[NDArray]) -> NDArray:
    """(H, W) slices put back where `seg.data.formats.nifti` cut them: (X, Y, Z)."""
    return np.stack([p.T for p in pictures], axis=2 if file.slices is None else file.axis)


def write_nifti(file: File, values: NDArray, path: Path) -> None:
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
    written = type(image)(values, image.affine, header)
    written.header.set_xyzt_units(*image.header.get_xyzt_units())
    nibabel.save(written, path)


def read_values(file: File, path: Path, plane: Plane | None) -> NDArray:
    """What a mask file holds, (H, W), at a slice of a volume."""
    if not is_volume(file):
        with Image.open(path) as picture:
            return np.array(picture)
    nibabel = import_reader("nibabel", path)
    values = np.asarray(nibabel.load(path).dataobj)
    values = values.reshape((*values.shape, 1)[:3])
    axis, index = plane or (2, 0)
    return values[(slice(None),) * axis + (index,)].T
