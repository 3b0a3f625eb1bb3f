"""The audit of whole sets: each planted fault is named, and nothing else is."""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from seg.data.sources.folder import Folder
from seg.data.sources.lgg import LGG
from seg.preparation.audit.facts import GEOMETRY, UNREADABLE, VALUES

from .sets import audited, by_kind


def test_every_planted_fault_is_named_and_nothing_else(real: Path, tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    source = real / "kvasir_seg_256"
    names = [p.name for p in sorted((source / "images").iterdir())[:40]]
    for name in names:
        for part in ("images", "masks"):
            shutil.copy(source / part / name, tmp_path / part / name)
    images, masks = tmp_path / "images", tmp_path / "masks"

    truncated = [images / names[0], masks / names[1]]
    for path in truncated:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    swapped = names[5:8]
    others = sorted((real / "kvasir_seg_native" / "masks").iterdir())[:3]
    for name, other in zip(swapped, others, strict=True):
        shutil.copy(other, masks / name)
    grey = np.array(Image.open(masks / names[10]).convert("L"))
    exact = np.where(grey > 127, 255, 0).astype(np.uint8)
    exact[3, 4] = 77
    (masks / names[10]).unlink()
    stray = masks / names[10].replace(".jpg", ".png")
    Image.fromarray(exact).save(stray)
    turned = Image.open(images / names[12])
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(images / names[12], exif=exif, quality=95)
    for name in names[20:25]:
        for folder in (images, masks):
            shutil.copy(folder / name, folder / f"again-{name}")

    result = audited(Folder(root=str(tmp_path)).pairs())
    errors, warnings = by_kind(result, "errors"), by_kind(result, "warnings")

    assert errors.keys() == {UNREADABLE, GEOMETRY, VALUES}
    assert errors[UNREADABLE]["files"] == [f"images/{names[0]}", f"masks/{names[1]}"]
    expected = sorted(f"images/{name}" for name in [*swapped, names[12]])
    assert sorted(errors[GEOMETRY]["files"]) == expected
    assert sum("is 256x256, the other" in t for t in errors[GEOMETRY]["details"]) == 3
    assert sum("EXIF orientation 6" in text for text in errors[GEOMETRY]["details"]) == 1
    assert errors[VALUES]["files"] == [f"masks/{stray.name}"]
    assert "value 77 (0.0015 % of pixels)" in errors[VALUES]["text"]
    assert warnings.keys() == {"duplicate", "JPEG mask"}  # the latter is a trait of the set
    assert {tuple(sorted(pair.split(" = "))) for pair in warnings["duplicate"]["files"]} == {
        (f"images/again-{name}", f"images/{name}") for name in names[20:25]
    }
    assert result["discovered_classes"] is None
    json.dumps(result, allow_nan=False)


def test_a_set_without_a_readable_file_has_a_summary(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    result = audited(Folder(root=str(folder)).pairs())
    assert len(result["errors"][0]["files"]) == 24
    assert result["width"] is None
    json.dumps(result, allow_nan=False)


def test_the_real_sets_have_no_errors_and_no_false_alarms(real: Path) -> None:
    chase = Folder(root=str(real / "chase_db1"), mask_suffix="_1stHO", group=r"Image_(\d+)").pairs()
    kinds = {
        "chase": audited(chase[:6]),
        "lgg": audited(
            [p for p in LGG(root=str(real / "lgg"), classes={}).pairs() if "_CS_" in p.group],
            classes={"tumour": [1, 255]},
        ),
        "wbc": audited(Folder(root=str(real / "wbc")).pairs()[:140]),
    }
    assert kinds["chase"]["errors"] == kinds["lgg"]["errors"] == []
    assert by_kind(kinds["chase"], "warnings").keys() == {"few cases", "holes"}
    assert by_kind(kinds["lgg"], "warnings").keys() == {"empty mask", "few groups", "identifiers"}
    # Two of the cells are one file, drawn twice.
    assert by_kind(kinds["wbc"], "warnings")["other mask"]["files"] == [
        "images/112.bmp = images/139.bmp"
    ]
    assert kinds["wbc"]["discovered_classes"] == {"class_1": 128, "class_2": 255}
