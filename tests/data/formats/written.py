"""NIfTI and DICOM files as their libraries write them, sound and damaged."""

import gzip

import numpy as np
import pytest

nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
pydicom = pytest.importorskip("pydicom", reason="reads DICOM; in the medical extra")

rng = np.random.default_rng(3)
VOLUME = rng.integers(-1024, 3000, (5, 6, 7), dtype=np.int16)
LABELS = rng.integers(0, 3, (5, 6, 7), dtype=np.uint8)
AFFINE = np.array([[0, 0.7, 0, -90], [-0.5, 0, 0, 40], [0, 0, 3, 12], [0, 0, 0, 1.0]])
BYTES = np.arange(30, dtype=np.uint8).reshape(5, 6)
LARGE = np.tile(VOLUME, (9, 9, 2))  # past the first kilobyte, which is read to know the format


def write_nifti(path, array, affine=AFFINE, kind=nibabel.Nifti1Image):
    kind(array, affine).to_filename(path)
    return path


def write_dicom(path, array=BYTES, *, syntax=pydicom.uid.ExplicitVRLittleEndian, **tags):
    """array: (H, W), or (frames, H, W), unsigned."""
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    ds.Rows, ds.Columns = array.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = array.dtype.itemsize * 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    if array.ndim == 3:
        ds.NumberOfFrames = len(array)
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        ds.PixelData = pydicom.encaps.encapsulate([array.tobytes()])
        ds["PixelData"].is_undefined_length = True
    else:
        ds.PixelData = array.tobytes()
    ds["PixelData"].VR = "OW"
    for keyword, value in tags.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    ds.save_as(path, enforce_file_format=True)
    return path


def group(**tags):
    """A DICOM sequence of one item."""
    ds = pydicom.Dataset()
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return pydicom.Sequence([ds])


def cut(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def flip_in_gz(path):
    # Stored, not deflated: only the checksum at the end can tell.
    data = bytearray(nibabel.Nifti1Image(LARGE, AFFINE).to_bytes())
    packed = bytearray(gzip.compress(bytes(data), compresslevel=0))
    packed[len(packed) // 2] ^= 1
    path.write_bytes(packed)
