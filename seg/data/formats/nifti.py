"""NIfTI: slices of a volume as they are stored, `.nii` and `.nii.gz`.

A fourth axis has the channels of each voxel, such as the sequences of an examination.

A slice along `axis` is the stored array at that index, transposed: its rows run along the later of
the other two axes, its columns along the earlier. Along axis 2 these are y and x, as in the DICOM
pictures from which an ITK program (3D Slicer, SimpleITK) made the volume. The affine turns and
flips nothing, so that `volume[:, :, index] = picture.T` puts a picture back.
"""

import gzip
from pathlib import Path
from threading import Lock

import numpy as np

from seg.data.errors import DataError, data_errors
from seg.data.formats.intensity import ValueRange
from seg.data.formats.pictures import Header, Pixels, Plane
from seg.data.formats.volume_cache import VolumeCache, check_plane, import_reader, positions_differ

_TO_MM = {"meter": 1000.0, "micron": 0.001}


class _Volume:
    """An open NIfTI file, its array read at first use.

    The array is mapped from a `.nii`; from a `.nii.gz` it is decompressed as a whole and kept.
    shape: (X, Y, Z). channels: of each voxel. zooms: mm. affine: (4, 4), voxel to mm.
    """

    def __init__(self, path: Path) -> None:
        nibabel = import_reader("nibabel", path)
        try:
            image = nibabel.load(path)
        except nibabel.filebasedimages.ImageFileError as error:
            fix = "copy or download it again, or take it out"
            raise DataError(path, "not a NIfTI file, or its header is cut off", fix) from error
        shape = tuple(image.shape)
        if len(shape) < 2 or 0 in shape:
            raise DataError(path, f"array of shape {shape}", "save a volume (X, Y, Z)")
        channels = [n for n in shape[3:] if n > 1]
        if len(channels) > 1:
            fix = "save (X, Y, Z), or (X, Y, Z, C) with C channels"
            raise DataError(path, f"{len(shape)} dimensions {shape}", fix)
        if image.get_data_dtype().kind not in "iuf":
            fix = "save one number for each voxel (grey values, or the magnitude)"
            raise DataError(path, f"colours or complex numbers ({image.get_data_dtype()})", fix)
        self.path = path
        self.shape = (*shape, 1)[:3]
        self.channels = channels[0] if channels else 1
        self._is_flat = len(shape) == 2
        self.affine = image.affine
        to_mm = _TO_MM.get(image.header.get_xyzt_units()[0], 1.0)
        self.zooms = (*(float(z) * to_mm for z in image.header.get_zooms()), 0.0)[:3]
        self.nbytes = 0
        self._kind = type(image)
        self._slope, self._intercept = image.dataobj.slope, image.dataobj.inter
        self.value_range = ValueRange(self._array, slope=self._slope, intercept=self._intercept)
        self._lock = Lock()
        self._stored: np.ndarray | None = None
        self._error: DataError | None = None

    def is_picture(self, axis: int) -> bool:
        """Whether there are no slices along `axis`; one slice along the last axis is a picture."""
        return self._is_flat or (axis == 2 and self.shape[2] == 1)

    def slice(self, plane: Plane) -> np.ndarray:
        """A copy (H, W) or (H, W, C): stored numbers, or float64 where the header scales them."""
        axis, index = plane
        values = self._array()[(slice(None),) * axis + (index,)].swapaxes(0, 1)
        if (self._slope, self._intercept) != (1, 0):
            return values.astype(np.float64) * self._slope + self._intercept
        return np.array(values, dtype=values.dtype.newbyteorder("="))

    def _array(self) -> np.ndarray:  # (X, Y, Z) or (X, Y, Z, C)
        with self._lock:
            if self._error is not None:  # a damaged file is not decompressed again for every slice
                raise self._error
            if self._stored is None:
                try:
                    with data_errors(self.path):
                        shape = self.shape if self.channels == 1 else (*self.shape, self.channels)
                        self._stored = self._read().reshape(shape, order="F")
                except DataError as error:
                    self._error = error
                    raise
            return self._stored

    def _read(self) -> np.ndarray:
        if not self.path.name.lower().endswith(".gz"):
            return np.asarray(self._kind.from_filename(self.path).dataobj.get_unscaled())
        with gzip.open(self.path) as stream:
            stored = self._kind.from_stream(stream).dataobj.get_unscaled()
            while stream.read(2**20):  # to the end, where the checksum is
                pass
        self.nbytes = stored.nbytes
        return stored


_volumes = VolumeCache(_Volume)


def decode(path: Path, plane: Plane | None) -> Pixels:
    """A slice as stored; whole numbers of no known range."""
    volume = _volumes.get(path)
    values = volume.slice(_plane_of(volume, plane))
    return Pixels(values, value_range=volume.value_range, measured=values.dtype.kind != "f")


def read_header(path: Path, plane: Plane | None) -> Header:
    volume = _volumes.get(path)
    column_axis, row_axis = (a for a in range(3) if a != _plane_of(volume, plane)[0])
    spacing = (volume.zooms[row_axis], volume.zooms[column_axis])
    known = all(np.isfinite(spacing)) and min(spacing) > 0
    return Header(volume.shape[row_axis], volume.shape[column_axis], 1, spacing if known else None)


def slice_count(path: Path, axis: int) -> int | None:
    volume = _volumes.get(path)
    if volume.is_picture(axis):
        return None
    check_plane(path, (axis, 0), volume.shape)
    return volume.shape[axis]


def check_position(image_path: Path, mask_path: Path) -> None:
    """Raise DataError unless both volumes have the same shape and position."""
    image, mask = _volumes.get(image_path), _volumes.get(mask_path)
    if image.is_picture(2) != mask.is_picture(2):
        return  # a volume and a picture of one slice: only the sizes of the slices can be compared
    if image.shape != mask.shape:
        shapes = ["x".join(map(str, v.shape)) for v in (image, mask)]
        reason = f"is {shapes[0]}, the other is {shapes[1]} ({mask_path})"
        raise DataError(image_path, reason, "save both with the same shape")
    if positions_differ(image.affine, mask.affine, image.shape):
        fix = f"resample {mask_path.name} to it, or, if its array fits, save it with image.affine"
        reason = f"lies elsewhere or is turned or flipped against {mask_path}"
        raise DataError(image_path, reason, fix)


def _plane_of(volume: _Volume, plane: Plane | None) -> Plane:
    if volume.is_picture(2 if plane is None else plane[0]):
        return 2, 0
    return check_plane(volume.path, plane, volume.shape)
