"""Mirror images and turns by 90 degrees, and which of them an augmentation makes."""

import random
import time
from collections.abc import Callable

import numpy as np

# Whether rows and columns are exchanged, then the image turned upside down, then mirrored.
View = tuple[bool, bool, bool]
VIEWS: dict[str, View] = {
    "horizontal flip": (False, False, True),
    "vertical flip": (False, True, False),
    "turn by 180": (False, True, True),
    "transposition": (True, False, False),
    "turn by 90": (True, True, False),  # anticlockwise
    "turn by 270": (True, False, True),
    "anti-transposition": (True, True, True),
}
FLIPS = ("horizontal flip", "vertical flip", "turn by 180")

DRAWS = 200  # an augmentation that flips one image in 50 is noticed in 98 of 100 trainings
SIDE = 64  # pixels along the longer side of what is augmented
SECONDS = 5  # after which a slow augmentation is not drawn again
NEAR = 20  # degrees between an augmented image and a view that it still counts as


def symmetries_of(
    transform: Callable | None,
    *,
    size: tuple[int, int],
    channels: int = 3,
    dtype: type = np.uint8,
    restart: Callable[[Callable, int], None] | None = None,
) -> list[str]:
    """The names of the `VIEWS` that an augmentation makes, measured on what it does to masks.

    A list of known transforms would miss those of other packages, and would have to know the ranges
    and probabilities of nested ones: a rotation by up to 180 degrees makes turns, p=0 makes none.

    Args:
        transform: `transform(image=, mask=)`, with `set_random_seed`; None does nothing.
        size: (height, width) of the images.
        channels: of the images.
        dtype: of the images; float32 ones are given in 0-1, as in training.
        restart: how training starts the random numbers of `transform` anew; None for `draw_from`.
    """
    if transform is None:
        return []
    restart = restart or draw_from
    scale = min(1.0, SIDE / max(size))
    small = (max(round(size[0] * scale), 1), max(round(size[1] * scale), 1))
    try:
        return _measured(transform, small, channels, dtype, DRAWS, restart)
    except Exception:  # of any transform: many cannot crop or pad images as small as these
        return _measured(transform, size, channels, dtype, DRAWS // 4, restart)


def draw_from(transform: Callable, seed: int) -> None:
    """Start an augmentation's random numbers anew, one stream for all of its transforms.

    `set_random_seed` of albumentations gives each transform a stream of its own from the same seed,
    so that all would draw the same numbers: two flips of p=0.5 would always come together.
    """
    if hasattr(transform, "set_random_state"):
        transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    else:
        transform.set_random_seed(seed)


def _measured(
    transform: Callable,
    size: tuple[int, int],
    channels: int,
    dtype: type,
    draws: int,
    restart: Callable[[Callable, int], None],
) -> list[str]:
    image = np.zeros((*size, channels), dtype)
    # masks whose values are the places of their pixels, 1-254: 0 and 255 are common fill values
    places = [
        1 + 253 * axis / max(n - 1, 1) for axis, n in zip(np.indices(size), size, strict=True)
    ]
    seen: set[str] = set()
    end = time.monotonic() + SECONDS
    for seed in range(draws):
        if len(seen) == len(VIEWS) or time.monotonic() > end:
            break
        moved = []
        for place in places:
            restart(transform, seed)
            moved.append(transform(image=image, mask=place.astype(np.uint8))["mask"])
        turn = _turn(_gradients(moved))
        seen |= {name for name in VIEWS if turn is not None and _is_view(turn, VIEWS[name])}
    return [name for name in VIEWS if name in seen]


def _gradients(moved: list[np.ndarray]) -> np.ndarray:
    """(2, 2): how the place in the original, (y, x), changes along the rows and the columns."""
    gradients = np.zeros((2, 2))
    for i, mask in enumerate(moved):
        values = np.where((mask == 0) | (mask == 255), np.nan, mask)
        for axis in (0, 1):
            step = max(values.shape[axis] // 8, 1)
            ahead = np.roll(values, -step, axis) - values
            ahead = ahead.take(range(step, max(values.shape[axis] - 2 * step, step + 1)), axis)
            known = ahead[np.isfinite(ahead)]
            # the median, since reflected borders run backwards
            gradients[i, axis] = np.median(known) / step if len(known) else 0
    return gradients


def _turn(gradients: np.ndarray) -> np.ndarray | None:
    """(2, 2): the turn, mirrored or not, without what is stretched; None of no image at all."""
    left, stretch, right = np.linalg.svd(gradients)
    return None if stretch[-1] < 1e-6 else left @ right


def _is_view(turn: np.ndarray, view: View) -> bool:
    turned, up, mirrored = view
    matrix = np.diag([-1.0 if up else 1.0, -1.0 if mirrored else 1.0])
    matrix = matrix[::-1] if turned else matrix
    # the cosine of the angle between the two; 0 where only one of them is mirrored
    return bool(np.trace(matrix.T @ turn) / 2 > np.cos(np.radians(NEAR)))
