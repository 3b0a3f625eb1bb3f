"""Files are read as training reads them, and none is changed."""

import shutil
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from seg.data.images import read_image
from seg.data.near_duplicates.hash import fingerprint
from seg.data.preprocess import Preprocessing, read_pair
from seg.data.sources.folder import Folder
from seg.preparation.audit.facts import GEOMETRY, UNREADABLE, VALUES
from seg.preparation.audit.reading import fingerprints, images_below, kind_of, reader

from .sets import audited, scanned, square


def test_all_problems_of_a_pair_are_reported(folder: Path) -> None:
    (folder / "images" / "case_1.png").write_bytes(b"no image at all")
    data = (folder / "masks" / "case_1.png").read_bytes()
    (folder / "masks" / "case_1.png").write_bytes(data[: len(data) // 2])
    wrong = square(30)
    wrong[0, 0] = 9
    Image.fromarray(wrong).save(folder / "masks" / "case_2.png")
    facts = scanned(Folder(root=str(folder)).pairs())
    assert [fault.kind for fault in facts[1].faults] == [UNREADABLE, UNREADABLE]
    assert [fault.kind for fault in facts[2].faults] == [VALUES, GEOMETRY]
    assert all(not f.problems for i, f in enumerate(facts) if i not in (1, 2))
    assert all("case_1.png" in text for text in facts[1].problems)


def test_the_audit_refuses_what_training_refuses(folder: Path) -> None:
    (folder / "images" / "case_0.png").write_bytes(b"")
    Image.fromarray(square(8)).save(folder / "masks" / "case_4.png")
    stray = np.array(Image.open(folder / "masks" / "case_5.png"))
    stray[0, 0] = 3
    Image.fromarray(stray).save(folder / "masks" / "case_5.png")
    pairs = Folder(root=str(folder)).pairs()
    pre = Preprocessing(size=(20, 24), channels=3, classes=None, ignore_value=None)
    for pair, facts in zip(pairs, scanned(pairs), strict=True):
        refused = None
        try:
            read_pair(pair, pre)
        except ValueError as error:
            refused = str(error)
        assert (refused is None) == (not facts.problems)
        assert refused is None or refused in facts.problems


def test_progress_sees_every_file_and_every_pair(folder: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    def progress(steps, total, label):  # noqa: ANN001, ANN202
        items = list(steps)
        seen.append((label, total, len(items)))
        return iter(items)

    scanned(Folder(root=str(folder)).pairs(), progress=progress)
    assert seen == [("hashing files", 24, 24), ("reading images", 12, 12)]


def test_files_are_left_as_they_were(folder: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*.png")}
    audited(Folder(root=str(folder)).pairs())
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*")
                      if p.is_file()}  # fmt: skip


def test_kinds_say_how_a_file_is_stored(tmp_path: Path) -> None:
    deep = np.full((9, 9), 40000, np.uint16)
    files = {
        "a.png": (Image.new("1", (9, 9)), "PNG 1-bit"),
        "b.png": (Image.new("P", (9, 9)), "PNG palette"),
        "c.png": (Image.fromarray(deep), "PNG 16-bit grey"),
        "d.jpg": (Image.new("RGB", (9, 9)), "JPEG 8-bit RGB"),
        "e.tif": (Image.fromarray(deep), "TIFF 16-bit grey"),
        "f.png": (Image.new("RGBA", (9, 9)), "PNG 8-bit RGB + alpha"),
    }
    for name, (image, kind) in files.items():
        image.save(tmp_path / name)
        assert kind_of(tmp_path / name) == kind
    cv2.imwrite(str(tmp_path / "g.png"), np.full((9, 9, 3), 40000, np.uint16))
    assert kind_of(tmp_path / "g.png") == "PNG 16-bit RGB"
    (tmp_path / "h.png").write_bytes(b"text")
    assert kind_of(tmp_path / "h.png") == "PNG"


def test_a_reader_gives_none_for_what_cannot_be_read(folder: Path) -> None:
    (folder / "images" / "case_1.png").write_bytes(b"x")
    (folder / "masks" / "case_2.png").write_bytes(b"x")
    pairs = Folder(root=str(folder)).pairs()
    read = reader(pairs, Preprocessing((40, 48), 1, None, None))
    (image, mask), (none, with_mask), (with_image, nothing) = map(read, range(3))
    assert image.shape == (40, 48, 1)
    assert none is None
    assert nothing is None
    assert with_image is not None
    assert mask.dtype == with_mask.dtype == np.uint8
    assert set(np.unique(with_mask)) == {0, 1}


def test_pictures_are_found_in_all_folders_but_hidden_ones(folder: Path) -> None:
    (folder / ".cache").mkdir()
    shutil.copy(folder / "images" / "case_0.png", folder / ".cache" / "case_0.png")
    shutil.copy(folder / "images" / "case_0.png", folder / "images" / ".case_0.png")
    (folder / "notes.txt").write_text("no picture")
    (folder / "folder.png").mkdir()
    shutil.copy(folder / "images" / "case_0.png", folder / "a.PNG")
    names = [path.relative_to(folder).as_posix() for path in images_below(folder)]
    cases = sorted(f"case_{i}.png" for i in range(12))
    parts = [f"{part}/{case}" for part in ("images", "masks") for case in cases]
    assert names == ["a.PNG", *parts]


def test_a_picture_that_cannot_be_read_has_no_fingerprint(folder: Path) -> None:
    files = [folder / "images" / f"case_{i}.png" for i in range(3)]
    files[1].write_bytes(b"x")
    first, none, last = fingerprints(files)
    assert none is None
    for prints, path in ((first, files[0]), (last, files[2])):
        expected = fingerprint(read_image(path, channels=3))
        assert (prints.hash == expected.hash).all()
        assert (prints.thumbnail == expected.thumbnail).all()
