"""COCO's files: polygons, both kinds of run-length encoding, and what may be wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

from seg.data.annotations import coco
from seg.data.errors import DataError


def encode(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of a mask, column by column, the first one of 0."""
    flat = mask.T.ravel().astype(int)
    ends = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *ends, len(flat)]).tolist()
    return [0, *lengths] if flat[0] else lengths


def compress(lengths: list[int]) -> str:
    """As rleToString of pycocotools' maskApi.c."""
    text = ""
    for i, length in enumerate(lengths):
        value = length - (lengths[i - 2] if i > 2 else 0)
        more = True
        while more:
            code = value & 0x1F
            value >>= 5
            more = value != -1 if code & 0x10 else value != 0
            text += chr((code | 0x20 if more else code) + 48)
    return text


@pytest.mark.parametrize("seed", range(10))
def test_run_lengths_give_the_mask_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(1, 80, 2))
    mask = rng.random(size) < rng.choice([0.02, 0.5, 0.98])
    lengths = encode(mask)
    np.testing.assert_array_equal(coco.decode_rle(lengths, size), mask)
    np.testing.assert_array_equal(coco.decode_rle(compress(lengths), size), mask)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0, 5, "05d00000000d?"), (5, 10, "R45d00000000b;"), (20, 25, "X`05d00000000")],
)
def test_the_texts_of_pycocotools_are_read(low: int, high: int, text: str) -> None:
    """What its `encode` gives for a square in a mask of 25x25."""
    mask = np.zeros((25, 25), bool)
    mask[low:high, low:high] = True
    np.testing.assert_array_equal(coco.decode_rle(text, (25, 25)), mask)


@pytest.mark.parametrize("counts", [[5, 4], [3, -1, 7], "04"])
def test_lengths_that_do_not_fill_the_mask_are_refused(counts: list | str) -> None:
    with pytest.raises(ValueError, match="run lengths"):
        coco.decode_rle(counts, (2, 4))


def content(**changes: object) -> dict:
    return {
        "images": [{"id": 7, "file_name": "a.png", "height": 6, "width": 8}],
        "categories": [{"id": 3, "name": "cell"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[0, 0, 2, 0, 2, 2]]}
        ],
    } | changes


def write(folder: Path, what: object) -> Path:
    path = folder / "c.json"
    path.write_text(what if isinstance(what, str) else json.dumps(what))
    return path


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("{", "damaged"),
        ([], "no COCO file"),
        ({"shapes": []}, "dataset=labelme"),
        (content(categories=[{"id": 1}]), "'name'"),
        (content(images=[{"id": 1}]), "'file_name'"),
        (content(categories=[{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]), "two categories"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, what: object, reason: str) -> None:
    path = write(tmp_path, what)
    with pytest.raises(DataError, match=reason) as caught:
        coco.load(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [([], "box"), (None, "box"), ({"size": [6, 9], "counts": [54]}, "9x6.*8x6"),
     ({"size": [6, 8], "counts": [40]}, "run lengths")],
)  # fmt: skip
def test_an_object_without_usable_outline_is_named(
    tmp_path: Path, segmentation: object, reason: str
) -> None:
    item = {"id": 41, "image_id": 7, "category_id": 3, "segmentation": segmentation}
    of = coco.load(write(tmp_path, content(annotations=[item])))
    with pytest.raises(DataError, match=reason) as caught:
        of.shapes(7, (6, 8))
    assert "run lengths" in reason or "41" in str(caught.value)


def test_a_file_is_parsed_once_and_again_when_it_changed(tmp_path: Path) -> None:
    path = write(tmp_path, content())
    assert coco.load(path) is coco.load(path)
    assert coco.load(path).strays == 0
    write(tmp_path, content(images=[]))
    assert coco.load(path).strays == 1
