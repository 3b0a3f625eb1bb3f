"""What the page shows of an image: its pixels, the outlines of its classes, its probabilities."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.inference.files.reading import Read
from seg.inference.segmentation import Segmentation
from seg.metrics.planes import areas
from seg.report.contours import contours
from seg.report.panels import as_rgb

LONGEST = 2048  # pixels along a side of what is sent


def image_png(read: Read) -> bytes:
    """The image as a PNG, at most `LONGEST` pixels along a side."""
    return _png(_smaller(as_rgb(read.image))[..., ::-1])


def probability_png(probs: NDArray[np.float32]) -> bytes:
    """(H, W) in 0-1 as a PNG in colours, from dark blue (0) to yellow (1)."""
    grey = np.rint(255 * np.clip(probs, 0, 1)).astype(np.uint8)
    return _png(cv2.applyColorMap(_smaller(grey), cv2.COLORMAP_VIRIDIS))


def outlines(segmentation: Segmentation) -> dict[int, str]:
    """SVG paths of the outlines of each class index, in pixels of the image."""
    return {
        index: "".join(map(_path, contours(area, area.shape[::-1])))
        for index, area in areas(segmentation.mask).items()
    }


def remarks(row: dict[str, Any]) -> list[str]:
    """How the image differs from the training's, a line each."""
    return [f"{kind} ({detail})" if detail else kind for kind, detail in row["remarks"]]


def _path(line: NDArray) -> str:
    points = line[:-1] + 0.5  # a pixel's centre lies half a pixel from its corner
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) + "Z"


def _smaller(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = LONGEST / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(1, round(scale * side)) for side in picture.shape[1::-1]]
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)


def _png(picture: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError("the picture cannot be made a PNG")
    return data.tobytes()
