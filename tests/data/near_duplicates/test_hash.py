"""Copies are detected however they were saved; images that only look alike are not."""

import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.fft import dctn

from seg.data.images import read_image
from seg.data.near_duplicates import hash, verify
from seg.data.near_duplicates.hash import Fingerprints, empty, fingerprint, near_pairs, stack

Image = np.ndarray


def texture(seed: int, *, size: tuple[int, int] = (160, 200)) -> Image:
    """(H, W, 3) uint8 clouds with detail at every scale, as tissue has."""
    rng = np.random.default_rng(seed)
    total = np.zeros((*size, 3), np.float32)
    for cells in (3, 6, 12, 24, 48):
        noise = rng.normal(size=(cells, cells, 3)).astype(np.float32) / cells**0.7
        total += cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
    low, high = np.quantile(total, [0.005, 0.995])
    return to_uint8((total - low) * 230 / (high - low) + 12)


def to_uint8(values: np.ndarray) -> Image:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def resized(image: Image, width: int, height: int) -> Image:
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def cropped(image: Image, top: float, bottom: float, left: float, right: float) -> Image:
    height, width = image.shape[:2]
    rows = slice(round(height * top), height - round(height * bottom))
    return image[rows, round(width * left) : width - round(width * right)]


def labelled(image: Image) -> Image:
    height, width = image.shape[:2]
    image = image.copy()
    where = (width // 20, height // 8)
    cv2.putText(image, "L 0173", where, cv2.FONT_HERSHEY_SIMPLEX, width / 500, (255,) * 3, 1)
    return image


def grey(image: Image) -> Image:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]


