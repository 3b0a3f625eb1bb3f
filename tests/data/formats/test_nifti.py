"""NIfTI: which way slices lie, their values, spacing and place."""

from itertools import product

import numpy as np
import pytest
from PIL import Image

from seg.data.errors import DataError
from seg.data.formats import read_header, slice_count
from seg.data.images import check_geometry, read_image, read_mask

from .written import AFFINE, LABELS, VOLUME, nibabel, write_nifti


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_rows_run_along_the_later_axis_and_columns_along_the_earlier(name, kind, tmp_path):
    path = write_nifti(tmp_path / name, LABELS, kind=kind)
    for axis, (index, other) in product(range(3), [(0, 4), (3, 1)]):
        values, _ = read_mask(path, plane=(axis, index))
        for row, column in product(range(values.shape[0]), range(values.shape[1])):
            at = [column, row]
            at.insert(axis, index)
            assert values[row, column] == LABELS[tuple(at)]
        image = read_image(path, channels=1, plane=(axis, other))[..., 0]
        assert np.array_equal(image.T, LABELS.take(other, axis))


def test_values_are_in_the_machine_s_own_byte_order(tmp_path):
    path = tmp_path / "v.nii"
    header = nibabel.Nifti1Header(endianness=">")
    nibabel.Nifti1Image(VOLUME, AFFINE, header, dtype=np.int16).to_filename(path)
    assert path.read_bytes()[352:354] == VOLUME[:1, 0, 0].astype(">i2").tobytes()
    values, _ = read_mask(path, plane=(2, 3))
    assert values.dtype == np.dtype("=i2")
    assert np.array_equal(values, VOLUME[:, :, 3].T)


def test_scaled_values_are_those_of_nibabel(tmp_path):
    values = np.random.default_rng(3).normal(0, 4, (5, 6, 7))
    image = nibabel.Nifti1Image(values, AFFINE)
    image.set_data_dtype(np.int16)  # nibabel chooses slope and intercept
    image.to_filename(tmp_path / "v.nii.gz")
    reference = nibabel.load(tmp_path / "v.nii.gz").get_fdata()
    assert 0 < np.abs(reference - values).max() < 1e-3
    read = read_image(tmp_path / "v.nii.gz", channels=1, plane=(2, 3), window=(-9, 9))[..., 0]
    expected = (np.clip(reference[:, :, 3].T, -9, 9) + 9) / 18 * 255
    np.testing.assert_allclose(read, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "counts"),
    [
        ((5, 6, 7), [5, 6, 7]),
        ((5, 6, 7, 1, 1), [5, 6, 7]),
        ((5, 6, 1), [5, 6, None]),
        ((5, 6), [None, None, None]),
    ],
)
def test_slices_of_a_nifti_are_counted_along_each_axis(shape, counts, tmp_path):
    path = write_nifti(tmp_path / "v.nii.gz", np.zeros(shape, np.uint8))
    assert [slice_count(path, axis) for axis in range(3)] == counts


@pytest.mark.parametrize(("axis", "spacing"), [(0, (3.0, 0.7)), (1, (3.0, 0.5)), (2, (0.7, 0.5))])
@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("micron", 1e-3), (0, 1)])
def test_spacing_of_a_nifti_is_in_mm_of_rows_then_columns(axis, spacing, unit, factor, tmp_path):
    image = nibabel.Nifti1Image(VOLUME, np.diag([0.5, 0.7, 3, 1]))
    image.header.set_xyzt_units(unit)
    image.to_filename(tmp_path / "v.nii")
    header = read_header(tmp_path / "v.nii", (axis, 0))
    np.testing.assert_allclose(header.spacing, np.array(spacing) * factor, rtol=1e-6)
    left = [n for a, n in enumerate(VOLUME.shape) if a != axis]
    assert header[:3] == (left[1], left[0], 1)


MOVED, FLIPPED, TILTED = AFFINE.copy(), AFFINE.copy(), AFFINE.copy()
MOVED[0, 3] += 0.25
FLIPPED[1, 0], FLIPPED[1, 3] = 0.5, 38
TILTED[2, 2] = -3


@pytest.mark.parametrize("affine", [MOVED, FLIPPED, TILTED, np.eye(4)])
def test_a_mask_that_lies_elsewhere_than_its_image_is_refused(affine, tmp_path):
    for shape in (slice(None), slice(1)):  # a volume, and one slice of it
        image = write_nifti(tmp_path / "i.nii.gz", VOLUME[..., shape])
        mask = write_nifti(tmp_path / "m.nii", LABELS[..., shape], affine)
        with pytest.raises(DataError, match=r"elsewhere .*m\.nii"):
            check_geometry(image, mask, plane=(2, 0))


def test_a_mask_of_rounded_affine_lies_where_its_image_does(tmp_path):
    image = write_nifti(tmp_path / "i.nii.gz", VOLUME)
    mask = write_nifti(tmp_path / "m.nii", LABELS, AFFINE + 1e-3)
    for axis in range(3):
        check_geometry(image, mask, plane=(axis, 4))


def test_volumes_of_other_shape_are_refused(tmp_path):
    image = write_nifti(tmp_path / "i.nii.gz", VOLUME)
    mask = write_nifti(tmp_path / "m.nii", LABELS[:, :, :6])
    with pytest.raises(DataError, match=r"i\.nii\.gz: .*5x6x7.*5x6x6 .*m\.nii"):
        check_geometry(image, mask, plane=(2, 0))


def test_the_mask_of_a_slice_may_be_a_picture(tmp_path):
    image = write_nifti(tmp_path / "i.nii.gz", VOLUME)
    mask = tmp_path / "m.png"
    Image.fromarray(np.ascontiguousarray(LABELS[:, :, 3].T)).save(mask)
    check_geometry(image, mask, plane=(2, 3))
    assert np.array_equal(read_mask(mask, plane=(2, 3))[0], LABELS[:, :, 3].T)
    flat = write_nifti(tmp_path / "m.nii", LABELS[:, :, 3])
    check_geometry(image, flat, plane=(2, 3))
    assert np.array_equal(read_mask(flat, plane=(2, 3))[0], LABELS[:, :, 3].T)
    Image.fromarray(LABELS[:, :, 3]).save(mask)
    with pytest.raises(DataError, match="5x6,.*6x5"):
        check_geometry(image, mask, plane=(2, 3))


def test_a_mask_of_fractions_is_refused(tmp_path):
    path = write_nifti(tmp_path / "m.nii", LABELS * 0.5)
    with pytest.raises(DataError, match="fractions"):
        read_mask(path, plane=(2, 0))
