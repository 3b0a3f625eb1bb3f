"""Whether two thumbnails show the same: aligned as copies can be, then compared part by part."""

from collections.abc import Sequence

import cv2
import numpy as np

# Calibrated on 400 Kvasir-SEG frames, 300 blood cells, 269 brain slices of 12 patients and 28
# retinas, and on altered copies of them. The numbers are those of `_agreement`.
#   copies (JPEG 50, half size, other aspect, contrast, gamma, blur, noise, 2-3 % cropped, label):
#       95 of 100 reach 0.95, most 0.99; where 10 % more light saturates the background, 0.92
#   different images: frames at most 0.4, retinas 0.65, blood cells 0.69
#   blood cells, five pairs that are by eye one cell twice: 1.00, 0.99, 0.94, 0.925, 0.917
#   slices of different patients, where half the picture is black: 0.90, and once 0.95 under a
#       distortion that is no crop. Hence sparse images must agree better, and `_is_crop`.

SIDE = 64  # of a thumbnail, in pixels
_FINE, _COARSE = 1.0, 6.0  # Gaussian sigmas, in pixels of the thumbnail, of the compared band
_PARTS = 8  # along each axis; each part is compared by itself
_QUARTER = _PARTS * _PARTS // 4
_STRUCTURE = 4.0  # a quarter of the parts must vary by so many of 255 levels, else "unusable"
_TEXTURE = 0.12  # a part counts if it varies by this share of the strongest quarter's variation
_FIRST_AGREEMENT = 0.5  # agreement after one step of alignment, below which a candidate is dropped
_TOLERANCE = 0.1  # agreement may fall short of 1 by this if all parts have texture
_MARGIN = 0.06  # largest share cropped at one side,
_SLACK = 0.012  # and how far the alignment may miss
_STEPS = 3


def _gaussian(sigma: float) -> np.ndarray:
    """(SIDE, SIDE) matrix that smooths a line, mirrored at its ends."""
    line = np.eye(SIDE, dtype=np.float32)
    kernel = cv2.getGaussianKernel(2 * round(4 * sigma) + 1, sigma)
    return cv2.sepFilter2D(line, -1, np.ones(1), kernel, borderType=cv2.BORDER_REFLECT)


