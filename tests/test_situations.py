"""Data as people have them, by the rows of docs/data.md: through all of the commands."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.commands import seg

COUNT, SIDE = 12, 32
TINY = [
    "dataset.image_size=32", "dataset.batch_size=4", "dataset.num_workers=0", "model.width=4",
    "model.depth=2", "trainer.max_epochs=1", "trainer.accelerator=cpu", "augmentation=none",
]  # fmt: skip


def scene(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture (H, W, 3), and the masks (H, W) bool of its two objects."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:SIDE, :SIDE]
    masks = []
    for left in (3, 18):
        cx, cy = left + rng.uniform(4, 7), rng.uniform(9, 22)
        masks.append(np.hypot(x - cx, y - cy) < 5)
    image = rng.integers(0, 60, (SIDE, SIDE, 3)).astype(np.uint8)
    image[masks[0]] += 150
    image[masks[1]] += 90
    return image, *masks


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), values.astype(np.uint8) * (255 if values.dtype == bool else 1))


def busi(root: Path) -> list[str]:
    for n in range(COUNT):
        folder = root / ("normal", "benign", "malignant")[n % 3]
        image, a, b = scene(n)
        save(folder / f"x ({n}).png", image if n % 3 else image // 3)
        if n % 3:
            save(folder / f"x ({n})_mask.png", a)
            save(folder / f"x ({n})_mask_1.png", b)
    return [
        "dataset=folder", "dataset.image_dir=.", "dataset.mask_dir=.", "dataset.mask_suffix=_mask*",
        "dataset.recursive=true", "dataset.missing_masks=empty",
    ]  # fmt: skip


def two_files(root: Path) -> list[str]:
    for n in range(COUNT):
        image, a, _ = scene(n)
        for k in range(2):
            save(root / "images" / f"{n}_000{k}.png", image[..., k])
        save(root / "masks" / f"{n}.png", a)
    return ["dataset=folder", "dataset.image_suffix=[_0000,_0001]", "dataset.channels=2"]


def isic(root: Path) -> list[str]:
    for n in range(COUNT):
        image, a, _ = scene(n)
        save(root / "images" / f"{n}.jpg", image)
        save(root / "images" / f"{n}_superpixels.png", image)
        save(root / "masks" / f"{n}_segmentation.png", a)
    return [
        "dataset=folder", "dataset.exclude=*_superpixels.png", "dataset.mask_suffix=_segmentation",
    ]  # fmt: skip


def soft(root: Path) -> list[str]:
    for n in range(COUNT):
        image, a, _ = scene(n)
        save(root / "images" / f"{n}.png", image)
        save(root / "masks" / f"{n}.png", cv2.GaussianBlur(a * 255.0, (5, 5), 1))
    return ["dataset=folder", "dataset.mask_threshold=128"]


def instances(root: Path) -> list[str]:
    for n in range(COUNT):
        image, *objects = scene(n)
        save(root / f"case{n}" / "images" / f"case{n}.png", image)
        for k, mask in enumerate(objects):
            save(root / f"case{n}" / "masks" / f"{k}.png", mask)
    return ["dataset=instances"]


def table(root: Path) -> list[str]:
    lines = ["image;mask_disc;mask_cup;group"]
    for n in range(COUNT):
        image, a, b = scene(n)
        for name, values in (("i", image), ("a", a), ("b", b)):
            save(root / name / f"{n}.png", values)
        lines.append(f"i\\{n}.png;a\\{n}.png;b\\{n}.png;p{n // 2}")
    (root / "cases.csv").write_bytes("\ufeff".encode() + "\r\n".join(lines).encode())
    return ["dataset=table", "loss=ce_dice"]


def polygons(n: int) -> list[tuple[str, list[list[float]]]]:
    _, *objects = scene(n)
    found = []
    for name, mask in zip(("disc", "cup"), objects, strict=True):
        (outline,), _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        found.append((name, (outline[:, 0] + 0.5).tolist()))
    return found[: 1 + n % 2]


def coco(root: Path) -> list[str]:
    images, annotations = [], []
    for n in range(COUNT):
        save(root / "images" / f"{n}.png", scene(n)[0])
        images.append({"id": n, "file_name": f"{n}.png", "height": SIDE, "width": SIDE})
        annotations += [
            {
                "id": len(annotations),
                "image_id": n,
                "category_id": name,
                "segmentation": [sum(p, [])],
            }
            for name, p in polygons(n)
            if n
        ]
    categories = [{"id": name, "name": name} for name in ("disc", "cup")]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "all.json").write_text(json.dumps(content))
    return [
        "dataset=coco",
        "dataset.annotations=all.json",
        "dataset.image_dir=images",
        "loss=ce_dice",
    ]


def labelme(root: Path) -> list[str]:
    for n in range(COUNT):
        save(root / f"{n}.png", scene(n)[0])
        shapes = [
            {"label": name, "points": p, "shape_type": "polygon"} for name, p in polygons(n) if n
        ]
        content = {
            "shapes": shapes,
            "imagePath": f"{n}.png",
            "imageHeight": SIDE,
            "imageWidth": SIDE,
        }
        (root / f"{n}.json").write_text(json.dumps(content))
    return ["dataset=labelme", "loss=ce_dice"]


def nnunet(root: Path) -> list[str]:
    for n in range(COUNT):
        image, a, b = scene(n)
        for k in range(2):
            save(root / "imagesTr" / f"{n}_000{k}.png", image[..., k])
        save(root / "labelsTr" / f"{n}.png", (a + 2 * b).astype(np.uint8))
    about = {
        "channel_names": {"0": "A", "1": "B"}, "file_ending": ".png", "numTraining": COUNT,
        "labels": {"background": 0, "disc": 1, "cup": 2},
    }  # fmt: skip
    (root / "dataset.json").write_text(json.dumps(about))
    return ["dataset=nnunet", "loss=ce_dice"]


# What makes the data, the foreground classes, and the share of foreground in the masks.
SITUATIONS: dict[str, tuple[Callable[[Path], list[str]], list[str]]] = {
    "busi": (busi, ["foreground"]),
    "two files": (two_files, ["foreground"]),
    "isic": (isic, ["foreground"]),
    "soft": (soft, ["foreground"]),
    "instances": (instances, ["foreground"]),
    "table": (table, ["disc", "cup"]),
    "coco": (coco, ["disc", "cup"]),
    "labelme": (labelme, ["cup", "disc"]),
    "nnunet": (nnunet, ["disc", "cup"]),
}


@pytest.mark.slow  # four commands each
@pytest.mark.parametrize("situation", SITUATIONS)
def test_it_prepares_trains_evaluates_and_predicts(tmp_path: Path, situation: str) -> None:
    make, names = SITUATIONS[situation]
    root = tmp_path / "set"
    keys = [*make(root), f"dataset.root={root}"]
    of_data = [key for key in keys if not key.startswith("loss")]
    seg("prepare", *of_data, "dataset.image_size=32", cwd=tmp_path)
    (audit,) = tmp_path.glob("outputs/prepare/set/*/audit.json")
    content = json.loads(audit.read_text())
    assert (content["count"], content["errors"]) == (COUNT, [])
    assert list(content["classes"]) == ["background", *names]
    _, *objects = scene(1)
    assert content["foreground"]["max"] < 2.5 * np.mean(objects)
    seg("train", *keys, *TINY, cwd=tmp_path)
    (run,) = tmp_path.glob("outputs/set-unet-*/*")
    assert json.loads((run / "test.json").read_text())["metrics"]
    seg("evaluate", f"run={run}", "trainer.accelerator=cpu", cwd=tmp_path)
    assert (run / "evaluate" / "test" / "test.json").is_file()
    images = {"busi": "benign", "instances": "case1/images", "table": "i", "labelme": "."}
    folder = root / images.get(situation, "imagesTr" if situation == "nnunet" else "images")
    seg(
        "predict", f"run={run}", f"input={folder}", f"output={tmp_path / 'out'}",
        "trainer.accelerator=cpu", cwd=tmp_path,
    )  # fmt: skip
    written = [p for p in (tmp_path / "out").rglob("*.png") if p.name != "contact_sheet.png"]
    assert written
    assert cv2.imread(str(written[0]), cv2.IMREAD_UNCHANGED).shape == (SIDE, SIDE)
