"""Images with LabelMe's files: kinds of shapes, where the image is, and every fault."""

import base64
import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from seg.data.errors import DataError
from seg.data.pairs import PairingErrors
from seg.data.preprocess import Preprocessing, read_pair
from seg.data.sources.labelme import LabelMeFolder


def shape(label: str, kind: str | None, *points: tuple[float, float], **more: str) -> dict:
    return {"label": label, "shape_type": kind, "points": points} | more


def write(path: Path, shapes: list[dict], *, embedded: bool = False, **more: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((40, 50), 90, np.uint8)
    data = cv2.imencode(".png", image)[1].tobytes()
    content = {
        "shapes": shapes, "imagePath": f"{path.stem}.png", "imageHeight": 40, "imageWidth": 50,
        "imageData": base64.b64encode(data).decode() if embedded else None,
    } | more  # fmt: skip
    path.write_text(json.dumps(content))
    if not embedded:
        path.with_suffix(".png").write_bytes(data)


def masks_of(source: LabelMeFolder) -> list[np.ndarray]:
    pre = Preprocessing((40, 50), 1, source.classes, None)
    return [read_pair(pair, pre)[1] for pair in source.pairs()]


def test_each_kind_of_shape_has_its_pixels_and_points_and_lines_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    picture = cv2.imencode(".png", np.full((3, 4), 255, np.uint8))[1].tobytes()
    shapes = [
        shape("a", "polygon", (0, 0), (10, 0), (10, 10), (0, 10)),
        shape("a", None, (0, 30), (10, 30), (10, 40), (0, 40)),  # older files say no kind
        shape("b", "rectangle", (30, 8), (20, 2)),
        shape("c", "circle", (35, 25), (35, 33)),
        shape("d", "mask", (12, 12), (15, 14), mask=base64.b64encode(picture).decode()),
        shape("e", "point", (1, 1)), shape("f", "linestrip", (1, 1), (2, 2), (3, 5)),
    ]  # fmt: skip
    write(tmp_path / "x.json", shapes)
    source = LabelMeFolder(root=str(tmp_path))
    assert list(source.classes) == ["a", "b", "c", "d"]
    (mask,) = masks_of(source)
    counts = np.bincount(mask.ravel()).tolist()[1:]
    assert counts[:2] + counts[3:] == [200, 60, 12]
    assert counts[2] == pytest.approx(np.pi * 64, rel=0.05)
    assert (mask[12:15, 12:16] == 4).all()
    assert "linestrip (1), point (1)" in caplog.text


@pytest.mark.parametrize(
    "name", ["x.png", "..\\data\\x.png", "C:\\Users\\me\\x.png", "/home/other/x.png"]
)
def test_the_image_is_found_wherever_the_file_was_written(tmp_path: Path, name: str) -> None:
    write(tmp_path / "data" / "x.json", [shape("a", "rectangle", (0, 0), (9, 9))], imagePath=name)
    (pair,) = LabelMeFolder(root=str(tmp_path / "data")).pairs()
    assert pair.image.resolve() == (tmp_path / "data" / "x.png").resolve()
    assert pair.image.is_file()


def test_an_embedded_image_is_read_where_there_is_no_other(tmp_path: Path) -> None:
    write(tmp_path / "x.json", [shape("a", "rectangle", (0, 0), (9, 9))], embedded=True)
    source = LabelMeFolder(root=str(tmp_path))
    (pair,) = source.pairs()
    assert pair.case == "x.json"
    image, mask, _ = read_pair(pair, Preprocessing((40, 50), 3, source.classes, None))
    assert image.shape == (40, 50, 3)
    assert (image == 90).all()
    assert np.count_nonzero(mask) == 81


def test_images_without_shapes_are_negatives_and_those_without_file_only_where_allowed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "seg")
    logging.getLogger("seg").propagate = True
    write(tmp_path / "1.json", [shape("a", "rectangle", (0, 0), (9, 9))])
    write(tmp_path / "2.json", [])
    write(tmp_path / "10.json", [])
    (tmp_path / "10.json").unlink()
    with pytest.raises(PairingErrors, match=r"10\.png: no 10\.json"):
        LabelMeFolder(root=str(tmp_path)).pairs()
    pairs = LabelMeFolder(root=str(tmp_path), missing_masks="empty").pairs()
    assert [(p.case, len(p.masks)) for p in pairs] == [("1.png", 1), ("2.png", 0), ("10.png", 0)]
    assert "2 of 3 images have no mask" in caplog.text


def test_subfolders_classes_and_excluded_files(tmp_path: Path) -> None:
    write(tmp_path / "p1" / "x.json", [shape("a", "rectangle", (0, 0), (9, 9))])
    write(tmp_path / "p2" / "x.json", [shape("b", "rectangle", (0, 0), (9, 9))])
    with pytest.raises(FileNotFoundError, match=r"dataset\.recursive=true"):
        LabelMeFolder(root=str(tmp_path)).pairs()
    source = LabelMeFolder(root=str(tmp_path), recursive=True, group="folder", classes=["b"])
    assert [(p.case, p.group, len(p.masks)) for p in source.pairs()] == [
        ("p1/x.png", "p1", 0), ("p2/x.png", "p2", 1),
    ]  # fmt: skip
    left = LabelMeFolder(root=str(tmp_path), recursive=True, exclude="p1/*")
    assert [p.case for p in left.pairs()] == ["p2/x.png"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "damaged"), ('{"annotations": [], "images": []}', "dataset=coco"), ("[1]", "no shapes")],
)
def test_another_json_is_named_in_one_line(tmp_path: Path, text: str, reason: str) -> None:
    write(tmp_path / "x.json", [shape("a", "rectangle", (0, 0), (9, 9))])
    (tmp_path / "y.json").write_text(text)
    with pytest.raises(PairingErrors, match=reason) as caught:
        LabelMeFolder(root=str(tmp_path)).pairs()
    (message,) = caught.value.messages
    assert message.startswith(f"{tmp_path / 'y.json'}: ")
    assert "\n" not in message


def test_a_size_that_is_not_the_images_is_refused(tmp_path: Path) -> None:
    write(
        tmp_path / "x.json",
        [shape("a", "rectangle", (0, 0), (9, 9))],
        imageHeight=50,
        imageWidth=40,
    )
    source = LabelMeFolder(root=str(tmp_path))
    with pytest.raises(DataError, match=r"is 50x40, its annotation is 40x50"):
        masks_of(source)
