"""DICOM: the pictures of `.dcm` files in the units of their instrument."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from seg.data.errors import DataError, data_errors
from seg.data.formats.intensity import ValueRange
from seg.data.formats.pictures import Header, Pixels, Plane
from seg.data.formats.volume_cache import VolumeCache, check_plane, import_reader, positions_differ

_SEGMENTATIONS = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a DICOM segmentation (SEG)",
    "1.2.840.10008.5.1.4.1.1.66.7": "a DICOM segmentation (SEG)",
    "1.2.840.10008.5.1.4.1.1.481.3": "contours (RTSTRUCT)",
}
_PHOTOMETRIC = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB"}
_PHOTOMETRIC |= {"YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
# JPEG baseline and extended, JPEG-LS near-lossless, JPEG 2000 and high-throughput JPEG 2000.
_LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91, 93, 203)}
_EXTENDED_JPEG = "1.2.840.10008.1.2.4.51"


class _Dicom:
    """The header of a DICOM file; its pixels are read one frame at a time and not kept.

    frames: 1 for a plain picture. value_range: of all frames together.
    """

    nbytes = 0

    def __init__(self, path: Path) -> None:
        pydicom = import_reader("pydicom", path)
        with path.open("rb") as file:
            start = file.read(132)
        if start[128:] != b"DICM":
            fix = "take it out, or write it as a DICOM file with preamble (dcmconv)"
            raise DataError(path, f"not a DICOM file, begins {start[:12]!r}", fix)
        self.path = path
        self.header = header = pydicom.dcmread(path, stop_before_pixels=True)
        kind = header.get("SOPClassUID")
        if kind in _SEGMENTATIONS:
            fix = "export the masks as NIfTI or PNG, e.g. with 3D Slicer"
            raise DataError(path, f"{_SEGMENTATIONS[kind]}, not a picture", fix)
        if not header.get("Rows") or not header.get("Columns"):
            name = getattr(kind, "name", "unknown")
            raise DataError(path, f"no picture in it, or cut off (kind: {name})", "take it out")
        self.syntax = header.file_meta.get("TransferSyntaxUID")
        self.photometric = str(header.get("PhotometricInterpretation", ""))
        if self.photometric not in _PHOTOMETRIC:
            reason = f"{self.photometric or 'no'} colours"
            raise DataError(path, reason, "save it as MONOCHROME2 or RGB")
        self.frames = int(header.get("NumberOfFrames") or 1)
        self.value_range = ValueRange(lambda: np.stack(list(map(self.values, range(self.frames)))))

    def attribute(self, sequence: str, keyword: str, index: int) -> Any:
        """A frame's attribute: its own, else that of all frames, else that of the file."""
        per_frame = self.header.get("PerFrameFunctionalGroupsSequence") or []
        shared = self.header.get("SharedFunctionalGroupsSequence") or []
        for groups in [*per_frame[index : index + 1], *shared[:1]]:
            group = groups.get(sequence) or []
            if group and group[0].get(keyword) is not None:
                return group[0].get(keyword)
        return self.header.get(keyword)

    def values(self, index: int) -> np.ndarray:
        """A frame (H, W) or (H, W, 3), with rescale slope and intercept applied.

        float64 where these change anything, else uint8 for 8 bits and bool for 1; a palette gives
        uint8 colours.
        """
        with data_errors(self.path):
            values = self._stored(index)
            bits = int(self.header.BitsStored)
            if self.photometric == "PALETTE COLOR":
                pixels = import_reader("pydicom.pixels", self.path)
                colours = pixels.apply_color_lut(values, self.header)
                return colours if colours.dtype == np.uint8 else (colours >> 8).astype(np.uint8)
            if self.header.get("ModalityLUTSequence"):
                fix = "save it with rescale slope and intercept"
                raise DataError(self.path, "values behind a Modality LUT", fix)
            group = "PixelValueTransformationSequence"
            slope = float(self.attribute(group, "RescaleSlope", index) or 1)
            intercept = float(self.attribute(group, "RescaleIntercept", index) or 0)
            if (slope, intercept) != (1, 0):
                return values.astype(np.float64) * slope + intercept
            if values.dtype == np.uint8 and bits < 8:
                return values.astype(bool if bits == 1 else np.uint16)
            return values

    def _stored(self, index: int) -> np.ndarray:
        pixels = import_reader("pydicom.pixels", self.path)
        try:
            decodable = pixels.get_decoder(self.syntax).is_available
        except NotImplementedError:
            decodable = False
        # Pillow would read only 8 bits of a 12-bit extended JPEG.
        if not decodable or (self.syntax == _EXTENDED_JPEG and self.header.BitsStored > 8):
            name = getattr(self.syntax, "name", self.syntax)
            fix = "decompress it: gdcmconv --raw in.dcm out.dcm"
            raise DataError(self.path, f"compressed as {name}", fix)
        return pixels.pixel_array(self.path, index=index)

    def window(self, index: int) -> tuple[float, float] | None:
        """Low and high of the first window that the file states for a frame (PS3.3 C.11.2.1.2).

        None if it states none, or one that is not linear.
        """
        centre, width, shape = (
            self.attribute("FrameVOILUTSequence", keyword, index)
            for keyword in ("WindowCenter", "WindowWidth", "VOILUTFunction")
        )
        if centre is None or width is None:
            return None
        centre, width = (float(np.atleast_1d(x)[0]) for x in (centre, width))
        exact = shape == "LINEAR_EXACT"
        if shape not in (None, "", "LINEAR", "LINEAR_EXACT") or width <= (0 if exact else 1):
            return None
        return centre - width / 2, centre + width / 2 - (0 if exact else 1)

    def affine(self) -> np.ndarray | None:
        """(4, 4), from column, row and depth to mm, where a file of one frame states them."""
        keywords = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
        origin, directions, spacing = (self.header.get(k) for k in keywords)
        if not (origin and directions and spacing):
            return None
        along_row, along_column = np.array(directions, dtype=float).reshape(2, 3)
        affine = np.eye(4)
        affine[:3, 0] = along_row * float(spacing[1])
        affine[:3, 1] = along_column * float(spacing[0])
        affine[:3, 2] = np.cross(along_row, along_column)
        affine[:3, 3] = np.array(origin, dtype=float)
        return affine


