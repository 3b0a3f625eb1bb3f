"""How a network is given images that are larger than its input: whole, or in windows."""

import math
from typing import Literal

from seg.inference.model import Predictor
from seg.inference.native_scale import ScaledPredictor
from seg.inference.resized import ResizedPredictor
from seg.inference.sliding_window import SlidingWindow

Tile = int | Literal["auto"] | None
# Images of one kind differ by this much in resolution (Kvasir: 332 to 1920 pixels wide).
USUAL = 3.0
# Where the training images are not known: an object is a few network pixels by then.
MUCH = 16.0


def given(
    asks: Predictor,
    *,
    tile: Tile,
    network_size: tuple[int, int],
    outputs: int,
    scale: float | None = None,
    overlap: float = 0.25,
    batch_size: int = 8,
) -> ResizedPredictor | SlidingWindow | ScaledPredictor:
    """What asks `asks` for images of any size, within bounded memory.

    tile, without a scale: null and auto resize an image whole, as training and evaluation do; a
    number cuts it into windows whose longer side has as many image pixels, each resized as in
    training. Only the user knows whether a larger image shows more, or the same more finely: so no
    size turns `auto` into windows, and `doubt` speaks up.
    scale: network pixels for an image pixel: an image goes through the network at this scale,
    null in one pass, auto in windows if memory asks for them, a number in windows (`Scaled`).
    asks: a predictor, or views of one. outputs: K of its probabilities.
    """
    if tile not in ("auto", None) and (isinstance(tile, bool) or not isinstance(tile, int)):
        raise ValueError(f"tile={tile} must be auto, null or a number of pixels")
    if scale is not None:
        return ScaledPredictor(asks, scale=scale, tile=tile, overlap=overlap)
    if tile is None or tile == "auto":
        return ResizedPredictor(asks, network_size=network_size, outputs=outputs)
    return SlidingWindow(
        asks, tile=tile, network_size=network_size, overlap=overlap, batch_size=batch_size
    )


def line(way: ResizedPredictor | SlidingWindow | ScaledPredictor) -> str:
    """What was chosen, for the log."""
    if isinstance(way, ScaledPredictor):
        large = f"windows of {round(way.window.side / way.scale)} image pixels"
        where = {None: "in one pass", "auto": f"in one pass or in {large}, as memory allows"}
        return f"images are seen at scale {way.scale}, {where.get(way.tile, f'in {large}')}"
    height, width = way.network_size
    if isinstance(way, ResizedPredictor):
        return f"images are resized whole to {width}x{height}, as in training"
    return (
        f"images larger than {way.tile[1]}x{way.tile[0]} are cut into windows of that size, "
        f"overlapping by {way.overlap:.0%}, each resized to {width}x{height}"
    )


def doubt(
    size: tuple[int, int],
    *,
    tile: Tile,
    network_size: tuple[int, int],
    trained: tuple[int, int] | None = None,
) -> str | None:
    """What to say of an image (height, width) that `tile=auto` resizes more than is usual.

    trained: typical size of the training images, if it is known.
    """
    if tile != "auto":
        return None
    usual, most = (trained, USUAL) if trained else (network_size, MUCH)
    times = math.sqrt(size[0] * size[1] / (usual[0] * usual[1]))
    if times <= most:
        return None
    than = "those of the training" if trained else "the network's input"
    example = max(trained) if trained else "N"
    return (
        f"{size[1]}x{size[0]} pixels are {times:.0f} times as many along a side as {than}, and "
        f"resized to {network_size[1]}x{network_size[0]}: if such an image shows more, not the "
        f"same more finely, use tile={example}, the pixels that a training image had"
    )
