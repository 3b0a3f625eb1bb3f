"""Which cases: of a run's split, or of another data set."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from seg.data.errors import DataErrors
from seg.data.pairs import Pair
from seg.data.split.file import write
from seg.evaluation.cases import match_classes, of_run, of_set


def pairs(root: Path, names: str = "abcd") -> list[Pair]:
    found = []
    for name in names:
        for part in ("images", "masks"):
            (root / part).mkdir(exist_ok=True)
            (root / part / name).write_text(part + name)
        found.append(Pair(f"images/{name}", root / "images" / name, root / "masks" / name, name))
    return found


def table(root: Path, found: list[Pair], labels: str) -> Path:
    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    rows = []
    for p, label in zip(found, labels.split(), strict=True):
        names = [p.case, f"masks/{p.mask.name}", f"group of {p.case}"]
        rows.append([*names, label, digest(p.image), digest(p.mask)])
    write(root / "split.csv", rows)
    return root / "split.csv"


def test_a_splits_cases_come_with_their_groups(tmp_path: Path) -> None:
    found = pairs(tmp_path)
    path = table(tmp_path, found, "train test val test")
    cases = of_run((found[::-1], []), path, "test")
    assert [c.pair.case for c in cases] == ["images/b", "images/d"]
    assert [c.group for c in cases] == ["group of images/b", "group of images/d"]


def test_all_changed_files_are_named_and_others_are_not_opened(tmp_path: Path) -> None:
    found = pairs(tmp_path)
    path = table(tmp_path, found, "train test val test")
    (tmp_path / "masks" / "b").write_text("other")
    (tmp_path / "images" / "d").unlink()
    (tmp_path / "images" / "a").unlink()
    with pytest.raises(DataErrors) as caught:
        of_run((found, []), path, "test")
    named = [Path(message.split(":")[0]) for message in caught.value.messages]
    assert named == [tmp_path / "masks" / "b", tmp_path / "images" / "d"]
    assert len(of_run((found, []), path, "val")) == 1


def test_cases_that_are_gone_are_named_and_more_data_do_not_matter(tmp_path: Path) -> None:
    found = pairs(tmp_path)
    path = table(tmp_path, found[:3], "train test val")
    assert len(of_run((found, ["d: broken"]), path, "test")) == 1
    with pytest.raises(DataErrors, match="images/b.*dataset.root"):
        of_run((found[2:], []), path, "test")


def test_a_split_without_cases_and_a_run_without_a_split_are_refused(tmp_path: Path) -> None:
    found = pairs(tmp_path)
    path = table(tmp_path, found, "train train val val")
    with pytest.raises(ValueError, match="split=test"):
        of_run((found, []), path, "test")
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        of_run((found, []), tmp_path / "gone.csv", "test")


def test_another_data_set_is_taken_whole_or_refused(tmp_path: Path) -> None:
    found = pairs(tmp_path)
    assert [c.group for c in of_set((found, []))] == list("abcd")
    with pytest.raises(DataErrors, match="broken"):
        of_set((found, ["x: broken"]))


def test_classes_are_matched_by_name_else_by_order_else_refused() -> None:
    assert match_classes(["a", "b"], ["a", "b"]) is None
    assert match_classes(["polyp"], ["foreground"]) is None
    swapped = match_classes(["a", "b"], ["b", "a"])
    np.testing.assert_array_equal(swapped[np.array([0, 1, 2, 255])], [0, 2, 1, 255])
    with pytest.raises(ValueError, match=r"2 classes \(a, b\).*1 \(polyp\)"):
        match_classes(["a", "b"], ["polyp"])
