"""Image and mask files of every format: decoded, their headers, their slices, their patients."""

from pathlib import Path
from types import ModuleType

from seg.data.errors import data_errors
from seg.data.formats import dicom, embedded, nifti, pictures
from seg.data.formats.pictures import Header, Pixels, Plane

NIFTI_SUFFIXES = frozenset({".nii", ".nii.gz"})
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
EMBEDDED_SUFFIX = ".json"
IMAGE_SUFFIXES = pictures.SUFFIXES | NIFTI_SUFFIXES | DICOM_SUFFIXES


def suffix_of(path: Path | str) -> str:
    """Of a file or its name, in lower case; `.nii.gz` is one suffix."""
    name = (path if isinstance(path, str) else path.name).lower()
    dot = name.rfind(".")
    if name.endswith(".nii.gz"):
        return ".nii.gz"
    return name[dot:] if 0 < dot < len(name) - 1 else ""


def stem_of(path: Path) -> str:
    """The name without its suffix: `vol.nii.gz` is `vol`."""
    suffix = suffix_of(path)
    return path.name[: -len(suffix)] if suffix else path.name


def is_image(path: Path | str) -> bool:
    """Whether the name is that of an image or mask file; `.nii.gz` is, another `.gz` is not."""
    return suffix_of(path) in IMAGE_SUFFIXES


def is_picture(path: Path) -> bool:
    """Whether the name is that of a file without slices and patient."""
    return _format(path) in (pictures, embedded)


def slice_count(path: Path, axis: int) -> int | None:
    """How many slices a volume has along `axis`, by its header; None if the file is one picture.

    A NIfTI volume has the axes 0 to 2; with one slice along axis 2 it is a picture. A DICOM file
    of several frames has axis 0 alone, its frames. Raises DataError for any other axis.
    """
    if is_picture(path):
        return None
    with data_errors(path):
        return _format(path).slice_count(path, axis)


def patient_of(path: Path) -> str | None:
    """The group that keeps the files of one DICOM patient together; None for other formats.

    `patient-` and ten hex digits of the hash of PatientID, or of StudyInstanceUID where that is
    empty, so that the files of a run do not name a patient. None if both are empty.
    """
    if suffix_of(path) not in DICOM_SUFFIXES:
        return None
    with data_errors(path):
        return dicom.patient_of(path)


def decode(path: Path, plane: Plane | None = None) -> Pixels:
    """`plane` of a volume, or the whole of a file that is one picture, as stored."""
    with data_errors(path):
        return _format(path).decode(path, plane)


def read_header(path: Path, plane: Plane | None = None) -> Header:
    """Size, orientation and spacing of a file, or of a plane of it, without decoding it."""
    with data_errors(path):
        return _format(path).read_header(path, plane)


def check_position(image_path: Path, mask_path: Path) -> None:
    """Raise DataError for two volumes of one format that differ in shape or position in space."""
    file_format = _format(image_path)
    if file_format in (dicom, nifti) and file_format is _format(mask_path):
        with data_errors(image_path):
            file_format.check_position(image_path, mask_path)


def _format(path: Path) -> ModuleType:
    suffix = suffix_of(path)
    if suffix in NIFTI_SUFFIXES:
        return nifti
    if suffix == EMBEDDED_SUFFIX:
        return embedded
    return dicom if suffix in DICOM_SUFFIXES else pictures
