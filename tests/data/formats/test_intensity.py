"""Windows: configured, from the file, or from the percentiles of its values."""

import numpy as np
import pytest

from seg.data.errors import DataError
from seg.data.formats.intensity import ValueRange, to_255
from seg.data.images import read_image

from .written import BYTES, VOLUME, group, nibabel, write_dicom, write_nifti


def _reference(values, low, high):
    return (np.clip(values.astype(float), low, high) - low) / (high - low) * 255


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_slices_of_a_volume_share_its_percentiles(name, tmp_path):
    ramp = (VOLUME // 8 + np.arange(7) * 300).astype(np.int16)  # slices of different greys
    path = write_nifti(tmp_path / name, ramp)
    low, high = np.percentile(nibabel.load(path).get_fdata(), [0.5, 99.5])
    for index in range(7):
        read = read_image(path, channels=1, plane=(2, index), window="percentile")[..., 0]
        np.testing.assert_allclose(
            read, _reference(ramp[:, :, index].T, low, high), rtol=1e-6, atol=1e-5
        )
    assert read.dtype == np.float32


def test_percentiles_of_a_scaled_volume_are_of_its_values(tmp_path):
    stored = write_nifti(tmp_path / "v.nii", VOLUME)
    data = bytearray(stored.read_bytes())
    data[112:120] = np.array([-2, 7], "<f4").tobytes()  # scl_slope, scl_inter
    stored.write_bytes(data)
    values = VOLUME * -2.0 + 7
    assert np.array_equal(nibabel.load(stored).get_fdata(), values)
    low, high = np.percentile(values, [0.5, 99.5])
    read = read_image(stored, channels=1, plane=(1, 2), window="percentile")[..., 0]
    np.testing.assert_allclose(read, _reference(values[:, 2].T, low, high), rtol=1e-6, atol=1e-5)
    with pytest.raises(
        DataError, match=rf"'dataset.window=\[{values.min():g}, {values.max():g}\]'"
    ):
        read_image(stored, channels=1, plane=(1, 2))


def test_frames_of_a_dicom_share_its_percentiles(tmp_path):
    frames = np.abs(np.moveaxis(VOLUME, -1, 0)).astype(np.uint16)
    path = write_dicom(tmp_path / "a.dcm", frames)
    low, high = np.percentile(frames, [0.5, 99.5])
    read = read_image(path, channels=1, plane=(0, 3), window="percentile")[..., 0]
    np.testing.assert_allclose(read, _reference(frames[3], low, high), rtol=1e-6, atol=1e-5)


def test_percentiles_of_a_nearly_empty_file_are_its_extremes():
    values = np.zeros((100, 100), np.int32)
    values[0, :3] = 1, 2, 4
    scaled = to_255(values, "a", window="percentile")
    assert scaled[0, :3].tolist() == [63.75, 127.5, 255]
    assert not to_255(np.full((3, 3), 9.5), "a", window="percentile").any()


def test_extremes_leave_out_what_is_not_finite():
    spread = ValueRange(lambda: np.array([np.nan, -1, 5, np.inf]), slope=-2, intercept=1)
    assert spread.extremes() == (-9, 3)
    assert spread.not_finite() == 2


@pytest.mark.parametrize(
    "values",
    [
        np.array([[-200, -100, 100, 300, 400]], dtype)
        for dtype in (np.int16, np.int32, np.int64, np.float32, np.float64)
    ],
)
def test_a_window_clips_and_scales_any_wide_type(values, tmp_path):
    np.save(tmp_path / "a.npy", values)
    read = read_image(tmp_path / "a.npy", channels=1, window=(-100, 300))
    assert read.dtype == np.float32
    assert read[0, :, 0].tolist() == [0, 0, 127.5, 255, 255]


@pytest.mark.parametrize("window", [None, (3, 4), "percentile"])
def test_eight_bits_and_one_stay_as_they_are(window, tmp_path):
    np.save(tmp_path / "a.npy", BYTES)
    np.save(tmp_path / "b.npy", BYTES > 9)
    assert np.array_equal(read_image(tmp_path / "a.npy", channels=1, window=window)[..., 0], BYTES)
    binary = read_image(tmp_path / "b.npy", channels=1, window=window)[..., 0]
    assert np.array_equal(binary, (BYTES > 9) * np.uint8(255))


def test_a_dark_slice_of_a_float_volume_is_scaled_like_its_neighbours(tmp_path):
    volume = np.zeros((5, 6, 2), np.float32)
    volume[..., 0], volume[0, 0, 1] = 0.5, 200
    path = write_nifti(tmp_path / "v.nii", volume)
    assert (read_image(path, channels=1, plane=(2, 0)) == 0.5).all()


@pytest.mark.parametrize("window", [None, (0, 9), "percentile"])
def test_values_that_are_not_finite_are_counted_and_refused(window, tmp_path):
    values = np.ones((5, 6), np.float32)
    values[0, :2] = np.nan, np.inf
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DataError, match=r"a\.npy: 2 values "):
        read_image(tmp_path / "a.npy", channels=1, window=window)


