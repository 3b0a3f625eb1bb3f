"""The command `seg.prepare` on real samples: downloaded, audited, described, planned."""

import hashlib
import http.server
import json
import logging
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from seg.cli.compose import compose
from seg.data.errors import DataErrors
from seg.preparation.machine import Machine
from seg.prepare import prepare
from seg.train import train
from tests.commands import forked
from tests.data.test_mirrored_classes import two_organs
from tests.training.test_symmetries import write_set

ROOT = Path(__file__).parents[1]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is the machine timed nor are pictures drawn: other tests look at both."""
    timed = partial(Machine, seconds=0.02)
    monkeypatch.setattr(
        "seg.prepare.time_machine", lambda device, network, **_: timed(device, network)
    )
    for name in ("panels.draw", "curves.draw"):
        monkeypatch.setattr(f"seg.report.{name}", lambda *_, **__: np.zeros((8, 8, 3), np.uint8))
    for name in ("contact_sheet", "distributions"):
        monkeypatch.setattr(f"seg.report.audit.{name}", lambda *_, **__: None)


def run(*overrides: str) -> None:
    prepare(compose(list(overrides), config_name="prepare"))


def folder_of(output: Path) -> Path:
    audits = sorted(output.glob("prepare/*/*/audit.json"))
    assert len(audits) == 1
    return audits[0].parent


def digest(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


@pytest.fixture
def polyps(real: Path, tmp_path: Path) -> Path:
    """A copy of 40 real Kvasir-SEG pairs."""
    root = tmp_path / "polyps"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
        for file in sorted((real / "kvasir_seg_256" / part).iterdir())[:40]:
            shutil.copy(file, root / part)
    return root


@pytest.mark.parametrize(
    ("sample", "overrides", "cases", "groups"),
    [
        ("chase_db1", ["dataset=folder", "dataset.mask_suffix=_1stHO",
                       r"dataset.group='Image_(\d+)'"], 28, 14),
        ("wbc", ["dataset=folder", "dataset.classes={cytoplasm: 128, nucleus: 255}"], 300, 300),
        ("lgg", ["dataset=lgg"], 269, 12),
    ],
)  # fmt: skip
def test_every_real_set_is_described(
    real: Path, tmp_path: Path, sample: str, overrides: list[str], cases: int, groups: int
) -> None:
    run(*overrides, f"dataset.root={real / sample}", f"output_dir={tmp_path}")
    require_described(folder_of(tmp_path), cases=cases, groups=groups)


def require_described(folder: Path, *, cases: int, groups: int) -> None:
    audit = json.loads((folder / "audit.json").read_text())
    assert audit["count"] == cases
    assert audit["groups"]["count"] == groups
    assert audit["errors"] == []
    split = pd.read_csv(folder / "split.csv")
    assert len(split) == cases
    assert set(split["split"]) == {"train", "val", "test"}
    assert split.groupby("group")["split"].nunique().max() == 1
    for picture in ("contact_sheet.png", "distributions.png"):
        height, width = cv2.imread(str(folder / picture)).shape[:2]
        assert min(height, width) > 300


def test_native_kvasir_of_many_sizes_is_described(real: Path, tmp_path: Path) -> None:
    root = f"dataset.root={real / 'kvasir_seg_native'}"
    sizes = ["dataset.split.val=1", "dataset.split.test=1"]
    run("dataset=kvasir", root, f"output_dir={tmp_path}", *sizes)
    audit = json.loads((folder_of(tmp_path) / "audit.json").read_text())
    assert audit["width"]["min"] < audit["width"]["max"]


def test_planted_faults_are_all_named_and_nothing_else(polyps: Path, tmp_path: Path) -> None:
    images, masks = (sorted((polyps / part).iterdir()) for part in ("images", "masks"))
    for file in images[:2]:  # truncated
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2])
    for file in masks[2:5]:  # of another size
        Image.open(file).resize((200, 180)).save(file)
    stray = np.where(np.array(Image.open(masks[5]).convert("L")) > 127, 255, 0).astype(np.uint8)
    stray[0, 0] = 77
    masks[5].unlink()
    Image.fromarray(stray).save(masks[5].with_suffix(".png"))
    turned = Image.open(images[6])
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(images[6], exif=exif, quality=95)
    split = {}
    for i in range(7, 12):  # duplicates across preset splits
        shutil.copy(images[i], polyps / "images" / f"copy_{i}.jpg")
        shutil.copy(masks[i], polyps / "masks" / f"copy_{i}.jpg")
        split[f"images/copy_{i}.jpg"] = "test"
    for number, file in enumerate(images):
        split[f"images/{file.name}"] = "val" if number >= 34 else "train"
    rows = "\n".join(f"{image},{label}" for image, label in split.items())
    (tmp_path / "split.csv").write_text(f"image,split\n{rows}\n")
    before = digest(polyps)
    with pytest.raises(DataErrors) as caught:
        run(
            "dataset=folder",
            f"dataset.root={polyps}",
            f"output_dir={tmp_path / 'out'}",
            f"dataset.split.file={tmp_path / 'split.csv'}",
        )
    messages = "\n".join(caught.value.messages)
    faulty = [*(f.stem for f in images[:7]), *(f"copy_{i}" for i in range(7, 12))]
    for stem in faulty:
        assert stem in messages
    assert "77" in messages
    assert "orientation 6" in messages
    for file in images[12:]:
        assert file.stem not in messages
    audit = json.loads((folder_of(tmp_path / "out") / "audit.json").read_text())
    clean = {f"{part}/{f.name}" for part in ("images", "masks") for f in images[12:]}
    named = {
        part.strip()
        for finding in [*audit["errors"], *audit["warnings"]]
        if len(finding["files"]) < 40  # all masks are JPEG: one finding names them all
        for file in finding["files"]
        for part in file.split("=")
    }
    assert not named & clean
    assert digest(polyps) == before


def test_a_set_is_described_and_images_of_another_are_detected(
    real: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    caplog.set_level(logging.INFO, logger="seg")
    native = real / "kvasir_seg_native"
    run(
        "dataset=kvasir",
        f"dataset.root={real / 'kvasir_seg_256'}",
        f"against={native}",
        f"output_dir={tmp_path}",
    )
    require_described(folder_of(tmp_path), cases=400, groups=400)
    audit = json.loads((folder_of(tmp_path) / "audit.json").read_text())
    (shared,) = [w for w in audit["warnings"] if w["kind"] == "in both sets"]
    stems = {f.stem for f in (native / "images").iterdir()}
    known = {f.stem for f in (real / "kvasir_seg_256" / "images").iterdir()}
    assert len(shared["files"]) == len(stems & known) == 4
    assert all(a.split("/")[-1].split(".")[0] in b for a, b in (
        f.split(" = ") for f in shared["files"]))  # fmt: skip
    assert "4 of 400 " in caplog.text


@pytest.mark.slow
def test_a_plan_trains_as_written(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The classes are discovered and written down, the YAML composes, and a run of it scores."""
    monkeypatch.chdir(tmp_path)
    run(
        "dataset=folder",
        f"dataset.root={real / 'wbc'}",
        "plan=cells",
        "minutes=0.5",
        f"output_dir={tmp_path}",
    )
    text = (tmp_path / "experiment" / "cells.yaml").read_text()
    assert "classes: {class_1: 128, class_2: 255}" in text
    assert all(line.isascii() and len(line) < 200 for line in text.splitlines())
    small = ["trainer.max_epochs=1", "dataset.image_size=64"]
    cfg = compose(
        [f"hydra.searchpath=[file://{tmp_path}]", "experiment=cells", f"output_dir={tmp_path}",
         *small]
    )  # fmt: skip
    assert train(cfg) > 0
    with pytest.raises(ValueError, match=r"cells\.yaml"):
        run(
            "dataset=folder", f"dataset.root={real / 'wbc'}", "plan=cells", f"output_dir={tmp_path}"
        )


