"""Which cases are evaluated: those of a run's split, or of another data set."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from seg.data.errors import DataErrors
from seg.data.pairs import MaskFile, Pair, PairingErrors
from seg.data.split.file import COLUMNS
from seg.evaluation.cases import dataset_cases, match_classes, run_cases
from seg.runs import atomic
from seg.runs.folder import RunFolder


class Given:
    """A source of these pairs, and of files that it cannot pair."""

    def __init__(self, pairs: list[Pair], problems: list[str] | None = None) -> None:
        self.found, self.problems = pairs, problems or []

    def pairs(self) -> list[Pair]:
        if self.problems:
            raise PairingErrors(self.problems, self.found)
        return self.found


def write_pairs(root: Path, names: str = "abcd") -> list[Pair]:
    pairs = []
    for name in names:
        for part in ("images", "masks"):
            (root / part).mkdir(exist_ok=True)
            (root / part / name).write_text(part + name)
        files = (root / "images" / name,), (MaskFile(root / "masks" / name),)
        pairs.append(Pair(f"images/{name}", *files, name))
    return pairs


def write_split(root: Path, pairs: list[Pair], labels: str) -> RunFolder:
    """A run folder with a split.csv."""

    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    rows = []
    for p, label in zip(pairs, labels.split(), strict=True):
        names = [p.case, f"masks/{p.mask_paths[0].name}", f"group of {p.case}"]
        rows.append([*names, label, digest(p.image), digest(p.mask_paths[0])])
    atomic.write_csv(root / "split.csv", [COLUMNS, *rows])
    return RunFolder(root)


def test_a_splits_cases_come_with_their_groups(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    run = write_split(tmp_path, pairs, "train test val test")
    cases = run_cases(run, Given(pairs[::-1]), "test")
    assert [c.pair.case for c in cases] == ["images/b", "images/d"]
    assert [c.group for c in cases] == ["group of images/b", "group of images/d"]


def test_all_changed_files_are_named_and_others_are_not_opened(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    run = write_split(tmp_path, pairs, "train test val test")
    (tmp_path / "masks" / "b").write_text("other")
    (tmp_path / "images" / "d").unlink()
    (tmp_path / "images" / "a").unlink()
    with pytest.raises(DataErrors) as caught:
        run_cases(run, Given(pairs), "test")
    named = [Path(message.split(":")[0]) for message in caught.value.messages]
    assert named == [tmp_path / "masks" / "b", tmp_path / "images" / "d"]
    assert len(run_cases(run, Given(pairs), "val")) == 1


def test_missing_cases_are_named_and_more_data_do_not_matter(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    run = write_split(tmp_path, pairs[:3], "train test val")
    assert len(run_cases(run, Given(pairs, ["d: broken"]), "test")) == 1
    with pytest.raises(DataErrors, match="images/b.*dataset.root"):
        run_cases(run, Given(pairs[2:]), "test")


def test_a_split_without_cases_and_a_run_without_a_split_are_refused(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    run = write_split(tmp_path, pairs, "train train val val")
    with pytest.raises(ValueError, match="split=test"):
        run_cases(run, Given(pairs), "test")
    with pytest.raises(FileNotFoundError, match=r"elsewhere/split\.csv"):
        run_cases(RunFolder(tmp_path / "elsewhere"), Given(pairs), "test")


def test_a_split_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    run = write_split(tmp_path, pairs, "train test val test")
    path = tmp_path / "split.csv"
    path.write_text("\n".join(line.rpartition(",")[0] for line in path.read_text().splitlines()))
    with pytest.raises(ValueError, match=r"split\.csv"):
        run_cases(run, Given(pairs), "test")


def test_another_data_set_is_taken_whole_or_refused(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    assert [c.group for c in dataset_cases(Given(pairs))] == list("abcd")
    with pytest.raises(DataErrors, match="broken"):
        dataset_cases(Given(pairs, ["x: broken"]))


def test_classes_are_matched_by_name_else_by_order_else_refused() -> None:
    assert match_classes(["a", "b"], ["a", "b"]) is None
    assert match_classes(["polyp"], ["foreground"]) is None
    swapped = match_classes(["a", "b"], ["b", "a"])
    np.testing.assert_array_equal(swapped[np.array([0, 1, 2, 255])], [0, 2, 1, 255])
    with pytest.raises(ValueError, match=r"2 classes \(a, b\).*1 \(polyp\)"):
        match_classes(["a", "b"], ["polyp"])
