import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg.data.pairs import Pair
from seg.data.sources import synthetic
from seg.data.sources.synthetic import Synthetic

ORGAN = {"organ": 255}
THREE = {"organ": 128, "lesion": 255, "cyst": 64}


def small(
    root: Path, *, classes: dict[str, int] = ORGAN, seed: int = 0, size: int = 48
) -> Synthetic:
    return Synthetic(root=str(root), patients=6, frames=5, size=size, classes=classes, seed=seed)


def all_bytes(pairs: list[Pair]) -> dict[str, bytes]:
    return {
        f"{p.parent.name}/{p.name}": p.read_bytes() for q in pairs for p in (q.image, *q.mask_paths)
    }


def best_threshold_dice(values: np.ndarray, organ: np.ndarray) -> float:
    """values: uint8; organ: bool. Best pooled Dice of `value >= t` and `value < t` over all t."""
    inside = np.bincount(values[organ], minlength=256)
    total = np.bincount(values.ravel(), minlength=256)
    best = 0.0
    for order in (slice(None), slice(None, None, -1)):
        overlap, predicted = np.cumsum(inside[order]), np.cumsum(total[order])
        best = max(best, float((2 * overlap / (predicted + organ.sum())).max()))
    return best


def test_same_parameters_give_identical_bytes_in_another_root(tmp_path):
    first = all_bytes(small(tmp_path / "a").pairs())
    assert len(first) == 60
    assert all_bytes(small(tmp_path / "b").pairs()) == first


def test_another_seed_gives_other_pictures_in_another_folder(tmp_path):
    first, second = small(tmp_path, seed=0), small(tmp_path, seed=1)
    one, two = all_bytes(first.pairs()), all_bytes(second.pairs())
    assert first.root != second.root
    assert one.keys() == two.keys()
    assert all(one[name] != two[name] for name in one if name.startswith("images/"))


@pytest.mark.parametrize(
    "change",
    [{"patients": 3}, {"frames": 3}, {"size": 40}, {"classes": {"organ": 1}}, {"seed": 2}],
    ids=lambda change: next(iter(change)),
)
def test_every_parameter_that_matters_has_its_own_folder(tmp_path, change):
    plain = {"root": str(tmp_path), "patients": 2, "frames": 2, "size": 32, "classes": ORGAN}
    assert Synthetic(**plain | change).root != Synthetic(**plain).root


def test_another_generator_version_has_its_own_folder(tmp_path, monkeypatch):
    before = small(tmp_path).root
    monkeypatch.setattr(synthetic, "GENERATOR", synthetic.GENERATOR + 1)
    assert small(tmp_path).root != before


def test_the_group_of_a_frame_is_its_patient(tmp_path):
    pairs = small(tmp_path).pairs()
    assert len(pairs) == 30
    for pair in pairs:
        assert re.fullmatch(rf"images/{pair.group}_frame\d\d\.png", pair.case)
    assert sorted({p.group for p in pairs}) == [f"patient{n:03d}" for n in range(6)]


def test_no_intensity_threshold_finds_the_organ(tmp_path):
    source = Synthetic(root=str(tmp_path), patients=20, frames=2, size=128, classes=ORGAN)
    pairs = source.pairs()
    organ = np.stack([np.asarray(Image.open(p.mask_paths[0])) == 255 for p in pairs])
    rgb = np.stack([np.asarray(Image.open(p.image)) for p in pairs])
    grey = np.stack([np.asarray(Image.open(p.image).convert("L")) for p in pairs])
    assert rgb.shape == (40, 128, 128, 3)
    views = {"red": rgb[..., 0], "green": rgb[..., 1], "blue": rgb[..., 2], "grey": grey}
    scores = {name: best_threshold_dice(view, organ) for name, view in views.items()}
    assert max(scores.values()) < 0.6, scores


def test_the_threshold_search_finds_an_organ_that_is_brighter_or_darker():
    organ = np.zeros((4, 4), bool)
    organ[1:3, 1:3] = True
    assert best_threshold_dice(np.where(organ, 200, 10).astype(np.uint8), organ) == 1
    assert best_threshold_dice(np.where(organ, 10, 200).astype(np.uint8), organ) == 1


def test_a_tenth_of_the_masks_is_empty_in_different_patients(tmp_path):
    empty = [
        p for p in small(tmp_path).pairs() if not np.asarray(Image.open(p.mask_paths[0])).any()
    ]
    assert len(empty) == 3
    assert len({p.group for p in empty}) > 1


@pytest.mark.parametrize("classes", [ORGAN, {"organ": 128, "lesion": 255}, THREE], ids=len)
def test_masks_hold_zero_and_every_class_value_and_no_other(tmp_path, classes):
    masks = [Image.open(p.mask_paths[0]) for p in small(tmp_path, classes=classes).pairs()]
    assert {mask.mode for mask in masks} == {"L"}
    assert set(np.unique(np.stack([np.asarray(m) for m in masks]))) == {0, *classes.values()}


def test_images_are_rgb_of_the_size_asked_for(tmp_path):
    for pair in small(tmp_path, size=47).pairs():
        image = Image.open(pair.image)
        assert (image.mode, image.size) == ("RGB", (47, 47))


def test_constructing_writes_nothing(tmp_path):
    small(tmp_path / "root")
    assert list(tmp_path.iterdir()) == []


def test_the_second_call_neither_draws_nor_writes(tmp_path, monkeypatch):
    pairs = small(tmp_path).pairs()
    monkeypatch.delattr(synthetic, "_draw_patient")
    for pair in pairs:
        os.utime(pair.image, ns=(1, 1))
    assert small(tmp_path).pairs() == pairs
    assert {p.image.stat().st_mtime_ns for p in pairs} == {1}


def test_a_killed_run_leaves_nothing_that_is_taken_for_data(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*_args, **_kwargs):
        raise Killed

    complete = all_bytes(small(tmp_path / "whole").pairs())
    source = small(tmp_path / "root")
    with monkeypatch.context() as patch:
        # Not even the clean-up of a killed process runs.
        patch.setattr(synthetic.shutil, "rmtree", lambda *_args, **_kwargs: None)
        patch.setattr(Path, "rename", kill)
        with pytest.raises(Killed):
            source.pairs()
    (leftover,) = source.root.parent.iterdir()
    assert len(list((leftover / "images").iterdir())) == 30
    next((leftover / "masks").iterdir()).unlink()
    assert not source.root.exists()
    assert all_bytes(source.pairs()) == complete


def test_two_writers_at_once_both_succeed(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: small(tmp_path).pairs(), range(2))
    assert one == two
    assert [p.name for p in tmp_path.iterdir()] == [small(tmp_path).root.name]


def test_a_failed_write_raises_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="no space left"):
        small(tmp_path).pairs()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": {}}, "got 0"),
        ({"classes": {"a": 1, "b": 2, "c": 3, "d": 4}}, "1-3 classes, got 4"),
        ({"classes": {"a": 1, "b": 1}}, "distinct"),
        ({"classes": {"a": 0}}, "1-255"),
        ({"classes": {"a": 256}}, "1-255"),
        ({"size": 31}, "size=31"),
        ({"patients": 0}, "patients=0"),
        ({"frames": 0}, "frames=0"),
    ],
)
def test_impossible_parameters_raise(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        Synthetic(**{"root": str(tmp_path), "classes": ORGAN} | change)
