"""Masks and probabilities on disk, read back with other libraries than they were written with."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from seg.data.formats import read_header
from seg.data.images import read_mask
from seg.inference.files.inputs import Input
from seg.inference.files.output import MaskWriter
from seg.inference.files.reading import File

MASK = np.random.default_rng(0).integers(0, 3, (5, 7), dtype=np.uint8)
PROBS = np.random.default_rng(1).dirichlet([1, 1, 1], (5, 7)).astype(np.float32).transpose(2, 0, 1)


def writer(**more) -> MaskWriter:
    return MaskWriter(**{
        "values": "index", "probabilities": None, "overlays": False, "classes": ["a", "b/c"],
        "colours": [(255, 0, 0), (0, 128, 7)], **more,
    })  # fmt: skip


def written(
    folder: Path, how: MaskWriter, image: str = "x.png", *, slices: int | None = None,
    masks: list[NDArray] | None = None, probs: list[NDArray] | None = None, axis: int = 2,
    orientation: int = 1,
) -> dict[str, Path]:  # fmt: skip
    def place(name: str) -> Path:
        (folder / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        return folder / "out" / name

    file = File(Input(folder / image, image, image.partition(".")[0]), axis, slices)
    how.write(file, masks or [MASK], probs or [PROBS], place, orientation=orientation)
    return {name: place(name) for name in how.names(file)}


@pytest.mark.parametrize(("values", "table"), [("index", [0, 1, 2]), (255, [0, 127, 255])])
def test_a_mask_holds_indices_or_values_spread_to_255(
    tmp_path: Path, values: str | int, table: list[int]
) -> None:
    how = writer(values=values)
    (path,) = written(tmp_path, how).values()
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored, np.array(table, np.uint8)[MASK])
    file = File(Input(tmp_path / "x.png", "x.png", "x"), 2, None)
    np.testing.assert_array_equal(how.read_back(file, [path], None), MASK)


def test_a_palette_shows_the_classes_colours_and_holds_their_indices(tmp_path: Path) -> None:
    (path,) = written(tmp_path, writer(values="palette")).values()
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.array(picture), MASK)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 128, 7]], np.uint8)
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], colours[MASK])


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_mask_is_turned_as_its_image_is(tmp_path: Path, orientation: int) -> None:
    (path,) = written(tmp_path, writer(), orientation=orientation).values()
    assert read_header(path)[:3] == (5, 7, orientation)
    np.testing.assert_array_equal(read_mask(path)[0], MASK)


def test_probabilities_are_sixteen_bit_pictures_by_class(tmp_path: Path) -> None:
    result = written(tmp_path, writer(probabilities="png16"))
    del result["x.png"]
    assert list(result) == [f"probabilities/{name}/x.png" for name in ("background", "a", "b_c")]
    for path, plane in zip(result.values(), PROBS, strict=True):
        stored = np.array(Image.open(path))
        assert stored.max() > 255
        np.testing.assert_allclose(stored / 65535, plane, atol=0.51 / 65535)


def test_probabilities_are_an_array(tmp_path: Path) -> None:
    result = written(tmp_path, writer(probabilities="npy"))
    np.testing.assert_array_equal(np.load(result["probabilities/x.npy"]), PROBS)


def test_frames_of_one_file_lie_in_a_folder_of_its_full_name(tmp_path: Path) -> None:
    result = written(tmp_path, writer(), "a.dcm", slices=11, masks=[MASK] * 11, probs=[PROBS] * 11)
    assert list(result) == [f"a.dcm/{i:02d}.png" for i in range(11)]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("kind", ["Nifti1Image", "Nifti2Image"])
def test_a_volume_gets_its_header_back_and_each_slice_its_place(
    tmp_path: Path, axis: int, kind: str
) -> None:
    nibabel = pytest.importorskip("nibabel")
    affine = np.array([[0, 0.7, 0, -90], [-0.5, 0, 0, 40], [0, 0, 3, 12], [0, 0, 0, 1.0]])
    values = np.random.default_rng(2).normal(size=(4, 5, 6)).astype(np.float32)
    image = getattr(nibabel, kind)(values, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"of the scanner"
    nibabel.save(image, tmp_path / "v.nii.gz")
    truth = np.random.default_rng(3).integers(0, 3, (4, 5, 6), dtype=np.uint8)
    masks = [np.take(truth, i, axis).T for i in range(truth.shape[axis])]
    probs = [np.stack([m * 0.25, m * 0.5, m * 0.1]).astype(np.float32) for m in masks]
    result = written(
        tmp_path, writer(probabilities="npy"), "v.nii.gz", slices=len(masks), masks=masks,
        probs=probs, axis=axis,
    )  # fmt: skip
    made = nibabel.load(result["v.nii.gz"])
    assert type(made) is type(image)
    np.testing.assert_array_equal(np.asarray(made.dataobj), truth)
    assert made.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(made.affine, nibabel.load(tmp_path / "v.nii.gz").affine)
    assert bytes(made.header["descrip"]).startswith(b"of the scanner")
    assert made.header.get_xyzt_units() == ("mm", "sec")
    deep = nibabel.load(result["probabilities/v.nii.gz"]).get_fdata()
    np.testing.assert_allclose(deep, np.stack([truth * 0.25, truth * 0.5, truth * 0.1], -1))


def test_a_class_that_no_file_can_be_called_gets_a_name_that_one_can() -> None:
    classes = ["b/c", "../x", "größe 2", "//"]
    file = File(Input(Path("x.png"), "x.png", "x"), 2, None)
    names = writer(classes=classes, probabilities="png16").names(file)[1:]
    assert [name.split("/")[1] for name in names] == [
        "background", "b_c", "x", "größe_2", "class",
    ]  # fmt: skip
    assert all(name.count("/") == 2 for name in names)


@pytest.mark.parametrize(("values", "high"), [("index", 1), (255, 255)])
def test_a_volume_of_classes_that_share_pixels_is_a_volume_of_each(
    tmp_path: Path, values: str | int, high: int
) -> None:
    nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
    volume = np.random.default_rng(0).integers(0, 2, (2, 7, 5, 3), dtype=np.uint8)
    nibabel.save(nibabel.Nifti1Image(volume[0], np.diag([2, 3, 4, 1])), tmp_path / "v.nii.gz")
    masks = [volume[..., z].transpose(0, 2, 1) for z in range(3)]  # (K, H, W) of each slice
    how = writer(overlap=True, values=values)
    result = written(tmp_path, how, "v.nii.gz", slices=3, masks=masks)
    assert list(result) == ["v.a.nii.gz", "v.b_c.nii.gz"]
    for path, own in zip(result.values(), volume, strict=True):
        np.testing.assert_array_equal(nibabel.load(path).dataobj, high * own)
    file = File(Input(tmp_path / "v.nii.gz", "v.nii.gz", "v"), 2, 3)
    back = how.read_back(file, list(result.values()), (2, 1))
    np.testing.assert_array_equal(back, masks[1])
    assert how.masks_of(file, 1) == {"mask_a": "v.a.nii.gz", "mask_b/c": "v.b_c.nii.gz"}
