"""Shared by all tests: small data sets, and where the real samples lie."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import seg  # noqa: F401 - before a test imports torchmetrics, see seg/broken_torchvision.py
from tests.pictures import no_pictures

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

# Small enough for seconds, large enough to be a whole run.
TINY = [
    "dataset.patients=8",
    "dataset.frames=2",
    "dataset.size=48",
    "dataset.image_size=32",
    "model.width=4",
    "model.depth=2",
    "trainer.max_epochs=2",
]


def pytest_configure() -> None:
    # a shell starts background commands with SIGINT ignored, which their children would inherit
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


@pytest.fixture(scope="module")
def without_pictures() -> Iterator[None]:
    """For tests that look at other things."""
    with no_pictures():
        yield


@pytest.fixture
def tiny() -> list[str]:
    return list(TINY)


@pytest.fixture(scope="session")
def real() -> Path:
    """The real samples; a test that needs them is skipped where they are not."""
    if not SHARED.is_dir():
        pytest.skip(f"the real samples are not at {SHARED}")
    return SHARED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """images/ and masks/ of 12 PNG pairs, 40x48, a bright disc on noise; 0/255 masks."""
    root = tmp_path / "set"
    write_folder(root, count=12)
    return root


@pytest.fixture(scope="session", name="write_folder")
def _write_folder() -> Callable:
    return write_folder


def write_folder(root: Path, *, count: int, size: tuple[int, int] = (40, 48)) -> None:
    """Pairs case_<i>.png; every fourth mask is empty."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for i in range(count):
        image = rng.integers(0, 90, (*size, 3), dtype=np.uint8)
        mask = np.zeros(size, np.uint8)
        if i % 4:
            centre = (int(rng.integers(14, size[1] - 14)), int(rng.integers(14, size[0] - 14)))
            cv2.circle(mask, centre, int(rng.integers(6, 12)), 255, -1)
        image[mask > 0] += 120
        cv2.imwrite(str(root / "images" / f"case_{i}.png"), image)
        cv2.imwrite(str(root / "masks" / f"case_{i}.png"), mask)
