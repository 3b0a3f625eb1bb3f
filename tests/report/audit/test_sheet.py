"""The contact sheet: what it chooses, and where it draws."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from seg.preparation.audit.facts import Fault
from seg.report.audit import contact_sheet
from seg.report.audit.sheet import choose
from seg.report.palette import class_colour

from .sets import audited, emptied, facts_of


def _read(index: int) -> tuple[np.ndarray, np.ndarray]:
    image = np.full((100, 100, 3), 60, np.uint8)
    mask = np.zeros((100, 100), np.uint8)
    mask[30:70, 20:80] = 1
    return image, mask


def test_flagged_cases_come_first_then_the_emptiest_to_the_fullest() -> None:
    facts = emptied(facts_of(100, size=(64, 64)), *range(40, 70))
    facts[70].image_sha256 = facts[30].image_sha256
    facts[99].faults.append(
        Fault("unreadable", facts[99].pair.mask_paths[0], "masks/c99.png: damaged")
    )
    audit = audited(facts)
    chosen = choose(audit, 24)
    assert len(chosen) == len(set(chosen)) == 24
    assert chosen[:3] == [99, 30, 70]
    shares = [audit["cases"][i]["foreground"] for i in chosen]
    assert chosen[3] == 40  # after them, and before the smallest, some of the empty ones
    assert shares[-1] == max(case["foreground"] for case in audit["cases"][:99])
    assert [share for share in shares[7:] if share] == sorted(s for s in shares[7:] if s)
    assert 1 <= sum(40 <= i < 70 for i in chosen[3:]) <= 5
    assert 0 in chosen  # the smallest


def test_flagged_cases_leave_a_quarter_to_the_others() -> None:
    facts = facts_of(90, size=(100, 100))
    for f in facts[:9]:
        f.specks = 1
    for f in facts[9:11]:
        f.foreground = 1.0
    chosen = choose(audited(facts), 12)
    assert len(chosen) == 12
    assert {9, 10} <= set(chosen)  # every kind gets its turn
    assert all(i < 11 for i in chosen[:9])
    assert all(i >= 11 for i in chosen[9:])


def test_small_sets_are_drawn_whole(tmp_path: Path) -> None:
    audit = audited(emptied(facts_of(9), 3, 4, 5, 6))
    sheet = tmp_path / "new" / "sheet.png"
    chosen = contact_sheet(audit, _read, sheet)
    assert sorted(chosen) == list(range(9))
    assert sheet.is_file()


def test_contours_have_the_colours_of_their_classes(tmp_path: Path) -> None:
    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        image, mask = _read(index)
        mask[40:60, 40:60] = 2
        return image * 0, mask

    audit = audited(facts_of(4, class_pixels=[9, 5, 5]), classes={"organ": 1, "lesion": 2})
    for f in audit["warnings"]:
        f["cases"] = []
    path = tmp_path / "sheet.png"
    contact_sheet(audit, read, path)
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    inside = picture[80:-60]
    second = 255 * np.array(to_rgb(class_colour(2)))
    assert (abs(inside - second).max(-1) < 60).sum() > 200
    contact_sheet(audit, _read, path)
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert (abs(picture[80:-60] - second).max(-1) < 60).sum() == 0


def test_pictures_of_all_kinds_can_be_drawn(tmp_path: Path) -> None:
    pictures = [
        (np.zeros((1, 500, 1), np.uint8), np.zeros((1, 500), np.uint8)),
        (np.full((3, 3, 3), 300.0, np.float32), np.full((3, 3), 1, np.uint8)),
        (None, np.full((40, 30), 255, np.uint8)),
        (np.zeros((65, 97, 3), np.uint8), None),
        (None, None),
    ]
    audit = audited(facts_of(5), classes={"cost$_$x": 1})
    for case, name in zip(audit["cases"], ["x" * 200, "cost$_$x.png", "a\\b", "<b>", "ü"]):  # noqa: B905
        case["case"] = name
    chosen = contact_sheet(audit, lambda i: pictures[i], tmp_path / "s.png")
    assert len(chosen) == 5