_files = VolumeCache(_Dicom)


def decode(path: Path, plane: Plane | None) -> Pixels:
    """Values after rescaling; MONOCHROME1 is marked as inverted, not inverted here."""
    file = _files.get(path)
    index = _frame(file, plane)
    return Pixels(
        file.values(index),
        lossy=file.syntax in _LOSSY,
        value_range=file.value_range if file.frames > 1 else None,
        window=file.window(index),
        measured=True,
        inverted=file.photometric == "MONOCHROME1",
    )


def read_header(path: Path, plane: Plane | None) -> Header:
    file = _files.get(path)
    index = _frame(file, plane)
    spacing = file.attribute("PixelMeasuresSequence", "PixelSpacing", index)
    spacing = spacing or file.header.get("ImagerPixelSpacing") or (0, 0)
    row, column = (float(s) for s in spacing)
    spacing = (row, column) if row > 0 and column > 0 else None
    return Header(int(file.header.Rows), int(file.header.Columns), 1, spacing)


def slice_count(path: Path, axis: int) -> int | None:
    file = _files.get(path)
    if file.frames == 1:
        return None
    check_plane(path, (axis, 0), (file.frames,))
    return file.frames


def check_position(image_path: Path, mask_path: Path) -> None:
    """Raise DataError where the positions that both files state differ, or their frame counts."""
    image, mask = _files.get(image_path), _files.get(mask_path)
    if image.frames > 1 and mask.frames > 1 and image.frames != mask.frames:
        reason = f"has {image.frames} frames, its mask {mask.frames} ({mask_path})"
        raise DataError(image_path, reason, "save a mask for every frame")
    affines = image.affine(), mask.affine()
    if affines[0] is None or affines[1] is None:
        return
    if positions_differ(*affines, (int(image.header.Columns), int(image.header.Rows), 1)):
        reason = f"lies elsewhere or is turned against its mask ({mask_path})"
        raise DataError(image_path, reason, "pair it with the mask of its own slice")


def patient_of(path: Path) -> str | None:
    header = _files.get(path).header
    names = (str(header.get(k) or "").strip() for k in ("PatientID", "StudyInstanceUID"))
    name = next((n for n in names if n), None)
    return name and f"patient-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def _frame(file: _Dicom, plane: Plane | None) -> int:
    return 0 if file.frames == 1 else check_plane(file.path, plane, (file.frames,))[1]
