"""Images of a COCO file: their classes, masks, negatives, splits, and every fault."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.data.errors import DataError
from seg.data.pairs import PairingErrors
from seg.data.preprocess import Preprocessing, read_pair
from seg.data.sources.coco import CocoImages

RECT = [1, 1, 5, 1, 5, 4, 1, 4]  # 12 pixels
RUNS = {"size": [6, 8], "counts": [12, 6, 30]}  # the third column


def item(image: int, category: int, segmentation: object, **more: object) -> dict:
    return {
        "id": 1,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
    } | more


def build(root: Path, annotations: list[dict], *, name: str = "c.json", folder: str = "") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / folder).mkdir(parents=True, exist_ok=True)
    images = []
    for number in (1, 2, 3):
        cv2.imwrite(str(root / folder / f"{number}.png"), np.full((6, 8), number, np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "height": 6, "width": 8})
    categories = [{"id": 5, "name": "nucleus"}, {"id": 2, "name": "cell"}]
    content = {"images": images, "categories": categories, "annotations": annotations}
    (root / name).write_text(json.dumps(content))
    return root


def masks_of(source: CocoImages, *, overlap: bool = False) -> list[np.ndarray]:
    pre = Preprocessing((6, 8), 1, source.classes, None, overlap=overlap)
    return [read_pair(pair, pre)[1] for pair in source.pairs()]


def test_polygons_and_runs_become_classes_by_their_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "seg")
    logging.getLogger("seg").propagate = True
    root = build(
        tmp_path, [item(1, 2, [RECT]), item(2, 5, RUNS), item(2, 2, [[6, 0, 8, 0, 8, 6, 6, 6]])]
    )
    source = CocoImages(root=str(root), annotations="c.json")
    assert list(source.classes) == ["nucleus", "cell"]
    first, second, third = masks_of(source)
    assert (np.unique(first).tolist(), np.count_nonzero(first == 2)) == ([0, 2], 12)
    assert (second[:, 2] == 1).all()
    assert (second[:, 6:] == 2).all()
    assert np.count_nonzero(second) == 18
    assert not third.any()
    assert "1 of 3 images have no mask" in caplog.text
    assert "nucleus, cell" in caplog.text


def test_a_later_class_covers_an_earlier_one_unless_classes_may_overlap(tmp_path: Path) -> None:
    root = build(tmp_path, [item(1, 2, [RECT]), item(1, 5, RUNS, iscrowd=1)])
    source = CocoImages(root=str(root), annotations="c.json")
    mask = masks_of(source)[0]
    assert [np.count_nonzero(mask == k) for k in (1, 2)] == [6, 9]
    planes = masks_of(source, overlap=True)[0]
    assert planes.shape == (6, 8, 2)
    assert planes.sum(axis=(0, 1)).tolist() == [6, 12]


def test_classes_select_and_order_the_categories(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "seg")
    logging.getLogger("seg").propagate = True
    root = build(tmp_path, [item(1, 2, [RECT]), item(2, 5, RUNS)])
    for classes in (["cell"], {"cell": 9}, {"cell": None}):
        source = CocoImages(root=str(root), annotations="c.json", classes=classes)
        assert [np.unique(mask).tolist() for mask in masks_of(source)] == [[0, 1], [0], [0]]
    assert "leaves out: nucleus" in caplog.text
    turned = CocoImages(root=str(root), annotations="c.json", classes=["cell", "nucleus"])
    assert [mask.max() for mask in masks_of(turned)] == [1, 2, 0]
    with pytest.raises(DataError, match=r"no class cel .*nucleus, cell"):
        CocoImages(root=str(root), annotations="c.json", classes=["cel"])


def test_a_file_for_each_split(tmp_path: Path) -> None:
    for split in ("train", "val"):
        build(tmp_path, [item(1, 2, [RECT])], name=f"{split}.json", folder=split)
    source = CocoImages(
        root=str(tmp_path),
        annotations={"train": "train.json", "val": "val.json"},
        image_dir={"train": "train", "val": "val"},
        group=r"/(\d)",
    )
    assert [(p.case, p.split, p.group) for p in source.pairs()] == [
        (f"{split}/{n}.png", split, str(n)) for split in ("train", "val") for n in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    "keys",
    [
        {"annotations": {"training": "a.json"}},
        {"annotations": {"train": "a.json", "val": "b.json"}, "image_dir": {"train": "a"}},
        {"annotations": "a.json", "image_dir": {"train": "a"}},
    ],
)
def test_splits_that_do_not_fit_are_refused_with_their_key(tmp_path: Path, keys: dict) -> None:
    with pytest.raises(ValueError, match=r"dataset\.(annotations|image_dir) is of train"):
        CocoImages(root=str(tmp_path), **keys)


def test_windows_paths_and_excluded_images(tmp_path: Path) -> None:
    root = build(tmp_path, [item(1, 2, [RECT])], folder="a/b")
    text = (root / "c.json").read_text()
    for number in (1, 2, 3):
        text = text.replace(f'"{number}.png"', f'"b\\\\{number}.png"')
    (root / "c.json").write_text(text)
    source = CocoImages(root=str(root), annotations="c.json", image_dir="a", exclude="*/3.png")
    assert [p.case for p in source.pairs()] == ["a/b/1.png", "a/b/2.png"]


def test_missing_files_are_said_with_their_keys(tmp_path: Path) -> None:
    root = build(tmp_path, [item(1, 2, [RECT])], folder="a")
    with pytest.raises(FileNotFoundError, match=r"none of its 3 images.*dataset\.image_dir"):
        CocoImages(root=str(root), annotations="c.json").pairs()
    with pytest.raises(FileNotFoundError, match=r"dataset\.annotations=.*x\.json"):
        CocoImages(root=str(root), annotations="x.json").pairs()


def test_annotations_of_nothing_and_of_another_size_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    root = build(tmp_path, [item(1, 2, [RECT]), item(99, 2, [RECT]), item(1, 99, [RECT])])
    source = CocoImages(root=str(root), annotations="c.json")
    pair = source.pairs()[0]
    assert "2 annotations are of no image or category" in caplog.text
    cv2.imwrite(str(pair.image), np.zeros((6, 9), np.uint8))
    with pytest.raises(DataError, match=r"9x6, its annotation is 8x6"):
        read_pair(pair, Preprocessing((6, 8), 1, source.classes, None))


def test_a_group_rule_that_does_not_fit_names_its_images(tmp_path: Path) -> None:
    root = build(tmp_path, [item(1, 2, [RECT])])
    source = CocoImages(root=str(root), annotations="c.json", group=r"(p\d)")
    with pytest.raises(PairingErrors) as caught:
        source.pairs()
    assert len(caught.value.messages) == 3


def test_masks_of_two_images_of_one_file_differ_in_their_entry(tmp_path: Path) -> None:
    root = build(tmp_path, [item(1, 2, [RECT]), item(2, 2, RUNS)])
    first, second, _ = CocoImages(root=str(root), annotations="c.json").pairs()
    assert first.mask_paths == second.mask_paths == (root / "c.json",)
    assert replace(first.masks[0], entry=2) == second.masks[0]
