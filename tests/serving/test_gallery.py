"""Images that are tried on the page: the masks and figures of seg.predict."""

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.data.errors import DataError
from seg.data.preprocess import Preprocessing
from seg.inference.model import NO_POSTPROCESS, LoadedModel
from seg.inference.resized import ResizedPredictor
from seg.inference.segmentation import mask_of
from seg.serving import pictures
from seg.serving.gallery import Gallery
from tests.inference.small import picture, predictor

SIZE = (32, 32)


class Counting:
    """A predictor that counts what it predicts."""

    def __init__(self, inner) -> None:
        self.inner, self.count = inner, 0

    def probabilities(self, image):
        self.count += 1
        return self.inner.probabilities(image)

    def batch(self, images):
        return [self.probabilities(image) for image in images]


def model(*, classes: list[str], overlap: bool = False) -> LoadedModel:
    outputs = len(classes) + (len(classes) > 1 and not overlap)
    network = predictor(SIZE, outputs=outputs)
    network.overlap = overlap
    resized = ResizedPredictor(network, network_size=SIZE, outputs=outputs)
    return LoadedModel(
        predictor=Counting(resized),
        classes=classes,
        preprocessing=Preprocessing(
            size=SIZE,
            channels=3,
            classes=dict.fromkeys(classes),
            ignore_value=None,
            overlap=overlap,
        ),
        threshold=0.5,
        postprocess=NO_POSTPROCESS,
        mean=[127.0] * 3,
        std=[40.0] * 3,
        members=[Path("network.ckpt")],
    )


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def gallery(**options) -> Gallery:
    return Gallery(model(**options), axis=2, resized=True)


def read_png(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_a_mask_is_made_of_probabilities_that_are_predicted_once(threshold: float | None) -> None:
    image = picture(40, 56)
    with gallery(classes=["polyp"]) as shown:
        [number] = shown.add({"a.png": png(image)})
        entry = shown.entries[number]
        probs = shown.model.predictor.inner.probabilities(image)
        expected = (probs[0] > (0.5 if threshold is None else threshold)).astype(np.uint8)
        for _ in range(2):
            files = shown.masks(entry, threshold)
        assert list(files) == ["a.png"]
        assert np.array_equal(read_png(files["a.png"]), expected)
        row = shown.row(entry, 0, threshold)
        assert row["polyp_pixels"] == expected.sum()
        assert row["polyp_mm2"] is None
        assert shown.model.predictor.count == 1


def test_several_classes_are_outlined_each_and_the_likeliest_is_taken() -> None:
    image = picture(40, 56)
    with gallery(classes=["nucleus", "cell"]) as shown:
        shown.add({"a.png": png(image)})
        _, done = shown.segmentation(shown.entries[0], 0)
        assert np.array_equal(done.mask, mask_of(done.probs, shown.model))
        assert pictures.outlines(done).keys() == set(np.unique(done.mask).tolist()) - {0}


def test_classes_that_share_pixels_have_a_threshold_and_a_file_each() -> None:
    image = picture(40, 56)
    with gallery(classes=["disc", "cup"], overlap=True) as shown:
        shown.add({"a.png": png(image)})
        _, done = shown.segmentation(shown.entries[0], 0)
        files = shown.masks(shown.entries[0], [0.2, 0.7])
        for index, (name, threshold) in enumerate([("disc", 0.2), ("cup", 0.7)]):
            expected = 255 * (done.probs[index] > np.float32(threshold))
            assert np.array_equal(read_png(files[f"a.{name}.png"]), expected)


def test_what_cannot_be_read_is_refused_in_the_words_of_a_prediction_and_others_go_on() -> None:
    with gallery(classes=["polyp"]) as shown:
        good = png(picture(20, 20))
        shown.add(
            {
                "../../bad.png": b"no image",
                "a.png": good,
                "..": b"",
                "t.csv": b"image\n/etc/passwd\n",
            }
        )
        folder = str(shown.folder)
        by_name = {entry.name: entry for entry in shown.entries}
        assert by_name.keys() == {"bad.png", "a.png", "t.csv", "image"}
        assert by_name["t.csv"].error
        with pytest.raises(DataError, match=r"^bad\.png: ") as error:
            shown.segmentation(by_name["bad.png"], 0)
        assert folder not in str(error.value)
        with zipfile.ZipFile(io.BytesIO(shown.archive())) as archive:
            assert sorted(archive.namelist()) == ["a.png", "predictions.csv"]
            table = archive.read("predictions.csv").decode().splitlines()
        assert len(table) == 5
        assert sum("failed: " in line for line in table) == 3


def test_a_volume_is_shown_by_its_slices_and_saved_as_a_volume(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="needs seg-med[medical]")
    values = np.random.default_rng(0).integers(0, 255, (24, 20, 3)).astype(np.float32)
    path = tmp_path / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2, 0.5, 3, 1])), path)
    with gallery(classes=["tumour"]) as shown:
        shown.add({"scan.nii.gz": path.read_bytes()})
        [entry] = shown.entries
        assert len(entry.pictures) == 3
        row = shown.row(entry, 1)
        assert row["image"] == "scan.nii.gz#1"
        assert row["tumour_mm2"] == pytest.approx(row["tumour_pixels"] * 2 * 0.5)
        assert shown.model.predictor.count == 1
        [(name, data)] = shown.masks(entry).items()
        assert name == "scan.nii.gz"
        (tmp_path / "mask.nii.gz").write_bytes(data)
        mask = np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj)
        assert mask.shape == values.shape
        assert np.count_nonzero(mask[..., 1]) == row["tumour_pixels"]


def test_the_files_are_gone_at_the_end() -> None:
    with gallery(classes=["polyp"]) as shown:
        shown.add({"a.png": png(picture(20, 20))})
        shown.row(shown.entries[0], 0)
        folder = shown.folder
        assert any(folder.rglob("a.png"))
    assert not folder.exists()


def test_an_outline_runs_through_the_pixels_at_the_border_of_a_mask() -> None:
    from dataclasses import replace

    with gallery(classes=["polyp"]) as shown:
        shown.add({"a.png": png(picture(20, 20))})
        _, done = shown.segmentation(shown.entries[0], 0)
        mask = np.zeros((20, 20), np.uint8)
        mask[3:6, 7:11] = 1
        path = pictures.outlines(replace(done, mask=mask))[1]
        points = np.array([p.split() for p in path[1:-1].split("L")], float)
        assert points.min(0).tolist() == [7.5, 3.5]
        assert points.max(0).tolist() == [10.5, 5.5]