COPIES: dict[str, Callable[[Image], Image]] = {
    "JPEG 95": lambda image: jpeg(image, 95),
    "half size": lambda image: resized(image, image.shape[1] // 2, image.shape[0] // 2),
    "256x256": lambda image: resized(image, 256, 256),
    "other aspect": lambda image: resized(image, 240, 150),
    "brighter": lambda image: to_uint8(image * 1.1),
    "less contrast": lambda image: to_uint8((image - 128.0) * 0.9 + 128),
    "more contrast": lambda image: to_uint8((image - 128.0) * 1.1 + 128),
    "gamma": lambda image: to_uint8(255 * (image / 255) ** 1.1),
    "blur": lambda image: cv2.GaussianBlur(image, (0, 0), image.shape[1] / 200),
    "crop 2 %": lambda image: cropped(image, 0.02, 0.02, 0.02, 0.02),
    "crop 3 %": lambda image: cropped(image, 0.03, 0.03, 0.03, 0.03),
    "crop 5 %": lambda image: cropped(image, 0.05, 0.05, 0.05, 0.05),
    "crop of a corner": lambda image: cropped(image, 0.05, 0, 0.05, 0),
    "crop of one side": lambda image: cropped(image, 0, 0, 0, 0.03),
    "label": labelled,
    "grey": grey,
    "float": lambda image: image.astype(np.float32) / 16,  # 12 bits kept in 16
    "all at once": lambda image: jpeg(
        labelled(resized(cropped(image, 0.02, 0.01, 0.02, 0.01), 180, 180)), 75
    ),
}
REAL_COPIES = {name: copy for name, copy in COPIES.items() if name != "float"}
REAL_COPIES["JPEG 30"] = lambda image: jpeg(image, 30)


@pytest.fixture(scope="module")
def textures() -> list[Image]:
    return [texture(seed) for seed in range(40)]


@pytest.fixture(scope="module")
def originals(textures: list[Image]) -> Fingerprints:
    return fingerprints(textures)


def fingerprints(images: Sequence[Image]) -> Fingerprints:
    return stack([fingerprint(image) for image in images])


def same(count: int) -> list[tuple[int, int]]:
    return [(i, i) for i in range(count)]


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found_and_nothing_else(
    name: str, textures: list[Image], originals: Fingerprints
) -> None:
    copies = fingerprints([COPIES[name](image) for image in textures])
    assert near_pairs(originals, copies) == same(len(textures))


def test_different_images_are_no_pair(originals: Fingerprints) -> None:
    assert near_pairs(originals) == []


def test_images_with_the_same_frame_and_vignette_are_no_pair() -> None:
    """As endoscopes make them: black corners, a light centre, an inset, the patient's data."""
    rows, columns = np.mgrid[-1:1:160j, -1:1:160j]
    disc = np.exp(-3 * np.hypot(rows, columns) ** 4)[..., None]
    images = [to_uint8(texture(seed, size=(160, 160)) * disc * 0.9) for seed in range(30)]
    for image in images:
        image[120:, :50] = (10, 120, 10)
        labelled(image)
    assert near_pairs(fingerprints(images)) == []


def test_a_large_crop_is_another_image(textures: list[Image], originals: Fingerprints) -> None:
    crops = fingerprints([cropped(image, 0.1, 0.1, 0.1, 0.1) for image in textures])
    assert near_pairs(originals, crops) == []


def test_an_image_stretched_as_no_crop_is_is_another_image(textures: list[Image]) -> None:
    """Taller and narrower at once: sparse slices of different heads would match otherwise."""
    wide = fingerprints([cropped(image, 0.05, 0.05, 0, 0) for image in textures])
    tall = fingerprints([cropped(image, 0, 0, 0.05, 0.05) for image in textures])
    assert near_pairs(wide, tall) == []


def test_pairs_within_a_set_are_named_once_in_order(textures: list[Image]) -> None:
    a, b, c = textures[:3]
    prints = fingerprints([a, b, a, c, jpeg(b, 80), a])
    pairs = [(0, 2), (0, 5), (1, 4), (2, 5)]
    assert near_pairs(prints) == pairs


def _reference_hash(thumbnail: np.ndarray) -> list[int]:
    """256 bits, square after square of frequencies, each by rows."""
    spectrum = dctn(thumbnail.astype(float), type=2)
    bits = []
    for size in range(16):
        for u in range(size + 1):
            for v in range(size + 1):
                if max(u, v) == size:
                    bits.append(int(spectrum[u, v] > 0 and (u, v) != (0, 0)))
    return bits


def test_the_hash_is_the_signs_of_the_cosine_transform(textures: list[Image]) -> None:
    for image in textures[:5]:
        prints = fingerprint(image)
        bits = np.unpackbits(prints.hash.view(np.uint8)).tolist()
        assert bits == _reference_hash(prints.thumbnail)


def test_the_thumbnail_is_the_grey_image_made_smaller(textures: list[Image]) -> None:
    image = texture(7, size=(256, 384))
    weighted = image @ np.array([0.299, 0.587, 0.114])
    small = weighted.reshape(128, 2, 128, 3).mean(axis=(1, 3))
    expected = (small - small.min()) * 255 / np.ptp(small)
    assert np.abs(fingerprint(image).thumbnail - expected).max() < 0.51


def _reference_near(a: list[list[int]], b: list[list[int]], low: int, every: int) -> set:
    near = set()
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            distances = [(p ^ q).bit_count() for p, q in zip(x, y, strict=True)]
            if distances[0] <= low and sum(distances) <= every:
                near.add((i, j))
    return near


@pytest.mark.parametrize("upper", [False, True])
def test_candidates_are_those_of_a_search_by_hand(upper: bool) -> None:
    rng = np.random.default_rng(0)
    centre = rng.integers(0, 2, 256)

    def hashes(count: int) -> np.ndarray:
        flipped = rng.random((count, 256)) < rng.uniform(0, 0.35, (count, 1))
        return np.packbits(centre ^ flipped, axis=1).view(np.uint64)

    left = [hashes(40) for _ in range(3)]
    right = left if upper else [hashes(50) for _ in range(3)]
    limits = {"low": hash._LOW_BITS, "every": hash._ALL_BITS}
    expected = set()
    for x, y in ((0, 0), (0, 1), (1, 0), (0, 2), (2, 0)):
        expected |= _reference_near(left[x].tolist(), right[y].tolist(), **limits)
    rows = slice(10, 30)
    first = 11 if upper else 0
    expected = {(i, j) for i, j in expected if 10 <= i < 30 and j >= first and (j > i or not upper)}
    i, j, cut = hash._candidates(left, right, rows, slice(first, None), upper=upper)
    assert len(expected) > 50
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == sorted(expected)
    for m, n, k in zip(i.tolist(), j.tolist(), cut.tolist(), strict=True):
        to_cut = {c: (left[max(c, 0)][m] ^ right[max(-c, 0)][n]) for c in range(-2, 3)}
        bits = {c: int(np.bitwise_count(x).sum()) for c, x in to_cut.items()}
        fits = [c for c, x in to_cut.items() if int(x[0]).bit_count() <= limits["low"]]
        assert bits[k] == min(bits[c] for c in fits)


def test_which_set_comes_first_makes_no_difference(textures: list[Image]) -> None:
    a = fingerprints(textures)
    b = fingerprints([cropped(image, 0.03, 0, 0.02, 0.01) for image in textures[::-1]])
    pairs = near_pairs(a, b)
    assert len(pairs) == len(textures)
    assert near_pairs(b, a) == sorted((j, i) for i, j in pairs)


def test_not_even_a_borderline_pair_depends_on_which_comes_first(
    textures: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = fingerprints(textures)
    b = fingerprints([cropped(image, 0.03, 0.03, 0.03, 0.03) for image in textures])
    some = []
    for threshold in (0.97, 0.98, 0.985, 0.99, 0.995):
        monkeypatch.setattr(verify, "_AGREEMENT", threshold)
        pairs = near_pairs(a, b)
        assert near_pairs(b, a) == sorted((j, i) for i, j in pairs)
        some.append(0 < len(pairs) < len(textures))
    assert any(some)


def test_the_order_of_a_set_makes_no_difference(textures: list[Image]) -> None:
    images = textures + [jpeg(image, 60) for image in textures[:20]]
    order = np.random.default_rng(0).permutation(len(images))
    shuffled = near_pairs(fingerprints([images[k] for k in order]))
    assert {frozenset((int(order[i]), int(order[j]))) for i, j in shuffled} == {
        frozenset((i, i + 40)) for i in range(20)
    }


@pytest.mark.parametrize(("cells", "batch"), [(1, 1), (150, 3), (1 << 30, 1 << 20)])
def test_the_chunks_make_no_difference(
    cells: int, batch: int, textures: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = textures[:12] + [labelled(image) for image in textures[:12]]
    expected = [(i, i + 12) for i in range(12)]
    monkeypatch.setattr(hash, "_CELLS", cells)
    monkeypatch.setattr(hash, "_BATCH", batch)
    prints = fingerprints(images)
    assert near_pairs(prints) == expected
    assert near_pairs(prints, prints) == sorted(
        expected + [(j, i) for i, j in expected] + same(len(images))
    )


def test_memory_does_not_grow_with_the_square_of_the_set() -> None:
    rng = np.random.default_rng(0)
    thumbnails = rng.integers(0, 256, (2000, 128, 128), dtype=np.uint8)
    hashes = rng.integers(0, 2**63, (2000, 4), dtype=np.uint64)
    prints = Fingerprints(hashes, thumbnails, np.zeros(2000, dtype=bool))
    tracemalloc.start()
    near_pairs(prints)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < thumbnails.nbytes  # 33 MB


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((50, 60, 3), np.uint8),
        np.full((50, 60, 1), 31.7, np.float32),
        np.random.default_rng(0).integers(0, 3, (64, 64, 1), dtype=np.uint8),
        np.where(np.random.default_rng(0).random((64, 64, 3)) < 0.001, 255, 0).astype(np.uint8),
    ],
    ids=["black", "constant", "a little noise", "a few bright pixels"],
)
def test_images_of_one_value_or_nearly_are_blank_and_in_no_pair(image: Image) -> None:
    prints = fingerprints([image, image])
    assert prints.blank.all()
    assert near_pairs(prints) == []


@pytest.mark.parametrize("cells", [0, 1], ids=["dot", "texture"])
def test_images_that_show_something_are_not_blank(cells: int) -> None:
    """A dot is too little for a thumbnail to tell, but equal files that show it are duplicates."""
    prints = fingerprints([texture(0) if cells else _with_a_dot(255)])
    assert not prints.blank.any()
    assert prints.usable.all() == bool(cells)


def _with_a_dot(level: int) -> Image:
    image = np.zeros((96, 96, 1), np.uint8)
    image[40:52, 40:50] = level
    return image


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((50, 60, 3), np.uint8),
        np.full((50, 60, 1), 200, np.uint8),
        np.full((50, 60, 3), 31.7, np.float32),
        np.random.default_rng(0).integers(0, 2, (50, 60, 1)).astype(np.float32) * 0.5,
        _with_a_dot(255),
    ],
    ids=["black", "constant", "constant float", "rounding", "dot"],
)
def test_an_image_without_structure_is_unusable_and_in_no_pair(
    image: Image, originals: Fingerprints
) -> None:
    prints = fingerprints([image, texture(0), image])
    assert prints.usable.tolist() == [False, True, False]
    assert near_pairs(prints) == []
    assert near_pairs(originals, prints) == [(0, 1)]
    assert near_pairs(prints, originals) == [(1, 0)]


