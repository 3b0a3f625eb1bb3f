"""Classes that a mirror image exchanges, such as left and right: by their names, by their masks."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

# Words of opposite sides, and the flip that exchanges them. Short ones count only as whole words.
_HORIZONTAL = (
    ("left", "right"), ("links", "rechts"), ("linke", "rechte"), ("linker", "rechter"),
    ("linkes", "rechtes"), ("gauche", "droite"), ("gauche", "droit"), ("izquierda", "derecha"),
    ("izquierdo", "derecho"), ("sinistra", "destra"), ("sinistro", "destro"),
    ("sinister", "dexter"), ("l", "r"), ("lt", "rt"), ("lft", "rgt"), ("os", "od"),
)  # fmt: skip
_VERTICAL = (
    ("upper", "lower"), ("top", "bottom"), ("superior", "inferior"), ("oben", "unten"),
    ("obere", "untere"), ("oberer", "unterer"), ("haut", "bas"), ("sup", "inf"),
)  # fmt: skip
_WORDS = {"horizontal": _HORIZONTAL, "vertical": _VERTICAL}
_WHOLE = 4  # letters from which a word is also seen inside of another: leftlung
# Of two classes that the horizontal flip exchanges, the vertical one leaves each on its side.
_HARMLESS = {"horizontal": "vertical flip", "vertical": "horizontal flip"}

SAMPLE = 500  # masks that are looked at
GRID = 32  # cells along a side of the maps of where a class is
FEWEST = 12  # masks that must have a class
ALIKE = 0.6  # cosine of the map of one class, mirrored, and the map of the other
APART = 0.5  # as a share of it, the cosine of maps that must differ
SIZES = 0.6  # area of the smaller class as a share of the larger one's


@dataclass(frozen=True)
class Partners:
    """Two classes that mirror each other.

    Args:
        classes: their names.
        axis: `horizontal` (left and right) or `vertical` (top and bottom).
        by: what says so, `names`, `masks` or `names and masks`.
    """

    classes: tuple[str, str]
    axis: str
    by: str

    def exchanged_by(self, symmetries: Iterable[str]) -> list[str]:
        """Those of some `symmetries.VIEWS` that exchange the two, or make their sides unclear."""
        return [name for name in symmetries if name != _HARMLESS[self.axis]]

    def __str__(self) -> str:
        return f"{self.classes[0]} and {self.classes[1]} mirror each other (by their {self.by})"


def find_partners(names: Sequence[str], masks: Iterable[np.ndarray] = ()) -> list[Partners]:
    """All pairs of classes that mirror each other.

    Args:
        names: of the foreground classes, index 1 first.
        masks: some of the training's, as for `by_masks`.
    """
    if len(names) < 2:
        return []
    said, shown = set(by_names(names)), set(by_masks(masks, len(names)))
    partners = []
    for a, b, axis in sorted(said | shown):
        by = [word for word, pairs in (("names", said), ("masks", shown)) if (a, b, axis) in pairs]
        partners.append(Partners((names[a], names[b]), axis, " and ".join(by)))
    return partners


def by_names(names: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Pairs of names that differ only in one word, which is that of the opposite side.

    `left_lung` and `right_lung`, `LLung` and `RLung`, `lung, links` and `lung, rechts`.

    Yields:
        The positions of the two names, and `horizontal` or `vertical`.
    """
    words = [_words(name) for name in names]
    for a, b in combinations(range(len(names)), 2):
        for axis, opposites in _WORDS.items():
            sides = [(x, y) for pair in opposites for x, y in (pair, pair[::-1])]
            if any(sorted(words[b]) in _exchanged(words[a], x, y) for x, y in sides):
                yield a, b, axis


def by_masks(masks: Iterable[np.ndarray], classes: int) -> Iterator[tuple[int, int, str]]:
    """Pairs of classes of which each lies where a mirror image of the other would lie.

    For each class the mean of its masks is a map of where it lies. Two classes are partners where
    the mirrored map of the one is like that of the other, and unlike its own unmirrored map and
    the other's; their areas must be similar. Classes that lie anywhere have maps that a mirror
    leaves alike. All masks count in the position that they have in their images.

    Args:
        masks: (H, W) class indices, or (K, H, W) with 1 where a class is; 255 is ignored.
        classes: K, the number of foreground classes.

    Yields:
        The positions of the two classes, and `horizontal` or `vertical`.
    """
    maps, found = np.zeros((classes, GRID, GRID), np.float32), np.zeros(classes, int)
    for mask in masks:
        for k in range(classes):
            inside = mask == k + 1 if mask.ndim == 2 else mask[k] == 1
            if inside.any():
                maps[k] += cv2.resize(
                    inside.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA
                )
                found[k] += 1
    # blurred, so that a few small objects that lie side by side are alike
    maps = [cv2.GaussianBlur(m / max(n, 1), (0, 0), 1) for m, n in zip(maps, found, strict=True)]
    maps = np.stack(maps)  # (K, GRID, GRID)
    areas = maps.sum(axis=(1, 2))
    for a, b in combinations(np.flatnonzero(found >= FEWEST).tolist(), 2):
        if min(areas[a], areas[b]) < SIZES * max(areas[a], areas[b]):
            continue
        for axis, flipped in (("horizontal", maps[:, :, ::-1]), ("vertical", maps[:, ::-1])):
            exchanged = _cosine(flipped[a], maps[b])
            others = (
                _cosine(maps[a], maps[b]), _cosine(flipped[a], maps[a]),
                _cosine(flipped[b], maps[b]),
            )  # fmt: skip
            if exchanged >= ALIKE and max(others) <= APART * exchanged:
                yield a, b, axis


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float((first * second).sum() / (np.linalg.norm(first) * np.linalg.norm(second)))


def _words(name: str) -> list[str]:
    """The words of a name in lower case: LLung, l_lung and "L. lung" are l, lung."""
    parts = re.findall(r"[^\W\d_]+|\d+", name)
    # a capital that a small letter follows begins a word
    spaced = [re.sub(r"(?<=.)(?=[^\W\d_a-z](?=[a-z]))|(?<=[a-z])(?=[A-Z])", " ", p) for p in parts]
    return [word for part in spaced for word in part.lower().split()]


def _exchanged(words: Sequence[str], side: str, other: str) -> list[list[str]]:
    """The words, sorted, with that of one side replaced by that of the other, in each place."""
    whole = len(side) < _WHOLE
    return [
        sorted([*words[:i], other if whole else word.replace(side, other), *words[i + 1 :]])
        for i, word in enumerate(words)
        if (word == side if whole else side in word)
    ]
