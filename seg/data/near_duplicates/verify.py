"""Whether two thumbnails show the same: aligned as copies can be, then compared in detail."""

from collections.abc import Sequence

import cv2
import numpy as np

SIDE = 128  # of a thumbnail, in pixels
# Calibrated on 275 brain slices of 14 patients, 400 endoscopic frames, 300 blood cells and 28
# retinas, and on altered copies of them (benchmarks/near_duplicates.py). The agreement of details:
#   copies (JPEG 30, a third of the size, gamma, noise, 5 % cropped at every side): 0.95, most 0.99
#   slices of different patients: below 0.8, also where thumbnails of 64 pixels agree to 0.95
#   different frames and retinas: below 0.8
#   blood cells, five pairs that are by eye one cell twice: 0.8 to 1
_SIGMAS = 1.0, 6.0  # of Gaussians, in pixels of half a thumbnail: the band between is aligned
_DETAIL_SIGMAS = 1.0, 3.0  # likewise, in pixels of the thumbnail: the band that decides
_PARTS = 8  # along each axis; each part is compared by itself
_QUARTER = _PARTS * _PARTS // 4
_STRUCTURE = 4.0  # a quarter of the parts must vary by so many of 255 levels, else "unusable"
_TEXTURE = 0.12  # a part counts if it varies by this share of the strongest quarter's variation
_FIRST_AGREEMENT = 0.5  # of the parts after one step of alignment, below which no pair is left
_WINDOW = 3.0  # sigma of the window that the contrast of details is divided by
_ROUGH_AGREEMENT = 0.75  # of the details, before they are aligned themselves,
_AGREEMENT = 0.9  # and thereafter
_MARGIN = 0.06  # largest share cropped at one side,
_SLACK = 0.012  # and how far the alignment may miss
_SHIFT, _STRETCH = 0.04, 0.15  # the furthest that one image is moved, and stretched, to the other
_STEPS = 3


def _smoothing(side: int, sigmas: Sequence[float], to_side: int) -> tuple[np.ndarray, ...]:
    """Matrices (to_side, SIDE) that shrink a line, smooth it at `side` pixels, and shrink it again.

    Args:
        sigmas: of the Gaussians, in pixels of `side`; the line is mirrored at its ends.
    """
    line = np.eye(side, dtype=np.float32)
    kernels = [cv2.getGaussianKernel(2 * round(4 * sigma) + 1, sigma) for sigma in sigmas]
    border = {"borderType": cv2.BORDER_REFLECT}
    smooth = [cv2.sepFilter2D(line, -1, np.ones(1), kernel, **border) for kernel in kernels]
    return tuple(_shrinking(side, to_side) @ each @ _shrinking(SIDE, side) for each in smooth)


def _shrinking(from_side: int, to_side: int) -> np.ndarray:
    """(to_side, from_side) matrix that averages neighbours."""
    each = from_side // to_side
    return np.kron(np.eye(to_side), np.full((1, each), 1 / each)).astype(np.float32)


_TINY = _smoothing(SIDE // 2, _SIGMAS, SIDE // 4)
_SMALL = _smoothing(SIDE // 2, _SIGMAS, SIDE // 2)
_DETAILED = _smoothing(SIDE, _DETAIL_SIGMAS, SIDE)


def show_the_same(outer: np.ndarray, inner: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """(P,) whether `inner` shows what `outer` does, or a part of it that lacks little.

    Args:
        outer: (P, SIDE, SIDE) thumbnails.
        inner: likewise.
        crop: (P, 2, 2) of `outer` that may look like `inner`, to begin with (see `_warp`).
    """
    bands = _band(outer, _TINY), _band(inner, _TINY)
    crop = _align(*bands, crop)
    near = _agreement(_warp(bands[0], crop), bands[1]) > _FIRST_AGREEMENT
    if near.any():
        near[near] = _agree_aligned(outer[near], inner[near], crop[near])
    return near


def has_structure(thumbnail: np.ndarray) -> bool:
    """Whether a thumbnail (SIDE, SIDE) has enough structure to tell it from another."""
    energy = (_parts(_band(thumbnail[None], _SMALL)) ** 2).mean(axis=2)  # (1, parts)
    return bool(_strongest_quarter(energy)[0] >= _STRUCTURE**2)


def _agree_aligned(a: np.ndarray, b: np.ndarray, crop: np.ndarray) -> np.ndarray:
    for smooth in (_TINY, _SMALL):
        crop = _align_well(_band(a, smooth), _band(b, smooth), crop)
    a, b = _band(a, _DETAILED), _band(b, _DETAILED)
    near = (_agreement_of_details(_warp(a, crop), b) >= _ROUGH_AGREEMENT) & _is_crop(crop)
    if near.any():
        a, b = a[near], b[near]
        crop = _align_well(a, b, crop[near])
        near[near] = (_agreement_of_details(_warp(a, crop), b) >= _AGREEMENT) & _is_crop(crop)
    return near


def _agreement_of_details(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The correlation of bands (P, SIDE, SIDE) after each is divided by the contrast around it.

    The outline of a head is what is strongest in a picture of it, and is much the same in many
    heads; at equal contrast the weaker structure within counts as much.
    """
    a, b = (np.stack([_at_equal_contrast(band) for band in bands]) for bands in (a, b))
    products = [(x * y).sum(axis=(1, 2)) for x, y in ((a, b), (a, a), (b, b))]
    return products[0] / np.sqrt(products[1] * products[2] + 1e-6)


def _at_equal_contrast(band: np.ndarray) -> np.ndarray:
    power = band * band
    contrast = np.sqrt(cv2.GaussianBlur(power, (0, 0), _WINDOW)) + np.sqrt(power.mean())
    return band / (contrast + 1e-6)


def _band(thumbnails: np.ndarray, smooth: Sequence[np.ndarray]) -> np.ndarray:
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


def _agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The correlation that three quarters of the parts reach.

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
    return ordered[np.arange(len(a)), count // 4]


def _align_well(a: np.ndarray, b: np.ndarray, crop: np.ndarray) -> np.ndarray:
    for _ in range(_STEPS):
        crop = _align(a, b, crop)
    return crop


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
    limit = np.array([_SHIFT, _STRETCH], np.float32)
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