@pytest.mark.parametrize("size", [(3, 3), (1, 500), (500, 1), (1, 1), (65, 97)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_has_a_fingerprint(size: tuple[int, int], channels: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, channels), dtype=np.uint8)
    prints = fingerprints([image, image])
    assert prints.thumbnails.shape == (2, 128, 128)
    assert near_pairs(prints) == ([(0, 1)] if prints.usable.all() else [])


def test_a_long_thin_image_is_averaged_not_sampled() -> None:
    rng = np.random.default_rng(0)
    line = rng.integers(0, 256, (1, 1280, 1), dtype=np.uint8)
    means = line.reshape(128, 10).mean(axis=1)
    expected = (means - means.min()) * 255 / np.ptp(means)
    assert np.abs(fingerprint(line).thumbnail - expected).max() < 1


def test_an_empty_set_has_no_pairs(originals: Fingerprints) -> None:
    none = fingerprints(np.zeros((0, 8, 8, 3), np.uint8))
    pairs = near_pairs(none), near_pairs(none, originals), near_pairs(originals, none)
    assert pairs == ([], [], [])


def test_progress_sees_every_step(textures: list[Image], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[int]] = {}

    def progress(steps, total, label):
        seen[label] = [total, 0]
        for step in steps:
            seen[label][1] += 1
            yield step

    monkeypatch.setattr(hash, "_CELLS", 10 * len(textures))
    near_pairs(fingerprints(textures), progress=progress)
    assert seen == {"near-duplicates": [4, 4]}


def test_room_that_is_not_filled_is_unusable(textures: list[Image]) -> None:
    prints = empty(3)
    assert (prints.hashes.shape, prints.hashes.dtype) == ((3, 4), np.uint64)
    assert (prints.thumbnails.shape, prints.thumbnails.dtype) == ((3, 128, 128), np.uint8)
    assert not prints.usable.any()
    for k in (0, 2):
        prints.hashes[k], prints.thumbnails[k], prints.blank[k] = fingerprint(textures[5])
    assert prints.usable.tolist() == [True, False, True]
    assert near_pairs(prints) == [(0, 2)]


def test_single_fingerprints_are_stacked_in_their_order(textures: list[Image]) -> None:
    stacked = stack([fingerprint(textures[0]), None, fingerprint(textures[1])])
    expected = fingerprints([textures[0], np.zeros((9, 9, 3), np.uint8), textures[1]])
    assert stacked.usable.tolist() == [True, False, True]
    np.testing.assert_array_equal(stacked.hashes, expected.hashes)
    np.testing.assert_array_equal(stacked.thumbnails, expected.thumbnails)
    assert near_pairs(stack([])) == []


# Real images.


def _read(paths: list[Path]) -> list[Image]:
    assert paths
    return [read_image(path, channels=3) for path in sorted(paths)]


def _names(paths: list[Path], pairs: list[tuple[int, int]]) -> set[tuple[str, str]]:
    stems = [path.stem for path in sorted(paths)]
    return {(stems[i], stems[j]) for i, j in pairs}


@pytest.fixture(scope="module")
def polyps(real: Path) -> Fingerprints:
    return fingerprints(_read(list((real / "kvasir_seg_256" / "images").iterdir())))


def test_no_two_polyps_and_no_two_retinas_are_duplicates(real: Path, polyps: Fingerprints) -> None:
    retinas = fingerprints(_read(list((real / "chase_db1" / "images").iterdir())))
    assert polyps.usable.all()
    assert retinas.usable.all()
    assert near_pairs(polyps) == []
    assert near_pairs(retinas) == []
    assert near_pairs(polyps, retinas) == []


def test_native_images_are_found_among_the_resized_ones(real: Path, polyps: Fingerprints) -> None:
    native = sorted((real / "kvasir_seg_native" / "images").iterdir())
    small = sorted((real / "kvasir_seg_256" / "images").iterdir())
    names = [path.stem for path in small]
    expected = [(i, names.index(p.stem)) for i, p in enumerate(native) if p.stem in names]
    assert len(expected) == 4
    assert near_pairs(fingerprints(_read(native)), polyps) == expected


def test_the_cells_that_were_cut_out_twice_are_found_and_no_others(real: Path) -> None:
    paths = list((real / "wbc").rglob("*.bmp"))
    assert _names(paths, near_pairs(fingerprints(_read(paths)))) == {
        ("112", "139"),  # byte-equal
        ("071", "084"),  # one cell, the second cut out a few pixels further right and down
        ("166", "171"),  # one cell and its surroundings, resampled
    }
    # 157 and 158, 167 and 169 are one cell each, too, but parts of the pictures differ


def test_only_neighbouring_slices_of_one_patient_are_near(real: Path) -> None:
    """Also where two heads look alike in a thumbnail."""
    paths = [p for p in real.glob("lgg*/*/*/*.tif") if not p.stem.endswith("_mask")]
    assert len({p.parent.name for p in paths}) == 14
    prints = fingerprints(_read(paths))
    names = [p.stem for p in sorted(paths)]
    nearly_black = "TCGA_HT_7686_19950629_20"  # mean grey 3, no brain left in the slice
    assert [names[k] for k in np.flatnonzero(~prints.usable)] == [nearly_black]
    pairs = _names(paths, near_pairs(prints))
    assert 10 < len(pairs) < 80
    for one, other in pairs:
        patient, number = one.rsplit("_", 1)
        assert other.rsplit("_", 1)[0] == patient
        assert abs(int(other.rsplit("_", 1)[1]) - int(number)) <= 2


RETINAS = "chase_db1/images/*"
SHARES = {
    "kvasir_seg_256/images/*": (10, 0.95),
    "wbc/images/*": (10, 0.95),
    RETINAS: (4, 0.95),
    "lgg/kaggle_3m/*/*[0-9].tif": (7, 0.9),
}


@pytest.fixture(scope="module")
def sampled(real: Path) -> dict[str, tuple[list[Image], Fingerprints]]:
    """Every tenth or so of the real images, those without structure left out."""
    samples = {}
    for pattern, (step, _) in SHARES.items():
        images = _read(sorted(real.glob(pattern))[::step])
        usable = fingerprints(images).usable
        images = [image for image, keep in zip(images, usable, strict=True) if keep]
        samples[pattern] = images, fingerprints(images)
    return samples


@pytest.mark.parametrize("name", REAL_COPIES)
def test_copies_of_real_images_are_found(
    name: str, sampled: dict[str, tuple[list[Image], Fingerprints]]
) -> None:
    for pattern, (images, prints) in sampled.items():
        copies = fingerprints([REAL_COPIES[name](image) for image in images])
        pairs = near_pairs(prints, copies)
        detected = sum((i, i) in pairs for i in range(len(images)))
        assert len(images) >= 7
        # of a cropped retina, with its thin vessels, every second is found
        share = 0.5 if (name, pattern) == ("crop 5 %", RETINAS) else SHARES[pattern][1]
        assert detected >= share * len(images), pattern


def test_blank_images_are_those_of_a_search_by_hand() -> None:
    def by_hand(image: Image) -> bool:
        away = np.abs(image.astype(np.float32) - np.median(image, axis=(0, 1))) > 3
        return bool(away.any(axis=2).mean() < 0.005)

    rng, found = np.random.default_rng(0), []
    for _ in range(600):
        image = np.full((*rng.integers(1, 90, 2), rng.integers(1, 5)), rng.integers(250), np.uint8)
        changed = rng.random(image.shape) < rng.choice([0, 0.001, 0.003, 0.005, 0.01, 0.5])
        image[changed] += np.uint8(rng.integers(6))
        found.append(fingerprint(image).blank)
        assert found[-1] == by_hand(image) == fingerprint(image.astype(np.float32)).blank
    assert 100 < sum(found) < 500


def test_thumbnails_in_a_file_give_the_same_pairs(tmp_path: Path) -> None:
    images = [texture(seed) for seed in range(4)]
    prints = stack([fingerprint(image) for image in [*images, jpeg(images[2], 50)]])
    kept = empty(5, folder=tmp_path)
    kept.hashes[:], kept.thumbnails[:] = prints.hashes, prints.thumbnails
    assert near_pairs(kept) == near_pairs(prints) == [(2, 4)]
    assert list(tmp_path.iterdir()) == []