@pytest.mark.usefixtures("quick")
def test_one_command_deletes_the_cache(
    folder: Path, tmp_path: Path, tiny: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("seg").propagate = True
    caplog.set_level(logging.INFO, logger="seg")
    small = [o for o in tiny if not o.startswith("dataset.") or "image_size" in o]
    data = ["dataset=folder", f"dataset.root={folder}", f"output_dir={tmp_path / 'out'}"]
    train(compose([*data, *small]))
    kept = list((tmp_path / "out" / ".cache").iterdir())
    assert kept
    (tmp_path / "out" / ".cache" / "notes.txt").write_text("mine")
    run("clear_cache=true", f"output_dir={tmp_path / 'out'}")
    assert [p.name for p in (tmp_path / "out" / ".cache").iterdir()] == ["notes.txt"]
    assert " MB " in caplog.text


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def served(polyps: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and hash of a zip with the real archive's layout, from a local server."""
    files = tmp_path / "files"
    files.mkdir()
    with zipfile.ZipFile(files / "kvasir-seg.zip", "w") as archive:
        for file in sorted(polyps.rglob("*.jpg")):
            archive.write(file, f"Kvasir-SEG/{file.relative_to(polyps)}")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=files))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sha256 = hashlib.sha256((files / "kvasir-seg.zip").read_bytes()).hexdigest()
    yield f"http://127.0.0.1:{server.server_port}/kvasir-seg.zip", sha256
    server.shutdown()


