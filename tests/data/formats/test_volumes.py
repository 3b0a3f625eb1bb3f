"""NIfTI and DICOM alike: pictures and slices, names, patients, and what is refused."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from seg.data.errors import DataError
from seg.data.formats import is_image, patient_of, read_header, slice_count, stem_of
from seg.data.images import read_image, read_mask
from seg.data.matching import Matching
from seg.data.pairs import image_files

from .written import (
    BYTES,
    LABELS,
    LARGE,
    VOLUME,
    cut,
    flip_in_gz,
    group,
    pydicom,
    write_dicom,
    write_nifti,
)


def test_a_picture_has_no_slices_and_ignores_the_plane(tmp_path):
    Image.fromarray(BYTES).save(tmp_path / "a.png")
    write_dicom(tmp_path / "a.dcm")
    write_nifti(tmp_path / "a.nii", BYTES.T)
    write_nifti(tmp_path / "b.nii", BYTES.T[..., None])
    for name in ("a.png", "a.dcm", "a.nii", "b.nii"):
        assert slice_count(tmp_path / name, 2) is None
        for plane in (None, (2, 5)):
            assert np.array_equal(read_mask(tmp_path / name, plane=plane)[0], BYTES)
            assert read_header(tmp_path / name, plane)[:3] == (5, 6, 1)
            assert np.array_equal(
                read_image(tmp_path / name, channels=1, plane=plane)[..., 0], BYTES
            )


def test_pictures_state_no_spacing(tmp_path):
    Image.fromarray(BYTES).save(tmp_path / "a.png", dpi=(300, 300))
    assert read_header(tmp_path / "a.png").spacing is None


def _rgb_nifti(path):
    rgb = np.zeros((5, 6, 7), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    write_nifti(path, rgb)


JPEG_LOSSLESS = pydicom.uid.JPEGLosslessSV1
SEG, CONTOURS = pydicom.uid.SegmentationStorage, pydicom.uid.RTStructureSetStorage
REFUSED = {
    "text nifti": ("a.nii", lambda p: p.write_text("hello " * 99), "not a NIfTI file"),
    "text compressed nifti": ("a.nii.gz", lambda p: p.write_text("hello " * 99), "not a NIfTI"),
    "cut nifti": ("a.nii", lambda p: cut(write_nifti(p, LARGE), 0.8), "damaged"),
    "cut nifti header": ("a.nii", lambda p: cut(write_nifti(p, VOLUME), 0.2), "header is cut"),
    "cut compressed nifti": (
        "a.nii.gz",
        lambda p: cut(write_nifti(p, LARGE), 0.8),
        "damaged",
    ),
    "cut start of a compressed nifti": (
        "a.nii.gz",
        lambda p: cut(write_nifti(p, LARGE), 0.002),
        "header is cut",
    ),
    "flipped bit in a compressed nifti": ("a.nii.gz", flip_in_gz, "damaged"),
    "empty nifti": ("a.nii.gz", lambda p: p.write_bytes(b""), "empty file"),
    "missing nifti": ("a.nii", lambda p: None, "no such file"),
    "folder of that name": ("a.nii", lambda p: p.mkdir(), "a directory"),
    "four dimensions": (
        "a.nii",
        lambda p: write_nifti(p, np.zeros((5, 6, 7, 2), np.uint8)),
        "2 channels",
    ),
    "colour nifti": ("a.nii", _rgb_nifti, "colours or complex"),
    "complex nifti": ("a.nii", lambda p: write_nifti(p, VOLUME.astype("c8")), "colours or complex"),
    "flat nifti": ("a.nii", lambda p: write_nifti(p, np.zeros(9, np.uint8)), r"shape \(9,\)"),
    "text dicom": ("a.dcm", lambda p: p.write_text("hello " * 99), "not a DICOM file, begins b'he"),
    "short text dicom": ("a.dcm", lambda p: p.write_text("no"), "not a DICOM file"),
    "cut dicom": ("a.dcm", lambda p: cut(write_dicom(p), 0.98), "damaged"),
    "cut dicom header": ("a.dcm", lambda p: cut(write_dicom(p), 0.6), "no picture"),
    "dicom without pixels": (
        "a.dcm",
        lambda p: write_dicom(p, PixelData=None),
        "damaged",
    ),
    "segmentation": ("a.dcm", lambda p: write_dicom(p, SOPClassUID=SEG), r"\(SEG\).*; export"),
    "contours": ("a.dcm", lambda p: write_dicom(p, SOPClassUID=CONTOURS, Rows=None), "RTSTRUCT"),
    "report": ("a.dcm", lambda p: write_dicom(p, Rows=None), "no picture .*MR Image Storage"),
    "jpeg lossless dicom": (
        "a.dcm",
        lambda p: write_dicom(p, syntax=JPEG_LOSSLESS),
        "JPEG Lossless.*gdcmconv",
    ),
    "12-bit jpeg dicom": (
        "a.dcm",
        lambda p: write_dicom(p, BYTES.astype(np.uint16), syntax=pydicom.uid.JPEGExtended12Bit),
        "JPEG Extended",
    ),
    "video": (
        "a.dcm",
        lambda p: write_dicom(p, syntax=pydicom.uid.MPEG4HP41),
        "MPEG-4",
    ),
    "unknown colours": (
        "a.dcm",
        lambda p: write_dicom(p, PhotometricInterpretation="CMYK"),
        "CMYK colours",
    ),
    "table of values": (
        "a.dcm",
        lambda p: write_dicom(p, ModalityLUTSequence=group(LUTExplanation="x")),
        "Modality LUT",
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("case", REFUSED)
def test_unusable_file_is_refused_in_one_line_with_reason_and_fix(case, tmp_path):
    name, write, reason = REFUSED[case]
    path = tmp_path / name
    write(path)
    plane = (2, 1)
    for read in (
        lambda: read_image(path, channels=3, plane=plane, window=(0, 9)),
        lambda: read_mask(path, plane=plane),
    ):
        with pytest.raises(DataError, match=reason) as caught:
            read()
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert "; " in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("plane", "reason"),
    [
        (None, "5x6x7"),
        ((3, 0), "axis 3: .*0 or 1 or 2"),
        ((2, 7), "slice 7 along axis 2"),
        ((2, -1), "slice -1"),
    ],
)
def test_a_plane_that_a_volume_has_not_is_refused(plane, reason, tmp_path):
    path = write_nifti(tmp_path / "v.nii", LABELS)
    for read in (
        lambda: read_image(path, channels=1, plane=plane),
        lambda: read_mask(path, plane=plane),
        lambda: read_header(path, plane),
    ):
        with pytest.raises(DataError, match=reason):
            read()


@pytest.mark.parametrize(("name", "module"), [("a.nii", "nibabel"), ("a.dcm", "pydicom")])
def test_without_its_library_a_file_names_the_extra(name, module, tmp_path, monkeypatch):
    path = tmp_path / name
    write_nifti(path, LABELS) if module == "nibabel" else write_dicom(path)
    monkeypatch.setitem(sys.modules, module, None)
    for read in (lambda: read_mask(path), lambda: slice_count(path, 0), lambda: read_header(path)):
        with pytest.raises(ImportError, match=module) as caught:
            read()
        assert str(path) in str(caught.value)
        assert "pip install 'seg-med[medical]'" in str(caught.value)


def test_the_medical_libraries_are_not_imported_for_other_files(tmp_path):
    Image.fromarray(BYTES).save(tmp_path / "a.png")
    code = (
        "import sys; from pathlib import Path; import seg.data.pairs as pairs;"
        f"from seg.data.images import read_mask; read_mask(Path({str(tmp_path / 'a.png')!r}));"
        "print(sorted({'nibabel', 'pydicom'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_patients_are_groups_that_do_not_name_them(tmp_path):
    digest = hashlib.sha256(b"Smith^1").hexdigest()[:10]
    named = write_dicom(tmp_path / "a.dcm", PatientID="Smith^1", StudyInstanceUID="1.2.7")
    other = write_dicom(tmp_path / "b.dcm", PatientID="Smith^1 ", StudyInstanceUID="1.2.8")
    assert patient_of(named) == patient_of(other) == f"patient-{digest}"
    study = write_dicom(tmp_path / "c.dcm", PatientID="", StudyInstanceUID="1.2.7")
    assert patient_of(study) == f"patient-{hashlib.sha256(b'1.2.7').hexdigest()[:10]}"
    assert patient_of(write_dicom(tmp_path / "d.dcm")) is None
    assert patient_of(write_nifti(tmp_path / "d.nii", LABELS)) is None
    Image.fromarray(BYTES).save(tmp_path / "a.png")
    assert patient_of(tmp_path / "a.png") is None


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("vol.nii.gz", "vol"),
        ("Vol.1.NII.GZ", "Vol.1"),
        ("vol.nii", "vol"),
        ("a.b.DCM", "a.b"),
        ("a.dicom", "a"),
        ("a.png", "a"),
    ],
)
def test_medical_files_are_images_and_have_a_stem(name, stem, tmp_path):
    assert is_image(tmp_path / name)
    assert stem_of(tmp_path / name) == stem


def test_other_archives_and_hidden_files_are_no_images(tmp_path):
    for name in ("a.gz", "a.tar.gz", "nii.gz", ".a.nii.gz", ".DS_Store", "dcm", "b.nii.gz"):
        (tmp_path / name).touch()
    (tmp_path / "c.nii.gz").mkdir()
    assert [p.name for p in image_files(tmp_path)] == ["b.nii.gz"]


def test_volumes_are_paired_by_name_over_formats(tmp_path):
    images = [tmp_path / f"p{i}_0000.nii.gz" for i in (1, 2, 10)]
    masks = [tmp_path / "p10.nii", tmp_path / "p2.nii.gz", tmp_path / "p1.png"]
    pairs = Matching(image_suffix="_0000").match(images, {None: masks})
    assert [mask.path.name for _, (mask,) in pairs] == ["p1.png", "p2.nii.gz", "p10.nii"]
