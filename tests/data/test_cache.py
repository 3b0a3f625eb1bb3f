"""The cache: decoded once, keyed by contents, atomic, and cleared of what kills leave behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from seg.data import cache
from seg.data.cache import file_problems, load
from seg.data.cache_folder import cache_sizes, clear
from seg.data.errors import DataErrors
from seg.data.images import read_image
from seg.data.near_duplicates import hash
from seg.data.preprocess import Preprocessing
from seg.data.sources.folder import Folder

PRE = Preprocessing(size=(20, 24), channels=3, classes=None, ignore_value=None)


def test_arrays_hold_what_the_files_hold(folder: Path, tmp_path: Path) -> None:
    pairs = Folder(root=str(folder)).pairs()
    full = Preprocessing(size=(40, 48), channels=3, classes=None, ignore_value=None)
    cached = load(pairs, full, folder=tmp_path / "c")
    for i, pair in enumerate(pairs):
        assert np.array_equal(cached.images[i], np.array(Image.open(pair.image)))
        assert np.array_equal(cached.masks[i], np.array(Image.open(pair.mask_paths[0])) // 255)
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
    path = pairs[1].mask_paths[0]
    times = path.stat()
    cv2.imwrite(str(path), 255 - cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
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
    assert "4 problems" in str(caught.value)
    assert "7" in str(caught.value)
    assert list((tmp_path / "c").iterdir()) == []


def test_a_build_that_finishes_second_uses_the_first_result(
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


def test_input_files_are_never_written_to(folder: Path, tmp_path: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*.png")}
    load(Folder(root=str(folder)).pairs(), PRE, folder=tmp_path / "c")
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*.png")}


# What is stored.


def test_foreground_is_measured_before_resizing_and_without_ignored_pixels(
    folder: Path, tmp_path: Path
) -> None:
    mask = np.zeros((40, 48), np.uint8)
    mask[0, :24] = 255
    mask[5:10] = 7
    Image.fromarray(mask).save(folder / "masks" / "case_0.png")
    pairs = Folder(root=str(folder)).pairs()
    cached = load(pairs, replace(PRE, ignore_value=7), folder=tmp_path / "c")
    assert cached.foreground[0] == 24 / (40 * 48)
    assert (cached.masks[0] == 255).any()
    assert cached.sizes.tolist() == [[40, 48]] * 12


def test_near_duplicates_are_those_of_the_images_at_their_own_size(
    folder: Path, tmp_path: Path
) -> None:
    copy = cv2.convertScaleAbs(cv2.imread(str(folder / "images" / "case_2.png")), None, 0.9, 9)
    cv2.imwrite(str(folder / "images" / "case_7.png"), copy)
    pairs = Folder(root=str(folder)).pairs()
    cached = load(pairs, replace(PRE, size=(2, 2)), folder=tmp_path / "c")
    reference = hash.stack([hash.fingerprint(read_image(p.image, channels=3)) for p in pairs])
    assert cached.near.tolist() == [[2, 7]]
    assert cached.near.tolist() == [list(p) for p in hash.near_pairs(reference)]


def test_without_near_duplicates_there_are_no_rows(folder: Path, tmp_path: Path) -> None:
    cached = load(Folder(root=str(folder)).pairs(), PRE, folder=tmp_path / "c")
    assert cached.near.shape == (0, 2)


# The key.


@pytest.mark.parametrize(
    "changed",
    [
        {"size": (20, 20)}, {"channels": 1}, {"classes": {"disc": 255}}, {"ignore_value": 9},
        {"window": (0.0, 99.0)}, {"window": "percentile"},
    ],
    ids=str,
)  # fmt: skip
def test_every_setting_has_a_cache_of_its_own(folder: Path, tmp_path: Path, changed: dict) -> None:
    pairs = Folder(root=str(folder)).pairs()
    first = load(pairs, PRE, folder=tmp_path / "c").path
    second = load(pairs, replace(PRE, **changed), folder=tmp_path / "c").path
    assert first != second
    assert load(pairs, PRE, folder=tmp_path / "c").path == first


def test_another_window_gives_other_pixels(folder: Path, tmp_path: Path) -> None:
    pairs = Folder(root=str(folder)).pairs()
    for pair in pairs:
        deep = np.full((40, 48), 300, np.uint16)
        deep[:20] = 100
        cv2.imwrite(str(pair.image), deep)
    low = load(pairs, replace(PRE, window=(0.0, 200.0)), folder=tmp_path / "c").images
    high = load(pairs, replace(PRE, window=(200.0, 400.0)), folder=tmp_path / "c").images
    assert (low[0, 0, 0, 0], low[0, -1, 0, 0]) == (127.5, 255)
    assert (high[0, 0, 0, 0], high[0, -1, 0, 0]) == (0, 127.5)


def test_slices_along_another_axis_are_other_cases(tmp_path: Path) -> None:
    """The cases of a cube have the same names along every axis."""
    nibabel = pytest.importorskip("nibabel", reason="reads NIfTI; in the medical extra")
    volume = np.zeros((6, 6, 6), np.uint8)
    volume[0] = 1
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / part / "v.nii")
    masks = {}
    for axis in (0, 2):
        pairs = Folder(root=str(tmp_path), axis=axis).pairs()
        masks[axis] = load(pairs, replace(PRE, size=(6, 6)), folder=tmp_path / "c").masks
    assert masks[0].any(axis=(1, 2)).tolist() == [True] + [False] * 5
    assert masks[2].any(axis=(1, 2)).tolist() == [True] * 6


def test_files_that_change_places_are_seen(folder: Path, tmp_path: Path) -> None:
    """The same names and the same contents, but not the same pairs."""
    pairs = Folder(root=str(folder)).pairs()
    before = load(pairs, PRE, folder=tmp_path / "c").masks[:].copy()
    one, other = pairs[1].mask_paths[0], pairs[2].mask_paths[0]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    after = load(pairs, PRE, folder=tmp_path / "c").masks
    assert np.array_equal(after[1], before[2])
    assert np.array_equal(after[2], before[1])


def test_a_file_is_hashed_once_however_many_cases_it_has(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = Folder(root=str(folder)).pairs()
    slices = [replace(pairs[1], case=f"{i}", plane=(0, i)) for i in range(5)]
    digest, read = cache.hashlib.file_digest, []

    def counted(handle, name):
        read.append(handle.name)
        return digest(handle, name)

    monkeypatch.setattr(cache.hashlib, "file_digest", counted)
    cached = load([pairs[0], *slices], PRE, folder=tmp_path / "c")
    files = {str(p) for pair in pairs[:2] for p in (pair.image, pair.mask_paths[0])}
    assert sorted(read) == sorted(files)
    assert len(cached.image_sha256) == 6
    assert len(set(cached.image_sha256)) == 2


# Faults.


def test_other_problems_of_the_set_come_in_the_same_message(folder: Path, tmp_path: Path) -> None:
    (folder / "images" / "case_1.png").write_bytes(b"")
    (folder / "masks" / "case_2.png").write_bytes(b"no picture")
    pairs = Folder(root=str(folder)).pairs()
    with pytest.raises(DataErrors) as caught:
        load(pairs, PRE, folder=tmp_path / "c", problems=["x.png: no mask"])
    assert caught.value.messages[0] == "x.png: no mask"
    assert [Path(m.split(":")[0]).name for m in caught.value.messages[1:]] == [
        "case_1.png", "case_2.png",
    ]  # fmt: skip
    assert not (tmp_path / "c").exists()


def test_problems_alone_are_raised_where_all_pairs_are_sound(folder: Path, tmp_path: Path) -> None:
    pairs = Folder(root=str(folder)).pairs()
    load(pairs, PRE, folder=tmp_path / "c")  # and where a cache of them is there already
    with pytest.raises(DataErrors) as caught:
        load(pairs, PRE, folder=tmp_path / "c", problems=["x.png: no mask"])
    assert caught.value.messages == ["x.png: no mask"]
    assert file_problems(pairs, PRE) == []


def test_files_that_cannot_be_opened_and_such_that_cannot_be_decoded_come_at_once(
    folder: Path, tmp_path: Path
) -> None:
    pairs = Folder(root=str(folder)).pairs()
    (folder / "images" / "case_1.png").unlink()
    (folder / "masks" / "case_4.png").unlink()
    (folder / "masks" / "case_4.png").symlink_to(tmp_path / "gone.png")
    (folder / "images" / "case_6.png").write_bytes(b"no picture")
    with pytest.raises(DataErrors) as caught:
        load(pairs, PRE, folder=tmp_path / "c")
    assert [Path(m.split(":")[0]).name for m in caught.value.messages] == [
        "case_1.png", "case_4.png", "case_6.png",
    ]  # fmt: skip


def test_a_disk_that_is_too_small_is_said_before_anything_is_decoded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=12 * 20 * 24 * 4 - 1)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage)
    pairs = Folder(root=str(folder)).pairs()
    with pytest.raises(OSError, match="dataset.cache_dir"):
        load(pairs, PRE, folder=tmp_path / "c")
    assert list((tmp_path / "c").iterdir()) == []


def test_long_work_is_announced_step_by_step(folder: Path, tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}

    def counted(steps: Iterator, total: int, label: str) -> Iterator:
        done = 0
        for step in steps:
            done += 1
            yield step
        seen[label] = (done, total)

    load(Folder(root=str(folder)).pairs(), PRE, folder=tmp_path / "c", progress=counted)
    assert seen["checking files"] == (24, 24)
    assert seen["decoding"] == (12, 12)
    assert all(done == total for done, total in seen.values())


# Several processes.

CHILD = """
import sys, time
from pathlib import Path
from seg.data import cache
from seg.data.preprocess import Preprocessing
from seg.data.sources.folder import Folder