@pytest.mark.usefixtures("quick")
def test_a_data_set_is_downloaded_once(
    served: tuple[str, str], polyps: Path, tmp_path: Path
) -> None:
    url, sha256 = served
    root = tmp_path / "data" / "Kvasir-SEG"
    common = ["dataset=kvasir", f"dataset.root={root}"]
    run(*common, f"dataset.url={url}", f"dataset.sha256={sha256}", f"output_dir={tmp_path / 'a'}")
    assert digest(root) == digest(polyps)
    assert [p.name for p in root.parent.iterdir()] == ["Kvasir-SEG"]
    nowhere = "dataset.url=http://127.0.0.1:9/gone.zip"
    run(*common, nowhere, f"output_dir={tmp_path / 'b'}")


def test_a_wrong_hash_is_refused_with_both_named(served: tuple[str, str], tmp_path: Path) -> None:
    url, sha256 = served
    root = tmp_path / "data" / "Kvasir-SEG"
    wrong = "0" * 64
    with pytest.raises(ValueError, match=f"(?s){wrong}.*{sha256}|{sha256}.*{wrong}"):
        run(
            "dataset=kvasir",
            f"dataset.root={root}",
            f"dataset.url={url}",
            f"dataset.sha256={wrong}",
            f"output_dir={tmp_path / 'out'}",
        )
    assert not root.exists()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("kidney", ["never published", "images/<patient>_<frame>.png"]),
        ("lgg", ["mateuszbuda/lgg-mri-segmentation", "seg-med[kaggle]"]),
    ],
)
def test_what_cannot_be_downloaded_says_how_to_place_it(
    choice: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises((FileNotFoundError, ImportError)) as caught:
        run(f"dataset={choice}", f"dataset.root={tmp_path / 'none'}", f"output_dir={tmp_path}")
    for word in words:
        assert word in str(caught.value)


def test_training_without_the_data_names_the_command(tmp_path: Path) -> None:
    cfg = compose(["dataset=kvasir", f"dataset.root={tmp_path / 'none'}", f"output_dir={tmp_path}"])
    with pytest.raises(FileNotFoundError, match=r"python -m seg\.prepare dataset=kvasir"):
        train(cfg)


def test_the_command_exits_with_its_status(folder: Path, tmp_path: Path) -> None:
    def command(*argv: str) -> subprocess.CompletedProcess:
        return forked("prepare", *argv, f"output_dir={tmp_path / 'out'}", cwd=tmp_path)

    data = ["dataset=folder", f"dataset.root={folder}"]
    done = command(*data)
    assert done.returncode == 0, done.stderr
    assert "12 images" in done.stdout
    (folder / "images" / "case_3.png").write_bytes(b"no image")
    done = command(*data)
    assert done.returncode == 1
    assert "case_3.png" in done.stderr
    assert "Traceback" not in done.stderr
    done = command(*data, "--multirun")
    assert done.returncode == 1
    assert "--multirun" in done.stderr


def deep_set(root: Path, highest: list[int]) -> Path:
    """16-bit pictures of values up to `highest`, with masks."""
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for i, top in enumerate(highest):
        mask = np.zeros((48, 48), np.uint8)
        cv2.circle(mask, [int(x) for x in rng.integers(12, 36, 2)], 8, 255, -1)
        image = rng.random((48, 48)) * top * 0.5 + (mask > 0) * top * 0.5
        cv2.imwrite(str(root / "images" / f"{i}.png"), image.astype(np.uint16))
        cv2.imwrite(str(root / "masks" / f"{i}.png"), mask)
    return root


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("highest", "window", "key"),
    [
        ([4000] * 16, [0, 4095], "'dataset.window=[0, 4095]'"),
        ([40, 200, 1000, 4095] * 4, "percentile", "dataset.window=percentile"),
        ([65535] * 16, None, None),
    ],
)
def test_nearly_black_images_are_named_and_planned_with_a_window(
    highest: list[int], window: object, key: str | None, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, tiny: list[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    root = deep_set(tmp_path / "deep", highest)
    arguments = ["dataset=folder", f"dataset.root={root}", f"output_dir={tmp_path / 'out'}"]
    lines = [*arguments, "dataset.image_size=32", *tiny[-3:], "trainer.accelerator=cpu"]
    lines.append("trainer.max_epochs=1")
    run(*arguments, "plan=mine", "minutes=0.1")
    texts = [w["text"] for w in json.loads(
        (folder_of(tmp_path / "out") / "audit.json").read_text())["warnings"]]  # fmt: skip
    assert [key for text in texts if "dataset.window" in text] == ([key] if key else [])
    assert all(key in text for text in texts if "dataset.window" in text)
    node = yaml.safe_load((tmp_path / "experiment" / "mine.yaml").read_text())["dataset"]
    assert node.get("window") == window
    caplog.clear()
    train(compose(lines))
    warned = [r.message for r in caplog.records if "dataset.window" in r.message]
    assert [key in message for message in warned] == ([True] if key else [])
    if key:  # as printed, it works
        caplog.clear()
        train(compose([*lines, key.strip("'")]))
        assert not [r for r in caplog.records if "dataset.window" in r.message]


@pytest.mark.usefixtures("quick")
def test_left_and_right_are_named_and_planned_without_flips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_set(tmp_path / "organs", list(two_organs(40, seed=0)))
    arguments = ["dataset=folder", f"dataset.root={root}", "minutes=0.1"]
    for name, classes in (("sides", "{left: 1, right: 2}"), ("unnamed", "null")):
        output = tmp_path / name
        run(*arguments, f"dataset.classes={classes}", f"output_dir={output}", f"plan={name}")
        audit = json.loads((folder_of(output) / "audit.json").read_text())
        assert [w["kind"] for w in audit["warnings"]].count("mirrored classes") == 1
        defaults = yaml.safe_load((tmp_path / f"experiment/{name}.yaml").read_text())["defaults"]
        assert {"override /augmentation": "rotate_zoom"} in defaults


def test_a_wrong_class_map_is_one_error_with_a_complete_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / "set" / part).mkdir(parents=True)
    for i in range(12):
        mask = np.repeat([0, 7, 9], 64).reshape(12, 16).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / "set" / "masks" / f"{i}.png")
        image = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / "set" / "images" / f"{i}.png")
    cfg = compose(
        ["dataset=folder", f"dataset.root='{tmp_path / 'set'}'", "dataset.classes={a: 7}",
         f"output_dir='{tmp_path / 'out'}'"],
        config_name="prepare",
    )  # fmt: skip
    with pytest.raises(DataErrors) as caught:
        prepare(cfg)
    assert len(caught.value.messages) == 1
    assert "dataset.classes={a: 7, class_2: 9}" in caught.value.messages[0]
    audit = json.loads(next((tmp_path / "out").rglob("audit.json")).read_text())
    assert [len(error["cases"]) for error in audit["errors"]] == [12]
