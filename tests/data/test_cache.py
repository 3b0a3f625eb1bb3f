"""The cache: decoded once, keyed by contents, atomic."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from seg.data import cache
from seg.data.cache import Preprocessing, image_to_size, load, mask_to_size
from seg.data.images import DataErrors
from seg.data.sources.folder import Folder

PRE = Preprocessing(size=(20, 24), channels=3, classes=None, ignore_value=None)


def test_arrays_hold_what_the_files_hold(folder: Path, tmp_path: Path) -> None:
    pairs = Folder(root=str(folder)).pairs()
    full = Preprocessing(size=(40, 48), channels=3, classes=None, ignore_value=None)
    cached = load(pairs, full, folder=tmp_path / "c")
    for i, pair in enumerate(pairs):
        assert np.array_equal(cached.images[i], np.array(Image.open(pair.image)))
        assert np.array_equal(cached.masks[i], np.array(Image.open(pair.mask)) // 255)
    assert cached.foreground.tolist() == [float(np.mean(m > 0)) for m in cached.masks]


def test_a_second_load_decodes_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = Folder(root=str(folder)).pairs()
    first = load(pairs, PRE, folder=tmp_path / "c")
    monkeypatch.setattr(cache, "read_pair", lambda *a: pytest.fail("decoded again"))
    again = load(pairs, PRE, folder=tmp_path / "c")
    assert np.array_equal(first.images, again.images)


def test_an_edited_mask_of_equal_size_is_seen(folder: Path, tmp_path: Path) -> None:
    pairs = Folder(root=str(folder)).pairs()
    before = load(pairs, PRE, folder=tmp_path / "c").masks[1].copy()
    path = pairs[1].mask
    times = path.stat()
    cv2.imwrite(str(path), 255 - cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    import os

    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert np.array_equal(load(pairs, PRE, folder=tmp_path / "c").masks[1], 1 - before)


def test_all_bad_files_are_named_and_nothing_is_left(folder: Path, tmp_path: Path) -> None:
    (folder / "images" / "case_1.png").write_bytes(b"")
    data = (folder / "masks" / "case_2.png").read_bytes()
    (folder / "masks" / "case_2.png").write_bytes(data[: len(data) // 2])
    stray = np.array(Image.open(folder / "masks" / "case_3.png"))
    stray[0, 0] = 7
    Image.fromarray(stray).save(folder / "masks" / "case_3.png")
    Image.new("L", (9, 9)).save(folder / "masks" / "case_5.png")
    with pytest.raises(DataErrors) as caught:
        load(Folder(root=str(folder)).pairs(), PRE, folder=tmp_path / "c")
    for i in (1, 2, 3, 5):
        assert f"case_{i}.png" in str(caught.value)
    assert "4 files" in str(caught.value)
    assert "7" in str(caught.value)
    assert list((tmp_path / "c").iterdir()) == []


def test_a_build_that_was_beaten_uses_the_winners_result(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = Folder(root=str(folder)).pairs()
    decode = cache._decode_all

    def race(*args: object) -> bool:
        done = decode(*args)
        monkeypatch.setattr(cache, "_decode_all", decode)
        load(pairs, PRE, folder=tmp_path / "c")  # another process is done first
        return done

    monkeypatch.setattr(cache, "_decode_all", race)
    assert len(load(pairs, PRE, folder=tmp_path / "c").images) == 12
    assert len(list((tmp_path / "c").iterdir())) == 1


def test_sixteen_bits_are_kept_as_floats_and_equal_the_eight_bit_copy(
    folder: Path, tmp_path: Path
) -> None:
    pairs = Folder(root=str(folder)).pairs()
    eight = load(pairs, PRE, folder=tmp_path / "c").images[:].astype(np.float32)
    for pair in pairs:
        deep = cv2.imread(str(pair.image), cv2.IMREAD_UNCHANGED).astype(np.uint16) * 257
        cv2.imwrite(str(pair.image), deep)
    sixteen = load(pairs, PRE, folder=tmp_path / "c")
    assert sixteen.images.dtype == np.float32
    assert np.abs(sixteen.images - eight).max() <= 0.5  # the rounding of the resized 8-bit image


def test_masks_are_resized_without_new_values_and_images_stay_in_range() -> None:
    rng = np.random.default_rng(0)
    mask = rng.choice(np.array([0, 3, 255], np.uint8), (65, 97))
    assert set(np.unique(mask_to_size(mask, (128, 128)))) <= {0, 3, 255}
    grey = rng.integers(0, 255, (65, 97, 1), dtype=np.uint8)
    assert image_to_size(grey, (32, 40)).shape == (32, 40, 1)


def test_image_and_mask_stay_aligned_under_resizing() -> None:
    # The same picture through both paths: nearest of a blurred edge against area averaging.
    mask = np.zeros((200, 300), np.uint8)
    cv2.circle(mask, (170, 90), 60, 1, -1)
    small = mask_to_size(mask, (67, 101))
    image = image_to_size(np.repeat(mask[..., None] * 255, 3, 2), (67, 101))[..., 0] > 127
    assert np.mean(image != small) < 0.01
    ys, xs = np.nonzero(small)
    yi, xi = np.nonzero(image)
    assert abs(ys.mean() - yi.mean()) < 0.1
    assert abs(xs.mean() - xi.mean()) < 0.1


def test_input_files_are_never_written_to(folder: Path, tmp_path: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*.png")}
    load(Folder(root=str(folder)).pairs(), PRE, folder=tmp_path / "c")
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*.png")}
