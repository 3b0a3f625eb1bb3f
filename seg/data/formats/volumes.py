"""Files of the `medical` extra, NIfTI and DICOM: which they are, their slices, their patients."""

from pathlib import Path

from seg.data.formats import dicom, nifti
from seg.data.formats.decoding import Header, Pixels, guard
from seg.data.formats.volume_cache import Plane

NIFTI_SUFFIXES = frozenset({".nii", ".nii.gz"})
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})


def suffix_of(path: Path) -> str:
    """In lower case; `.nii.gz` is one suffix."""
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


def stem_of(path: Path) -> str:
    """The name without its suffix: `vol.nii.gz` is `vol`."""
    suffix = suffix_of(path)
    return path.name[: -len(suffix)] if suffix else path.name


def is_medical(path: Path) -> bool:
    return suffix_of(path) in NIFTI_SUFFIXES | DICOM_SUFFIXES


def slice_count(path: Path, axis: int) -> int | None:
    """How many slices a volume has along `axis`, by its header; None if the file is one picture.

    A NIfTI volume has the axes 0 to 2; of one slice along axis 2 it is a picture. A DICOM file of
    several frames has axis 0 alone, its frames. Raises DataError, also for an axis that is not
    there.
    """
    if not is_medical(path):
        return None
    with guard(path):
        return _format(path).slice_count(path, axis)


def patient_of(path: Path) -> str | None:
    """The group that keeps the files of one DICOM patient together; None for other formats.

    `patient-` and ten hex digits of the hash of PatientID, or of StudyInstanceUID where that is
    empty: what is written into the records of a run does not name a patient. None if both are.
    """
    if suffix_of(path) not in DICOM_SUFFIXES:
        return None
    with guard(path):
        return dicom.patient_of(path)


def decode(path: Path, plane: Plane | None) -> Pixels:
    """`plane` of the file, or the file itself if it is one picture, as stored."""
    with guard(path):
        return _format(path).decode(path, plane)


def read_header(path: Path, plane: Plane | None) -> Header:
    with guard(path):
        return _format(path).read_header(path, plane)


def check_alike(image_path: Path, mask_path: Path) -> None:
    """Raise `DataError` where two files of one format say that they lie at different places."""
    if _format(image_path) is _format(mask_path):
        with guard(image_path):
            _format(image_path).check_alike(image_path, mask_path)


def _format(path: Path):  # noqa: ANN202 - a module
    return nifti if suffix_of(path) in NIFTI_SUFFIXES else dicom
