"""Images degraded as in practice: blur, noise, JPEG, brightness, scale, rotation.

After Hendrycks and Dietterich 2019, arXiv:1903.12261. Images are degraded as they are read, at
their own size: blur is a share of that size, noise is of each pixel.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from seg.data.masks import IGNORE

UNITS = {
    "blur": "sigma, share of the shorter side",
    "noise": "std, share of the range",
    "jpeg": "quality",
    "brightness": "factor, or its inverse",
    "scale": "factor, or its inverse",
    "rotation": "degrees, either way",
}


def amount_for(corruption: str, amount: float, case: str) -> float:
    """The amount in the direction of a case: a factor or its inverse, degrees to the left or right.

    The direction is drawn from the names of the corruption and the case, so that it is the same
    at every strength and in every run.
    """
    inverse = {"brightness": 1 / amount, "scale": 1 / amount, "rotation": -amount}
    is_inverse = corruption in inverse and _generator(corruption, case).random() < 0.5
    return inverse[corruption] if is_inverse else amount


def corrupt(
    image: NDArray, mask: NDArray[np.uint8], *, corruption: str, amount: float, case: str
) -> tuple[NDArray, NDArray[np.uint8]]:
    """An image and its reference mask, degraded; the arguments stay as they are.

    Scale and rotation are about the centre and move both, to the same size. Where they bring in
    what lies outside, the image is mirrored and the mask is ignored (255).

    Args:
        image: (H, W, C) uint8, or float32 in 0-255 for files of more than 8 bits.
        mask: (H, W) class indices, or (H, W, K) planes.
        corruption: a name out of `UNITS`.
        amount: in its unit, above 0.
        case: the name that direction and noise are drawn from, the same noise at every strength.
    """
    amount = amount_for(corruption, amount, case)
    if corruption in ("scale", "rotation"):
        turn = {"scale": (0.0, amount), "rotation": (amount, 1.0)}[corruption]
        return _moved(image, mask, *turn)
    if corruption == "noise":
        return _noisy(image, amount, _generator(corruption, case)), mask
    degrade = {"blur": _blurred, "jpeg": _compressed, "brightness": _scaled}[corruption]
    return degrade(image, amount), mask


def _generator(corruption: str, case: str) -> np.random.Generator:
    return np.random.default_rng([*f"{corruption} {case}".encode()])


def _blurred(image: NDArray, share: float) -> NDArray:
    sigma = share * min(image.shape[:2])
    return cv2.GaussianBlur(image, (0, 0), sigma).reshape(image.shape)


def _noisy(image: NDArray, std: float, generator: np.random.Generator) -> NDArray:
    noise = generator.standard_normal(image.shape, dtype=np.float32)
    return _as_stored(image + np.float32(std * _range(image)[1]) * noise, image)


def _scaled(image: NDArray, factor: float) -> NDArray:
    return _as_stored(image * np.float32(factor), image)


def _compressed(image: NDArray, quality: float) -> NDArray:
    """Through a JPEG file: as RGB, or as a grey file for each channel.

    JPEG has 8 bits: more bits are brought to them from the image's own range, and back.
    """
    low, span = _range(image)
    if image.dtype != np.uint8:
        eight = np.rint((image - low) * np.float32(255 / (span or 1))).astype(np.uint8)
        return _compressed(eight, quality) * np.float32(span / 255) + low
    if image.shape[2] == 3:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        return cv2.cvtColor(_through_jpeg(bgr, quality), cv2.COLOR_BGR2RGB)
    return np.stack([_through_jpeg(c, quality) for c in np.moveaxis(image, 2, 0)], axis=2)


def _through_jpeg(image: NDArray[np.uint8], quality: float) -> NDArray[np.uint8]:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def _moved(
    image: NDArray, mask: NDArray[np.uint8], degrees: float, factor: float
) -> tuple[NDArray, NDArray[np.uint8]]:
    height, width = mask.shape[:2]
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, degrees, factor)

    def warp(array: NDArray, **options: int) -> NDArray:
        """Channel by channel, since OpenCV may take four at most."""
        planes = np.moveaxis(array.reshape(height, width, -1), 2, 0)
        size = (width, height)
        warped = [cv2.warpAffine(np.ascontiguousarray(p), matrix, size, **options) for p in planes]
        return np.stack(warped, axis=2).reshape(array.shape)

    return (
        warp(image, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101),
        warp(mask, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=IGNORE),
    )


def _range(image: NDArray) -> tuple[float, float]:
    """Lowest value and range: 0 and 255 for 8 bits, else those of the image, which may fill a small
    part of its 16 bits.
    """
    low, high = (0, 255) if image.dtype == np.uint8 else (image.min(), image.max())
    return float(low), float(high - low)


def _as_stored(values: NDArray[np.float32], image: NDArray) -> NDArray:
    values = values.clip(0, 255)
    return np.rint(values).astype(np.uint8) if image.dtype == np.uint8 else values
