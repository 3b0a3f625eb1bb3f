"""Files that do not pair or group: one line with the keys that mend it, as they are typed."""

import json
import shlex
from pathlib import Path

import pytest

from seg.cli.compose import compose
from seg.cli.files import build_source
from seg.data.naming import best_suffixes
from seg.data.sources import read_pairs
from seg.data.sources.folder import Folder


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        ("{}", "{}_1stHO", ("", "_1stHO")),
        ("{}_raw", "{}_rim", ("_raw", "_rim")),
        ("{}_0000", "{}", ("_0000", "")),
        ("{}", "{}mask", ("", "mask")),
        ("{}", "mask_{}", None),  # there is no key for what comes first
        ("{}", "other{}", None),
    ],
)
def test_the_ends_that_leave_equal_names(
    images: str, masks: str, expected: tuple[str, str] | None
) -> None:
    stems = [f"Image_{i:02d}{side}" for i in range(1, 15) for side in "LR"]
    names = ([pattern.format(stem) for stem in stems] for pattern in (images, masks))
    assert best_suffixes(*names) == expected


def rename(folder: Path, end: str) -> None:
    for path in list(folder.iterdir()):
        path.rename(path.with_stem(path.stem + end))


@pytest.mark.parametrize(("image_end", "mask_end"), [("", "_1stHO"), ("_t1", "_seg"), ("", " (a)")])
def test_the_proposed_keys_pair_all_images(image_end: str, mask_end: str, folder: Path) -> None:
    rename(folder / "images", image_end)
    rename(folder / "masks", mask_end)
    pairs, problems = read_pairs(Folder(root=str(folder)))
    assert pairs == []
    assert len(problems) == 1
    words = [word for word in shlex.split(problems[0]) if word.startswith("dataset.")]
    source = build_source(compose(["dataset=folder", f"dataset.root={folder}", *words]))
    assert len(source.pairs()) == 12


def test_a_few_images_without_a_mask_are_named_one_by_one(folder: Path) -> None:
    for i in (1, 2):
        (folder / "masks" / f"case_{i}.png").unlink()
    pairs, problems = read_pairs(Folder(root=str(folder)))
    assert len(pairs) == 10
    assert [f"case_{i}.png" in text for i, text in zip((1, 2), problems, strict=True)] == [True] * 2


def test_real_vessels_are_paired_by_the_key_that_is_proposed(real: Path) -> None:
    root = real / "chase_db1"
    _, problems = read_pairs(Folder(root=str(root)))
    assert [text.endswith("dataset.mask_suffix=_1stHO") for text in problems] == [True]


def test_a_group_that_matches_nothing_shows_what_it_is_matched_against(folder: Path) -> None:
    _, problems = read_pairs(Folder(root=str(folder), group=r"patient(\d+)"))
    assert len(problems) == 1
    assert "12 cases" in problems[0]
    assert "images/case_0.png, images/case_1.png" in problems[0]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"shapes": [], "imagePath": "a.png"}, "dataset=labelme"),
        (
            {"images": [], "annotations": [], "categories": []},
            "dataset=coco dataset.annotations=images/a.json",
        ),
    ],
)
def test_polygons_are_called_by_their_format(content: dict, key: str, folder: Path) -> None:
    (folder / "images" / "a.json").write_text(json.dumps(content))
    for path in (folder / "masks").iterdir():
        path.unlink()
    _, problems = read_pairs(Folder(root=str(folder)))
    assert len(problems) == 1
    assert problems[0].endswith(key)
    (folder / "masks").rmdir()
    with pytest.raises(FileNotFoundError, match=key):
        read_pairs(Folder(root=str(folder)))


def test_a_relative_root_is_shown_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere") as caught:
        Folder(root="data/nowhere").pairs()
    assert f"data/nowhere ({tmp_path}/data/nowhere)" in str(caught.value)
