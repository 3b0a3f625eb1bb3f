"""DICOM: frames, spacing, place, colours and rescaling."""

import numpy as np
import pytest
from PIL import Image

from seg.data.errors import DataError
from seg.data.formats import read_header, slice_count
from seg.data.images import check_geometry, read_image, read_mask

from .written import BYTES, group, pydicom, write_dicom


def test_slices_of_a_dicom_are_its_frames(tmp_path):
    assert slice_count(write_dicom(tmp_path / "a.dcm"), 2) is None
    frames = write_dicom(tmp_path / "b.dcm", np.stack([BYTES, BYTES + 1, BYTES + 2]))
    assert slice_count(frames, 0) == 3
    assert np.array_equal(read_mask(frames, plane=(0, 2))[0], BYTES + 2)
    with pytest.raises(DataError, match=r"axis 2: .*axis 0; .*dataset\.axis"):
        slice_count(frames, 2)


@pytest.mark.parametrize(
    ("tags", "spacing"),
    [
        ({"PixelSpacing": [0.4, 0.6], "ImagerPixelSpacing": [1, 2]}, (0.4, 0.6)),
        ({"ImagerPixelSpacing": [1, 2]}, (1.0, 2.0)),
        ({}, None),
        (
            {
                "SharedFunctionalGroupsSequence": group(
                    PixelMeasuresSequence=group(PixelSpacing=[0.2, 0.3])
                )
            },
            (0.2, 0.3),
        ),
    ],
)
def test_spacing_of_a_dicom_is_that_of_its_pixels_or_its_detector(tags, spacing, tmp_path):
    assert read_header(write_dicom(tmp_path / "a.dcm", **tags)).spacing == spacing


def test_dicom_pairs_of_other_place_or_other_frames_are_refused(tmp_path):
    place = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [1, 1]}
    image = write_dicom(tmp_path / "i.dcm", ImagePositionPatient=[0, 0, 12], **place)
    for position, agrees in [([0, 0, 12.01], True), ([0, 0, 15], False)]:
        mask = write_dicom(tmp_path / "m.dcm", ImagePositionPatient=position, **place)
        if agrees:
            check_geometry(image, mask)
        else:
            with pytest.raises(DataError, match=r"elsewhere .*m\.dcm"):
                check_geometry(image, mask)
    check_geometry(image, write_dicom(tmp_path / "m.dcm"))  # a mask that states no place
    two, three = (write_dicom(tmp_path / f"{n}.dcm", np.stack([BYTES] * n)) for n in (2, 3))
    with pytest.raises(DataError, match=" 2 frames.* 3 "):
        check_geometry(two, three, plane=(0, 0))


def test_an_inverted_dicom_is_no_mask(tmp_path):
    path = write_dicom(tmp_path / "m.dcm", PhotometricInterpretation="MONOCHROME1")
    with pytest.raises(DataError, match="MONOCHROME1.*MONOCHROME2"):
        read_mask(path)


def test_luminance_and_chroma_become_rgb(tmp_path):
    rgb = np.random.default_rng(3).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    ybr = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    tags = {"SamplesPerPixel": 3, "PlanarConfiguration": 0}
    path = tmp_path / "a.dcm"
    write_dicom(path, ybr[..., 0], PixelData=ybr.tobytes(), **tags)
    ds = pydicom.dcmread(path)
    ds.PhotometricInterpretation = "YBR_FULL"
    ds.save_as(path)
    difference = read_image(path, channels=3).astype(int) - rgb
    assert np.abs(difference).max() <= 3  # chroma was rounded


def test_jpeg_dicom_is_lossy_and_reads_as_pillow_decodes_it(tmp_path):
    Image.fromarray(np.kron(BYTES * np.uint8(8), np.ones((8, 8), np.uint8))).save(
        tmp_path / "a.jpg"
    )
    reference = np.asarray(Image.open(tmp_path / "a.jpg"))
    frame = np.frombuffer((tmp_path / "a.jpg").read_bytes(), np.uint8)[None]
    size = {"Rows": 40, "Columns": 48}
    path = write_dicom(tmp_path / "a.dcm", frame, syntax=pydicom.uid.JPEGBaseline8Bit, **size)
    values, lossy = read_mask(path)
    assert lossy
    assert np.array_equal(values, reference)


def test_each_frame_has_its_own_rescaling(tmp_path):
    frames = np.stack([BYTES, BYTES]).astype(np.uint16)
    per_frame = pydicom.Sequence(
        [
            group(PixelValueTransformationSequence=group(RescaleSlope=s, RescaleIntercept=i))[0]
            for s, i in ((1, 0), (10, -7))
        ]
    )
    path = write_dicom(tmp_path / "a.dcm", frames, PerFrameFunctionalGroupsSequence=per_frame)
    assert np.array_equal(read_mask(path, plane=(0, 0))[0], BYTES)
    assert np.array_equal(read_mask(path, plane=(0, 1))[0], BYTES * 10.0 - 7)
    with pytest.raises(DataError, match=r"window=\[-7, 283\]"):
        read_image(path, channels=1, plane=(0, 1))