_SMOOTH = (_gaussian(_FINE), _gaussian(_COARSE))
_HALVE = np.kron(np.eye(SIDE // 2, dtype=np.float32), np.full((1, 2), 0.5, np.float32))
_SMOOTH_HALF = tuple(_HALVE @ smooth for smooth in _SMOOTH)


def show_the_same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(P,) bool, for thumbnails a and b (P, SIDE, SIDE). Their order makes no difference."""
    swap = (a.sum(axis=(1, 2)) > b.sum(axis=(1, 2)))[:, None, None]
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    half_a, half_b = _band(a, _SMOOTH_HALF), _band(b, _SMOOTH_HALF)
    crop = _align(half_a, half_b, np.zeros((len(a), 2, 2), np.float32))
    agreement, _ = _agreement(_warp(half_a, crop), half_b)
    near = agreement > _FIRST_AGREEMENT
    if near.any():  # the inner one of two images cannot be warped to the outer one: try both
        near[near] = _agree_aligned(a[near], b[near]) | _agree_aligned(b[near], a[near])
    return near


def has_structure(thumbnail: np.ndarray) -> bool:
    """Whether a thumbnail (SIDE, SIDE) has enough structure to tell it from another."""
    energy = (_parts(_band(thumbnail[None])) ** 2).mean(axis=2)  # (1, parts)
    return bool(_strongest_quarter(energy)[0] >= _STRUCTURE**2)


def _agree_aligned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    half_a, half_b = _band(a, _SMOOTH_HALF), _band(b, _SMOOTH_HALF)
    crop = np.zeros((len(a), 2, 2), np.float32)
    for _ in range(_STEPS):
        crop = _align(half_a, half_b, crop)
    agreement, textured = _agreement(_warp(_band(a), crop), _band(b))
    # Sparse structure must agree better: there is less of it to tell two images apart.
    return (agreement >= 1 - _TOLERANCE * textured**2) & _is_crop(crop)


def _band(thumbnails: np.ndarray, smooth: Sequence[np.ndarray] = _SMOOTH) -> np.ndarray:
    """Fine minus coarse scale, which removes brightness, vignetting and noise."""
    values = thumbnails.astype(np.float32)
    fine, coarse = smooth
    return fine @ values @ fine.T - coarse @ values @ coarse.T


def _parts(images: np.ndarray) -> np.ndarray:
    """(N, side, side) -> (N, parts, pixels), each part without its mean."""
    size = images.shape[1] // _PARTS
    parts = images.reshape(-1, _PARTS, size, _PARTS, size).swapaxes(2, 3)
    parts = parts.reshape(len(images), _PARTS**2, size**2)
    return parts - parts.mean(axis=2, keepdims=True)


def _strongest_quarter(energy: np.ndarray) -> np.ndarray:
    return np.partition(energy, -_QUARTER, axis=1)[:, -_QUARTER]


def _agreement(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The correlation that three quarters of the parts reach, and the share of parts that counted.

    A label changes few parts, and a frame that many images share makes up few.
    """
    a, b = _parts(a), _parts(b)
    energies = (a * a).sum(axis=2), (b * b).sum(axis=2)
    textured = np.zeros(energies[0].shape, bool)
    for energy in energies:
        textured |= energy > _TEXTURE**2 * _strongest_quarter(energy)[:, None]
    correlation = (a * b).sum(axis=2) / np.sqrt(energies[0] * energies[1] + 1e-6)
    count = textured.sum(axis=1)
    ordered = np.sort(np.where(textured, correlation, np.inf), axis=1)
    return ordered[np.arange(len(a)), count // 4], count / _PARTS**2


def _align(a: np.ndarray, b: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """One Gauss-Newton step towards the crop of `a` that looks like `b`, at any contrast."""
    side = a.shape[1]
    warped = _warp(a, crop) if crop.any() else a
    rows, columns = np.gradient(warped, axis=(1, 2))
    rows, columns = rows * side, columns * side  # per side, as crops are
    line = _centred(side)
    terms = np.stack([rows, rows * line[:, None], columns, columns * line, warped], axis=1)
    terms = terms.reshape(len(a), 5, -1)
    normal = terms @ terms.swapaxes(1, 2)  # (P, 5, 5)
    # Damping: an axis without structure must not move.
    scale = np.diagonal(normal, axis1=1, axis2=2) + normal[:, 4, 4, None] + 1e-3
    normal += 1e-3 * scale[:, None] * np.eye(5, dtype=np.float32)
    solution = np.linalg.solve(normal, terms @ b.reshape(len(b), -1, 1))[..., 0]  # (P, 5)
    step = solution[:, :4] / np.maximum(solution[:, 4:], 0.2)
    limit = np.array([0.02, 0.1], np.float32)
    return np.clip(crop + step.reshape(-1, 2, 2), -limit, limit)


def _warp(images: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """crop: (P, axis, 2) shift and stretch of the position that a pixel is read from, per side."""
    side = images.shape[1]
    position = _centred(side) * (1 + crop[..., 1:]) + crop[..., :1]  # (P, axis, side)
    weights = interpolation((position + 0.5) * side - 0.5, side)
    return weights[:, 0] @ images @ weights[:, 1].swapaxes(1, 2)


def _centred(side: int) -> np.ndarray:
    return (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5


def _is_crop(crop: np.ndarray) -> np.ndarray:
    """(P,) whether one image lies within the other but for a small margin."""
    shift, stretch = crop[..., 0], crop[..., 1]
    margins = np.concatenate([shift - stretch / 2, -shift - stretch / 2], axis=1)  # (P, 4 sides)
    inside = (margins >= -_SLACK).all(axis=1) | (margins <= _SLACK).all(axis=1)
    return inside & (np.abs(margins) <= _MARGIN).all(axis=1)


def interpolation(position: np.ndarray, side: int) -> np.ndarray:
    """Weights (..., P, side) of linear interpolation at positions (..., P) of a line."""
    clipped = np.clip(position, 0, side - 1)[..., None]
    return np.maximum(0, 1 - np.abs(clipped - np.arange(side, dtype=position.dtype)))
