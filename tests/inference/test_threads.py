"""Several images at a time, each with its share of the cores; a single one with all of them."""

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seg.data.preprocess import Preprocessing
from seg.data.sources.folder import Folder
from seg.evaluation.cases import Case
from seg.evaluation.stream import stream
from seg.inference import threads
from seg.inference.exported import ExportedPredictor
from seg.inference.files.pipeline import Pipeline
from seg.inference.predictor import NetworkPredictor
from tests.inference.test_predictor import network, normalize, picture


@pytest.fixture(autouse=True)
def _four_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    threads._pool.cache_clear()
    yield
    threads._pool.cache_clear()
    torch.set_num_threads(before)


class Recorder(nn.Module):
    """A network that notes its threads, and can wait for others at a barrier."""

    def __init__(self, together: int = 1) -> None:
        super().__init__()
        self.barrier = threading.Barrier(together, timeout=20)
        self.threads: list[int] = []
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.barrier.wait()  # breaks where the others do not come
        self.threads.append(torch.get_num_threads())
        self.sizes.append(len(x))
        return x[:, :1]


def predictor_of(model: nn.Module, **more: Any) -> NetworkPredictor:
    return NetworkPredictor(model=model, normalize=nn.Identity(), **({"size": (8, 8)} | more))


@pytest.mark.parametrize("size", [(8, 8), None])
def test_images_of_a_batch_are_computed_at_the_same_time(size: tuple[int, int] | None) -> None:
    model = Recorder(together=4)
    predictor_of(model, size=size).batch([picture(8, 8, i) for i in range(8)])
    assert model.sizes == [1] * 8
    assert model.threads == [1] * 8


def test_in_mixed_precision_a_thread_casts_the_weights_for_several_images() -> None:
    model = Recorder(together=2)
    predictor = predictor_of(model, precision="bf16-mixed")
    assert len(predictor.batch([picture(8, 8 + i, i) for i in range(7)])) == 7
    assert sorted(model.sizes) == [3, 4]


def test_more_threads_than_images_at_a_time_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "AT_ONCE", 2)
    model = Recorder(together=2)
    predictor_of(model).batch([picture(8, 8, i) for i in range(6)])
    assert model.threads == [2] * 6


def test_a_single_image_has_all_threads() -> None:
    model = Recorder()
    predictor_of(model).probabilities(picture(8, 8))
    assert model.threads == [4]


def test_the_threads_of_the_process_stay_as_they_were() -> None:
    predictor_of(Recorder()).batch([picture(8, 8, i) for i in range(4)])
    assert torch.get_num_threads() == 4
    with ThreadPoolExecutor(1) as other:
        assert other.submit(torch.get_num_threads).result() == 4


@pytest.mark.parametrize("outputs", [1, 3])
def test_an_image_does_not_depend_on_its_neighbours(outputs: int) -> None:
    images = [picture(40 + i, 50, i) for i in range(5)]
    predictor = NetworkPredictor(model=network(outputs), normalize=normalize(), size=(32, 32))
    together = predictor.batch(images)
    for image, probs in zip(images, together, strict=True):
        np.testing.assert_array_equal(predictor.batch([image, images[0]])[0], probs)


def test_pictures_of_a_command_are_computed_at_the_same_time() -> None:
    model = Recorder(together=2)
    predictor = predictor_of(model)
    parts = Pipeline(
        size=lambda _: 1,
        read=lambda i: picture(8, 8, i),
        predict=predictor.batch,
        write=lambda i, *_: i,
        batch_size=1,
    )
    assert [i for i, _ in parts.run(range(8))] == list(range(8))
    assert model.threads == [1] * 8


def test_the_only_picture_of_a_command_has_all_threads() -> None:
    model = Recorder()
    parts = Pipeline(
        size=lambda _: 1,
        read=lambda i: picture(8, 8, i),
        predict=predictor_of(model).batch,
        write=lambda i, *_: i,
        batch_size=8,
    )
    assert list(parts.run([3])) == [(3, 3)]
    assert model.threads == [4]


def test_cases_of_an_evaluation_are_computed_at_the_same_time(folder: Path) -> None:
    model = Recorder(together=2)
    cases = [Case(pair, pair.group) for pair in Folder(root=str(folder)).pairs()]
    shape = Preprocessing(size=(8, 8), channels=3, classes={"a": 255}, ignore_value=None)
    assert len(list(stream(cases, predictor_of(model), shape))) == 12
    assert model.threads == [1] * 12


def test_an_exported_file_has_its_share_too() -> None:
    seen, barrier = [], threading.Barrier(4, timeout=20)

    def run(images: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
        if threads.divided(1) or threads.threads() < 4:
            barrier.wait()
        seen.append((len(images), threads.threads()))
        return np.zeros(0, np.uint8), images[..., 0][:, None].astype(np.float32)

    predictor = ExportedPredictor(run)
    images = [picture(6, 7 + i, i) for i in range(4)]  # of any size
    for image, probs in zip(images, predictor.batch(images), strict=True):
        np.testing.assert_array_equal(probs[0], image[..., 0])
    assert seen == [(1, 1)] * 4
    predictor.probabilities(images[0])
    assert seen[4:] == [(1, 4)]


def _child(queue: Any) -> None:
    queue.put(threads.each(lambda i: 2 * i, [1, 2, 3]))


def test_a_forked_process_has_threads_of_its_own() -> None:
    assert threads.each(lambda i: i + 1, [1, 2]) == [2, 3]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_child, args=(queue,), daemon=True)
    process.start()
    assert queue.get(timeout=30) == [2, 4, 6]
    process.join(10)