def test_a_volume_with_nan_in_another_slice_has_no_percentiles(tmp_path):
    volume = VOLUME.astype(np.float32)
    volume[0, :3, 0] = np.nan
    path = write_nifti(tmp_path / "v.nii.gz", volume)
    with pytest.raises(DataError, match="3 values are nan"):
        read_image(path, channels=1, plane=(2, 5), window="percentile")
    read = read_image(path, channels=1, plane=(2, 5), window=(0, 100))[..., 0]
    np.testing.assert_allclose(read, _reference(VOLUME[..., 5].T, 0, 100), rtol=1e-6)


def _wide_dicom(path):
    return write_dicom(path, BYTES.astype(np.uint16) * 100)


@pytest.mark.parametrize(
    ("name", "write", "low", "high"),
    [
        ("a.npy", lambda p: np.save(p, BYTES.astype(np.int16) - 7), -7, 22),
        ("a.npy", lambda p: np.save(p, BYTES * 12.5), 0, 362.5),
        ("a.nii", lambda p: write_nifti(p, BYTES.astype(np.uint16) * 99), 0, 2871),
        ("a.nii.gz", lambda p: write_nifti(p, BYTES.astype(np.int16)), 0, 29),
        ("a.dcm", _wide_dicom, 0, 2900),
        (
            "a.dcm",
            lambda p: write_dicom(p, BYTES * np.uint8(2), RescaleIntercept=-5, RescaleSlope=1),
            -5,
            53,
        ),
        ("a.dcm", lambda p: write_dicom(p, BYTES, BitsStored=6, HighBit=5), 0, 29),
    ],
)
def test_values_of_no_known_range_are_refused_with_their_own(name, write, low, high, tmp_path):
    write(tmp_path / name)
    with pytest.raises(DataError) as caught:
        read_image(tmp_path / name, channels=1)
    fix = f"; 'dataset.window=[{low:g}, {high:g}]' (its own range) or dataset.window=percentile"
    assert str(caught.value).endswith(fix)
    read = read_image(tmp_path / name, channels=1, window=(low, high))
    assert (read.min(), read.max()) == (0, 255)


def test_a_window_must_rise():
    with pytest.raises(ValueError, match=r"dataset.window=\[3, 3\]"):
        to_255(BYTES, "a", window=(3, 3))


@pytest.mark.parametrize(
    ("tags", "low", "high"),
    [
        ({"WindowCenter": 1000, "WindowWidth": 501}, 749.5, 1249.5),
        ({"WindowCenter": [1000, 7], "WindowWidth": [501, 9]}, 749.5, 1249.5),
        (
            {"WindowCenter": 1000, "WindowWidth": 500, "VOILUTFunction": "LINEAR_EXACT"},
            750,
            1250,
        ),
        (
            {
                "WindowCenter": 3,
                "WindowWidth": 3,
                "SharedFunctionalGroupsSequence": group(
                    FrameVOILUTSequence=group(WindowCenter=1000, WindowWidth=501)
                ),
            },
            749.5,
            1249.5,
        ),
    ],
)
def test_a_dicom_is_seen_through_the_window_it_states(tags, low, high, tmp_path):
    values = BYTES.astype(np.uint16) * 100
    path = write_dicom(tmp_path / "a.dcm", values, **tags)
    read = read_image(path, channels=1)[..., 0]
    np.testing.assert_allclose(read, _reference(values, low, high), rtol=1e-6)
    windowed = read_image(path, channels=1, window=(0, 2900))[..., 0]
    np.testing.assert_allclose(windowed, _reference(values, 0, 2900), rtol=1e-6)


@pytest.mark.parametrize(
    "tags",
    [
        {"WindowCenter": 1000, "WindowWidth": 500, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 1000, "WindowWidth": 1},
        {"WindowCenter": 1000},
    ],
)
def test_a_stated_window_that_is_no_straight_line_counts_for_none(tags, tmp_path):
    path = write_dicom(tmp_path / "a.dcm", BYTES.astype(np.uint16), **tags)
    with pytest.raises(DataError, match="dataset.window="):
        read_image(path, channels=1)
