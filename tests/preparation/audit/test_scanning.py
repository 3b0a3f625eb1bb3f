"""What is a fault of a pair is what training refuses, and no file is touched."""

from pathlib import Path

import numpy as np
from PIL import Image

from seg.data.cache import Preprocessing, read_pair
from seg.data.sources.folder import Folder
from seg.preparation.audit.facts import GEOMETRY, UNREADABLE, VALUES

from .sets import audited, scanned, square


def test_all_problems_of_a_pair_are_told(folder: Path) -> None:
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