root, folder, builders = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
decode = cache._decode_all

def together(*args):
    until = time.monotonic() + 30
    while len(list(folder.iterdir())) < builders and time.monotonic() < until:
        time.sleep(0.01)
    return decode(*args)

cache._decode_all = together
pre = Preprocessing(size=(20, 24), channels=3, classes=None, ignore_value=None)
made = cache.load(Folder(root=root).pairs(), pre, folder=folder)
print(made.path.name, int(made.images.sum()), int(made.masks.sum()))
"""


def child(root: Path, folder: Path, builders: int) -> subprocess.Popen:
    """A process that builds the cache, but waits until so many are building in `folder`."""
    command = [sys.executable, "-c", CHILD, str(root), str(folder), str(builders)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_that_build_one_cache_both_succeed(folder: Path, tmp_path: Path) -> None:
    both = [child(folder, tmp_path / "c", 2) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert [p.name for p in (tmp_path / "c").iterdir()] == [outputs[0][0].split()[0]]
    ours = load(Folder(root=str(folder)).pairs(), PRE, folder=tmp_path / "c")
    expected = (ours.path.name, int(ours.images.sum()), int(ours.masks.sum()))
    assert outputs[0][0].split() == [str(x) for x in expected]


def test_what_a_killed_build_leaves_is_removed_by_the_next_and_a_living_one_is_not(
    folder: Path, tmp_path: Path
) -> None:
    where = tmp_path / "c"
    killed, living = child(folder, where, 9), child(folder, where, 9)
    try:
        until = time.monotonic() + 60
        while len(list(where.glob(".*"))) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait(timeout=30)
        assert len(list(where.glob(".*"))) == 2
        made = load(Folder(root=str(folder)).pairs(), PRE, folder=where)
        left = list(where.glob(".*"))
        assert len(left) == 1
        assert f"-{living.pid}-" in left[0].name
        assert made.path.is_dir()
    finally:
        for process in (killed, living):
            process.kill()
            process.communicate()


NAME = "20x24-" + "0123456789abcdef0123"


@pytest.mark.parametrize(
    ("host", "hours", "stays"),
    [("elsewhere", 1, True), ("else-where.org", 30, False), (None, 1, True)],
)
def test_another_machines_build_is_dead_when_long_silent(
    folder: Path, tmp_path: Path, host: str | None, hours: int, stays: bool
) -> None:
    """Processes of another machine cannot be checked. None: this machine, this process."""
    other = tmp_path / "c" / f".{NAME}-{host or socket.gethostname()}-{os.getpid()}-x_1"
    other.mkdir(parents=True)
    (other / "images.npy").write_bytes(b"x")
    for path in (other / "images.npy", other):
        os.utime(path, (time.time() - hours * 3600,) * 2)
    load(Folder(root=str(folder)).pairs(), PRE, folder=tmp_path / "c")
    assert other.is_dir() is stays


def test_a_build_that_still_writes_into_its_files_is_not_silent(
    folder: Path, tmp_path: Path
) -> None:
    """Its folder keeps the time of the last file that was made in it, which is early."""
    other = tmp_path / "c" / f".{NAME}-elsewhere-1-x"
    other.mkdir(parents=True)
    (other / "images.npy").write_bytes(b"x")
    os.utime(other, (time.time() - 30 * 3600,) * 2)
    load(Folder(root=str(folder)).pairs(), PRE, folder=tmp_path / "c")
    assert other.is_dir()


# What is kept.


def others(where: Path) -> list[Path]:
    """Things that are no caches, some of them named nearly so."""
    made = [
        where / "notes.txt",
        where / NAME,  # a file
        where / "20x24-0123" / "a.npy",
        where / f"my-{NAME}" / "a.npy",
        where / f"{NAME}.backup" / "a.npy",
        where / ".hidden" / "a.npy",
        where / "best.ckpt",
    ]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    return made


def test_stored_counts_the_bytes_of_every_cache(folder: Path, tmp_path: Path) -> None:
    where = tmp_path / "c"
    assert cache_sizes(where) == []
    pairs = Folder(root=str(folder)).pairs()
    small = load(pairs, PRE, folder=where).path
    large = load(pairs, replace(PRE, size=(40, 48)), folder=where).path
    unfinished = where / f".{NAME}-host-7-x"
    unfinished.mkdir()
    (unfinished / "images.npy").write_bytes(bytes(1000))
    others(where)
    sizes = dict(cache_sizes(where))
    assert sizes.keys() == {small, large, unfinished}
    assert sizes[unfinished] == 1000
    pixels = 12 * 40 * 48 * (3 + 1)
    assert pixels < sizes[large] < pixels + 4096
    assert sizes[small] == sum(len(f.read_bytes()) for f in small.iterdir())


def test_clear_deletes_caches_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    where = tmp_path / "c"
    assert clear(where) == 0
    pairs = Folder(root=str(folder)).pairs()
    load(pairs, PRE, folder=where)
    dead = where / f".{NAME}-host-7-x"
    dead.mkdir()
    os.utime(dead, (0, 0))
    kept = others(where)
    size = sum(size for _, size in cache_sizes(where))
    living = where / f".{NAME}-{socket.gethostname()}-{os.getpid()}-x"
    living.mkdir()
    assert clear(where) == size > 0
    assert sorted(p for p in where.rglob("*") if p.is_file()) == sorted(kept)
    assert cache_sizes(where) == [(living, 0)]
    assert len(load(pairs, PRE, folder=where).images) == 12


def test_classes_that_share_pixels_are_cached_as_planes(folder: Path, tmp_path: Path) -> None:
    pairs = Folder(root=str(folder)).pairs()
    classes = {"all": 255, "same": 255}
    indices = load(pairs, PRE, folder=tmp_path / "c")
    planes = load(pairs, replace(PRE, classes=classes, overlap=True), folder=tmp_path / "c")
    assert planes.masks.shape == (12, 20, 24, 2)
    for k in range(2):
        assert np.array_equal(planes.masks[..., k], indices.masks)
    assert planes.foreground.tolist() == indices.foreground.tolist()
    assert planes.sizes.tolist() == indices.sizes.tolist()
