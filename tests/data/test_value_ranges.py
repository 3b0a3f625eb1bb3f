"""Images that are nearly black, white or grey, and the window they need."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from seg.data.images import read_image
from seg.data.pairs import Pair
from seg.data.value_ranges import Finding, bands_of_histograms, bands_of_images, examine
from seg.preparation.audit.facts import CaseFacts, measure_image


def picture(seed: int) -> np.ndarray:
    """(64, 64) in 0-1, both of which it has."""
    noise = np.random.default_rng(seed).random((64, 64)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 1, cv2.NORM_MINMAX)


def stored(kind: str, seed: int) -> np.ndarray:
    grey = picture(seed)
    own = np.random.default_rng(seed).uniform(np.log(40), np.log(4095))
    return {
        "12 bits": (grey * 3900 + 100).astype(np.uint16),
        "own": (grey * np.exp(own)).astype(np.uint16),
        "16 bits": (grey * 65535).astype(np.uint16),
        "middle": (grey * 2000 + 30000).astype(np.uint16),
        "white": (65535 - grey * 1500).astype(np.uint16),
        "8 bits": (grey * 255).astype(np.uint8),
        "8 dark": (grey * 60).astype(np.uint8),
        "8 black": (grey * 15).astype(np.uint8),
        "8 binary": (grey > 0.5).astype(np.uint8),
        "blank": np.zeros((64, 64), np.uint8),
        "16 blank": np.zeros((64, 64), np.uint16),
        "dead pixel": np.where(np.arange(4096).reshape(64, 64) == 7, 65535, grey * 4000).astype(
            np.uint16
        ),
    }[kind]  # fmt: skip


def write(root: Path, kinds: list[str]) -> list[Pair]:
    pairs = []
    for i, kind in enumerate(kinds):
        path = root / f"{i}.png"
        Image.fromarray(stored(kind, i)).save(path)
        pairs.append(Pair(path.name, (path,), (), path.name))
    return pairs


def examined(pairs: list[Pair], window: object = None) -> Finding | None:
    images = [read_image(pair.image, channels=1, window=window) for pair in pairs]
    return examine(list(bands_of_images(pairs, images)), window)


@pytest.mark.parametrize(
    ("kinds", "window"),
    [
        (["12 bits"] * 20, [0, 4095]),
        (["own"] * 20, "percentile"),
        (["middle"] * 20, [30000, 32000]),
        (["8 bits", "12 bits"] * 10, [0, 4095]),
        (["8 bits"] * 18 + ["12 bits"] * 2, [0, 4095]),
        (["16 bits", "12 bits"] * 10, "percentile"),
        (["16 blank"] * 12 + ["12 bits"] * 8, [0, 4095]),
        (["dead pixel"] * 20, [0, 4095]),
    ],
)
def test_a_window_is_proposed_that_shows_the_images(
    kinds: list[str], window: object, tmp_path: Path
) -> None:
    pairs = write(tmp_path, kinds)
    found = examined(pairs)
    if isinstance(window, str):
        assert found.window == window
        chosen = window
    else:
        assert found.window == pytest.approx(window, rel=0.05)
        chosen = tuple(found.window)
    assert examined(pairs, chosen) is None
    deep = [pair for pair, kind in zip(pairs, kinds, strict=True) if kind == "12 bits"]
    for pair in deep:
        assert np.ptp(read_image(pair.image, channels=1, window=chosen)) > 100


def test_nearly_white_images_get_their_own_range(tmp_path: Path) -> None:
    low, high = examined(write(tmp_path, ["white"] * 20)).window
    assert 63900 < low <= 64035
    assert 65535 <= high < 65700


@pytest.mark.parametrize("kinds", [
    ["16 bits"] * 20, ["8 bits"] * 20, ["8 dark"] * 20, ["16 bits"] * 18 + ["12 bits"] * 2,
    ["8 bits"] * 12 + ["8 black"] * 8, ["blank"] * 15 + ["8 bits"] * 5, ["blank"] * 20,
    ["16 blank"] * 15 + ["16 bits"] * 5, [],
])  # fmt: skip
def test_other_sets_are_left_alone(kinds: list[str], tmp_path: Path) -> None:
    assert examined(write(tmp_path, kinds)) is None


@pytest.mark.parametrize("kind", ["8 black", "8 binary"])
def test_black_images_of_8_bits_are_named_without_a_window(kind: str, tmp_path: Path) -> None:
    found = examined(write(tmp_path, [kind] * 15 + ["8 bits"] * 5))
    assert found.window is None  # which would leave 8 bits as they are
    assert "15 of 20" in found.text


def test_a_window_that_does_not_fit_is_named(tmp_path: Path) -> None:
    pairs = write(tmp_path, ["12 bits"] * 20)
    for wrong in ((0, 65535), (0, 255), (10000, 20000)):
        found = examined(pairs, wrong)
        assert found.window == [0, 4095]
        assert str(list(wrong)) in found.text
    assert examined(pairs, (0, 4095)) is None
    assert examined(pairs, "percentile") is None


def test_each_file_of_a_case_is_looked_at(tmp_path: Path) -> None:
    pairs = []
    for i in range(10):
        paths = tmp_path / f"{i}_0.png", tmp_path / f"{i}_1.png"
        for path, kind in zip(paths, ("8 bits", "12 bits"), strict=True):
            Image.fromarray(stored(kind, i)).save(path)
        pairs.append(Pair(paths[0].name, paths, (), str(i)))
    images = [
        np.concatenate([read_image(p, channels=1) for p in pair.images], axis=2) for pair in pairs
    ]
    assert examine(list(bands_of_images(pairs, images)), None).window == [0, 4095]


def test_the_audits_histograms_show_the_same(tmp_path: Path) -> None:
    for kinds in (["12 bits"] * 8, ["own"] * 8, ["16 bits"] * 8, ["8 black"] * 8, ["8 dark"] * 8):
        folder = tmp_path / kinds[0]
        folder.mkdir()
        pairs = write(folder, kinds)
        facts = [CaseFacts(pair) for pair in pairs]
        for f in facts:
            measure_image(f, read_image(f.pair.image, channels=1))
        found = examine(list(bands_of_histograms(pairs, [f.histogram for f in facts])), None)
        expected = examined(pairs)
        assert (found and found.window) == (expected and expected.window)
        assert (found is None) == (expected is None)


@pytest.mark.parametrize("pattern", [
    "lgg/kaggle_3m/*/*[0-9].tif", "lgg_lookalikes/kaggle_3m/*/*[0-9].tif",
    "kvasir_seg_256/images/*", "kvasir_seg_native/images/*", "chase_db1/images/*", "wbc/images/*",
])  # fmt: skip
def test_real_sets_are_left_alone(pattern: str, real: Path) -> None:
    files = sorted(real.glob(pattern))[:150]
    assert files
    pairs = [Pair(path.name, (path,), (), path.name) for path in files]
    for channels in (1, 3):
        images = [read_image(path, channels=channels) for path in files]
        assert examine(list(bands_of_images(pairs, images)), None) is None
