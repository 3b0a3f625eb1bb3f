"""Cases read, predicted and handed on in order, at their own size and spacing."""

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from seg.data.errors import DataErrors
from seg.data.preprocess import Preprocessing
from seg.data.sources.folder import Folder
from seg.evaluation.cases import Case
from seg.evaluation.stream import PredictedCase, stream

SHAPE = Preprocessing(size=(8, 8), channels=3, classes={"a": 255}, ignore_value=None)


def brightness(image: NDArray) -> NDArray[np.float32]:
    return (image.mean(2) / 255)[None].astype(np.float32)


PREDICTOR = SimpleNamespace(probabilities=brightness)


def predictions(root: Path, **more) -> list[PredictedCase]:
    cases = [Case(pair, pair.group) for pair in Folder(root=str(root)).pairs()]
    return list(stream(cases, PREDICTOR, more.pop("shape", SHAPE), **more))


@pytest.mark.parametrize("count", [1, 3, 50])
def test_every_case_comes_in_order_at_its_own_size(folder: Path, count: int) -> None:
    predicted = predictions(folder, count=count)
    assert [s.case.pair.case for s in predicted] == [f"images/case_{i}.png" for i in range(12)]
    for s in predicted:
        image = np.array(Image.open(s.case.pair.image))
        np.testing.assert_array_equal(s.image, image)
        np.testing.assert_array_equal(
            s.reference, np.array(Image.open(s.case.pair.mask_paths[0])) // 255
        )
        np.testing.assert_array_equal(s.probs, brightness(image))
        assert (s.spacing, s.in_mm) == ((1.0, 1.0), False)


def test_a_case_is_resized_while_the_one_before_is_with_the_network(folder: Path) -> None:
    both = threading.Barrier(2, timeout=20)

    def probabilities(image: NDArray) -> NDArray[np.float32]:
        both.wait()  # for another thread that predicts: breaks where there is none
        return brightness(image)

    cases = [Case(pair, pair.group) for pair in Folder(root=str(folder)).pairs()]
    predictor = SimpleNamespace(probabilities=probabilities)
    assert [p.case for p in stream(cases, predictor, SHAPE)] == cases


def test_indices_are_turned_into_the_networks(folder: Path) -> None:
    table = np.arange(256, dtype=np.uint8)
    table[1] = 2
    assert set(
        np.unique(np.stack([s.reference for s in predictions(folder, index_map=table)]))
    ) == {0, 2}


def test_all_files_that_cannot_be_used_are_named(folder: Path) -> None:
    for i in (3, 9):
        (folder / "images" / f"case_{i}.png").write_bytes(b"no image")
    with pytest.raises(DataErrors) as caught:
        predictions(folder)
    assert [Path(m.split(":")[0]).stem for m in caught.value.messages] == ["case_3", "case_9"]


def test_slices_of_a_volume_come_with_their_spacing(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).integers(0, 255, (6, 5, 3)).astype(np.uint8)
    for part, array in (("images", values), ("masks", (values > 128).astype(np.uint8))):
        (tmp_path / part).mkdir()
        volume = nibabel.Nifti1Image(array, np.diag([2.0, 0.5, 7.0, 1.0]))
        nibabel.save(volume, tmp_path / part / "a.nii.gz")
    shape = Preprocessing(
        size=(8, 8), channels=1, classes={"a": 1}, ignore_value=None, window=(0.0, 255.0)
    )
    predicted = predictions(tmp_path, shape=shape)
    assert len(predicted) == 3
    rows, columns = predicted[0].reference.shape
    expected = (2.0, 0.5) if (rows, columns) == (6, 5) else (0.5, 2.0)
    assert all(s.spacing == expected and s.in_mm for s in predicted)


def test_an_empty_list_is_no_error() -> None:
    assert list(stream([], PREDICTOR, SHAPE)) == []
